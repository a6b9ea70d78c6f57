// A map of pictures: hovering or the arrow keys show one, a click or Enter picks it, a drag surrounds several.
const WIDTH = 560, HEIGHT = 420, NEAR = 14, LONGEST = 100;
const ARROWS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function pixels(view) {
  const shares = new Float32Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
  return Array.from({ length: shares.length / 2 }, (_, i) => [WIDTH * shares[2 * i], HEIGHT * (1 - shares[2 * i + 1])]);
}

function render({ model, el }) {
  el.classList.add("tireid-map");
  el.tabIndex = 0;
  el.setAttribute("role", "application");
  el.innerHTML = `<canvas></canvas><svg aria-hidden="true" viewBox="0 0 ${WIDTH} ${HEIGHT}"><g></g><path></path></svg>
    <div role="status" hidden><img alt=""><span></span></div>`;
  const [canvas, svg, tip] = el.children, [marks, lasso] = svg.children;
  let pictures = [], shown = -1, path = null;

  function draw() {
    pictures = pixels(model.get("pictures"));
    const scale = devicePixelRatio, pen = canvas.getContext("2d");
    Object.assign(canvas, { width: WIDTH * scale, height: HEIGHT * scale });
    pen.scale(scale, scale);
    pen.globalAlpha = 0.55;
    pen.strokeStyle = getComputedStyle(el).getPropertyValue("--tireid-caption");
    pen.fillStyle = getComputedStyle(el).color;
    pen.beginPath();
    for (const [x, y] of pixels(model.get("captions")))
      for (const side of [2, -2]) { pen.moveTo(x - 2, y - side); pen.lineTo(x + 2, y + side); }
    pen.stroke();
    for (const [x, y] of pictures) { pen.beginPath(); pen.arc(x, y, 2.2, 0, 7); pen.fill(); }
  }
  function mark() {
    marks.innerHTML = model.get("marks");
    el.setAttribute("aria-label", model.get("alt"));
  }
  const place = (event) => {
    const box = svg.getBoundingClientRect();
    return [(WIDTH * (event.clientX - box.left)) / box.width, (HEIGHT * (event.clientY - box.top)) / box.height];
  };
  function nearest([x, y], allowed = () => true) {
    let best = -1, least = Infinity;
    pictures.forEach(([a, b], row) => {
      const distance = (a - x) ** 2 + (b - y) ** 2;
      if (distance < least && allowed(a - x, b - y)) [best, least] = [row, distance];
    });
    return [best, Math.sqrt(least)];
  }
  function hover(row) {
    if (row === shown) return;
    [shown, tip.hidden] = [row, true];
    if (row >= 0) model.send({ hover: row });
  }
  model.on("msg:custom", (told) => {
    if (told.row !== shown) return;
    const [x, y] = pictures[shown];
    tip.style.left = `${(100 * x) / WIDTH}%`;
    tip.style.top = `${(100 * y) / HEIGHT}%`;
    tip.classList.toggle("left", x > WIDTH / 2);
    tip.children[0].src = told.src ?? "";
    tip.children[1].textContent = told.name;
    tip.hidden = false;
  });
  svg.onpointerdown = (event) => { path = [place(event)]; svg.setPointerCapture(event.pointerId); };
  svg.onpointermove = (event) => {
    const at = place(event), [row, distance] = nearest(at);
    if (!path) return hover(distance < NEAR ? row : -1);
    path.push(at);
    lasso.setAttribute("d", `M${path.join("L")}Z`);
  };
  svg.onpointerleave = () => hover(-1);
  svg.onpointerup = (event) => {
    const at = place(event), far = path?.some(([x, y]) => Math.hypot(x - path[0][0], y - path[0][1]) > 8);
    const every = Math.ceil((path?.length ?? 0) / LONGEST), [row, distance] = nearest(at);
    const corners = (path ?? []).filter((_, i) => i % every === 0);
    path = null;
    lasso.removeAttribute("d");
    if (far && corners.length > 2) model.send({ surround: corners.flatMap(([x, y]) => [x / WIDTH, 1 - y / HEIGHT]) });
    else if (distance < NEAR) model.send({ pick: row });
  };
  svg.onpointercancel = () => { path = null; lasso.removeAttribute("d"); };
  el.onkeydown = (event) => {
    const way = ARROWS[event.key], from = pictures[shown] ?? [WIDTH / 2, HEIGHT / 2];
    if (event.key === "Escape") hover(-1);
    if (event.key === "Enter" && shown >= 0) model.send({ pick: shown });
    if (!way) return;
    event.preventDefault();
    const ahead = (dx, dy) => dx * way[0] + dy * way[1] > Math.abs(dx * way[1]) + Math.abs(dy * way[0]);
    const [row] = nearest(from, ahead);
    if (row >= 0) hover(row);
  };
  const themes = matchMedia("(prefers-color-scheme: dark)");
  const watch = new MutationObserver(draw);
  watch.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
  themes.addEventListener("change", draw);
  model.on("change:pictures change:captions", draw);
  model.on("change:marks change:alt", mark);
  requestAnimationFrame(draw);
  mark();
  return () => { watch.disconnect(); themes.removeEventListener("change", draw); };
}

export default { render };
