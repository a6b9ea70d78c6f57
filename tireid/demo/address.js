// The view in the address of the page: a pause between two changes makes a step for the back button.
const PAUSE = 2000;

function render({ model, el }) {
  if (!("tireidPage" in document.body.dataset)) return;
  const controller = new AbortController(), here = () => location.hash.slice(1);
  let arriving = false, last = 0;
  function go(loaded) {
    arriving = true;
    model.send({ went: here(), loaded });
    // Heard by what says that work is under way, once that listens.
    requestAnimationFrame(() => setTimeout(() => el.dispatchEvent(new Event("change", { bubbles: true }))));
  }
  function write() {
    const address = model.get("address"), now = Date.now(), pause = now - last > PAUSE;
    last = now;
    if (address === here()) return;
    history[arriving || !pause ? "replaceState" : "pushState"](null, "", `#${address}`);
  }
  model.on("change:address", write);
  model.on("msg:custom", () => { arriving = false; write(); });
  addEventListener("hashchange", () => go(false), controller);
  if (here()) go(true); else { arriving = true; write(); arriving = false; }
  return () => controller.abort();
}

export default { render };
