// A sign that a click or a key press is heard but not answered yet, and what to do where no answer comes.
const SIGN = 600, SERVER = 3000, KERNEL = 20000;
const STOPPED = "The server has stopped. Start it again, and open the address that it prints.";
const SILENT = "No answer for 20 seconds. If it has died: reload this page, or run the cell again.";
const SILENT_PAGE = "The search is busy or has died. Wait, or reload the page.";

function render({ model, el }) {
  el.className = "tireid-alive";
  el.setAttribute("role", "status");
  const controller = new AbortController();
  const silent = "tireidPage" in document.body.dataset ? SILENT_PAGE : SILENT;
  let asked = 0, again = false, timers = [];
  const forget = () => { timers.forEach(clearTimeout); timers = []; };
  const say = (said) => { el.textContent = said; };
  function ask(number) {
    forget();
    again = true;
    model.send({ asked: number });
    timers = [setTimeout(say, SIGN, "Working …"), setTimeout(check, SERVER), setTimeout(say, KERNEL, silent)];
  }
  async function check() {
    // A file of the server: a page may refuse its head. Read to its end: what is cut short counts as a failed request.
    const own = [...document.scripts].find((script) => script.src.startsWith(location.origin));
    if (!own) return;
    try { await (await fetch(own.src, { method: "HEAD", cache: "no-store" })).text(); } catch { forget(); say(STOPPED); }
  }
  model.on("msg:custom", (told) => {
    if (told.answered !== asked) return;
    // What is typed while the kernel works is kept until it is idle: asked for after this question, not before it.
    if (again) { again = false; return model.send({ asked }); }
    forget();
    say("");
    el.dataset.busy = false;
  });
  requestAnimationFrame(() => {
    const root = el.closest(".tireid-root");
    // After what the click itself asks for: the answer to this comes when that is done.
    for (const kind of ["click", "input", "change"])
      root.addEventListener(kind, () => { el.dataset.busy = true; setTimeout(ask, 0, ++asked); },
        { capture: true, signal: controller.signal });
    el.dataset.busy = false;
  });
  return () => { forget(); controller.abort(); };
}

export default { render };
