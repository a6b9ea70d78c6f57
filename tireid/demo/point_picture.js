// A point on a picture: a click or a drag puts it somewhere, an arrow key moves it by a step, with Shift by ten.
const ARROWS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

function render({ model, el }) {
  el.classList.add("tireid-point");
  el.dataset.lmSuppressShortcuts = "true"; // in JupyterLab an arrow key chooses a cell
  el.innerHTML = `<img draggable="false" alt="">
    <div role="slider" tabindex="0" aria-roledescription="slider of two values"></div>`;
  const [picture, handle] = el.children;
  let point = model.get("point"), next = null, busy = false;

  function draw() {
    URL.revokeObjectURL(picture.src);
    picture.src = URL.createObjectURL(new Blob([model.get("value")], { type: "image/png" }));
    picture.alt = model.get("alt");
  }
  function mark() {
    const axes = model.get("axes");
    if (!busy) point = model.get("point");
    if (axes.length < 2 || point.length < 2) return; // nothing drawn yet
    const [left, top] = axes.map(({ low, high, first, last }, i) =>
      `${100 * (first + ((last - first) * (point[i] - low)) / (high - low))}%`);
    Object.assign(handle.style, { left, top });
    handle.ariaLabel = axes.map(({ name }) => name).join(" and ");
    handle.ariaValueText = axes.map(({ name }, i) => `${name} ${point[i]}`).join(", ");
    [handle.ariaValueMin, handle.ariaValueMax, handle.ariaValueNow] = [axes[0].low, axes[0].high, point[0]];
  }
  // A point is sent when the kernel is done with the last one, and then the newest.
  function ask() {
    busy = next !== null;
    if (busy) model.send({ point: next });
    next = null;
    mark();
  }
  function put(values) {
    point = next = model.get("axes").map(({ low, high, step }, i) => {
      const inside = Math.min(high, Math.max(low, values[i]));
      return Number((low + step * Math.round((inside - low) / step)).toFixed(10));
    });
    busy ? mark() : ask();
  }
  function values(event) {
    const box = picture.getBoundingClientRect();
    const at = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    const value = ({ low, high, first, last }, i) => low + ((high - low) * (at[i] - first)) / (last - first);
    return model.get("axes").map(value);
  }
  el.onpointerdown = (event) => {
    const at = values(event), inside = model.get("axes").every(({ low, high }, i) => low <= at[i] && at[i] <= high);
    if (event.button || !(inside || event.target === handle)) return;
    event.preventDefault();
    handle.focus();
    el.setPointerCapture(event.pointerId);
    put(at);
  };
  el.onpointermove = (event) => { if (el.hasPointerCapture(event.pointerId)) put(values(event)); };
  handle.onkeydown = (event) => {
    const way = ARROWS[event.key];
    if (!way || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const steps = event.shiftKey ? 10 : 1;
    put(model.get("axes").map(({ step }, i) => point[i] + steps * step * way[i]));
  };
  model.on("change:value change:alt", draw);
  model.on("change:point change:axes", mark);
  model.on("msg:custom", ask);
  draw();
  mark();
  return () => URL.revokeObjectURL(picture.src);
}

export default { render };
