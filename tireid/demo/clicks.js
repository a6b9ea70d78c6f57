// Clicks on cards, each told with what its card showed when it was pressed: an answer may replace that meanwhile.
const SLIP = 10;

function pressed(event, cards) {
  const button = event.target.closest?.("button"), card = button?.closest(".tireid-card");
  if (!card) return null;
  const name = card.querySelector("figure").title, act = [...card.querySelectorAll("button")].indexOf(button);
  const place = [...cards.querySelectorAll(".tireid-card")].indexOf(card);
  return { button, at: [event.clientX, event.clientY], told: { place, name, act } };
}

function render({ model, el }) {
  const controller = new AbortController();
  let down = null;
  requestAnimationFrame(() => {
    const cards = el.closest(".tireid-results");
    const listen = (kind, act) => cards.addEventListener(kind, act, { capture: true, signal: controller.signal });
    listen("pointerdown", (event) => {
      down = pressed(event, cards);
      // The click is then the button's, also where the page moved below the pointer.
      down?.button.setPointerCapture(event.pointerId);
    });
    listen("click", (event) => {
      const up = pressed(event, cards), mouse = event.detail > 0 && down?.button === up?.button;
      if (!up) return;
      event.stopPropagation();
      const [x, y] = mouse ? down.at : up.at;
      if (Math.hypot(event.clientX - x, event.clientY - y) < SLIP) model.send((mouse ? down : up).told);
    });
  });
  return () => controller.abort();
}

export default { render };
