// What Sphinx and its theme leave out for keyboards and screen readers.
addEventListener("load", () => {
  for (const caption of document.querySelectorAll(".caption[role=heading]")) caption.setAttribute("aria-level", "2");
  for (const block of document.querySelectorAll("article *")) {
    const scrolls = block.scrollWidth > block.clientWidth || block.scrollHeight > block.clientHeight;
    if (scrolls && /auto|scroll/.test(getComputedStyle(block).overflow)) block.tabIndex = 0;
  }
});
