// Escape closes the innermost of what is open: a fold, the enlarged result, the section; focus goes to what opened it.
function render({ model, el }) {
  const controller = new AbortController();
  document.addEventListener("keydown", (event) => {
    const root = el.closest(".tireid-root"), at = document.activeElement, own = "tireidPage" in document.body.dataset;
    const lost = own && at === document.body, tip = at.matches(".tireid-map") && at.querySelector("div:not([hidden])");
    if (event.key !== "Escape" || event.isComposing || tip) return;  // the map hides its picture itself
    if (!root || !(lost || root.contains(at))) return;
    const fold = at.closest("details[open]"), section = root.querySelector(".tireid-section.mod-active");
    if (fold) {
      fold.open = false;
      return fold.querySelector("summary").focus();
    }
    if (!section) return;
    const panel = root.querySelector(".tireid-panel"), enlarged = panel.querySelector(".closer");
    const card = enlarged && root.querySelector(".tireid-card:has(figure.picked) .tireid-open");
    if (lost || panel.contains(at)) (card ?? section).focus();
    model.send({});
    el.dispatchEvent(new Event("change", { bubbles: true }));  // heard by what says that work is under way
  }, { capture: true, signal: controller.signal });  // text fields keep their keys to themselves
  return () => controller.abort();
}

export default { render };
