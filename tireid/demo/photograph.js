// A button that takes a photograph; the whole search bar around it takes one that is dropped or pasted.
const LARGEST = 4e6, SIDE = 1600;

async function bytes(file) {
  if (file.size <= LARGEST) return file.arrayBuffer();
  const picture = await createImageBitmap(file).catch(() => null);
  if (!picture) return new ArrayBuffer(0);  // refused by name, as a small one that is no picture
  const scale = Math.min(1, SIDE / Math.max(picture.width, picture.height));
  const canvas = new OffscreenCanvas(Math.round(scale * picture.width), Math.round(scale * picture.height));
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  return (await canvas.convertToBlob({ type: "image/jpeg", quality: 0.95 })).arrayBuffer();
}

function render({ model, el }) {
  const controller = new AbortController();
  const input = Object.assign(document.createElement("input"), { type: "file", accept: "image/*", hidden: true });
  const button = Object.assign(document.createElement("button"), {
    className: "jupyter-button widget-button",
    textContent: model.get("label"),
    title: "Search with a photograph: choose one, drop it on this bar, or paste it",
  });
  const take = async (event, files) => {
    const given = [...(files ?? [])];
    const file = given.find((file) => file.type.startsWith("image/")) ?? (event.type === "paste" ? null : given[0]);
    if (!file) return;
    event.preventDefault();
    const others = given.filter((other) => other !== file).map((other) => other.name);
    model.send({ name: file.name || "pasted.png", others }, undefined, [await bytes(file)]);
    el.dispatchEvent(new Event("change", { bubbles: true }));  // heard by what says that work is under way
  };
  button.onclick = () => input.click();
  input.onchange = async (event) => {
    await take(event, input.files);
    input.value = "";
  };
  el.append(button, input);
  requestAnimationFrame(() => {
    const bar = el.closest(".tireid-search") ?? el;
    // On a page of its own also beside the bar, where the browser would leave the page for the file.
    const area = "tireidPage" in document.body.dataset ? document : bar;
    const mark = (on) => bar.classList.toggle("tireid-over", on);
    const listen = (kind, act) => area.addEventListener(kind, act, controller);
    const files = (event) => event.dataTransfer.types.includes("Files");  // a text that is dropped goes into its field
    listen("dragover", (event) => { if (files(event)) { event.preventDefault(); mark(true); } });
    listen("dragleave", () => mark(false));
    listen("drop", (event) => {
      mark(false);
      if (files(event)) { event.preventDefault(); take(event, event.dataTransfer.files); }
    });
    listen("paste", (event) => take(event, event.clipboardData.files));
  });
  return () => controller.abort();
}

export default { render };
