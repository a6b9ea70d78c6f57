"""The diagram of the whole method: `python -m tools.method_figure` writes `notebooks/images/method*.svg`.

One drawing, and one for each of the notebooks 01 to 08 with its part lit. Every word stands on a filled card, so that
it can be read on a light and on a dark page; only arrows lie on the page itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path

IMAGES = Path(__file__).parents[1] / "notebooks/images"
WIDTH, HEIGHT, FOOT = 1000, 376, 62
ARROW, PALE, INK, LIT = "#7d8590", "#e6ebf1", "#24303d", "#0b5c8f"
SOFT, WARM = "#9fb3c8", "#de8f05"


@dataclass(frozen=True)
class Part:
    """A card of the diagram: its place, its lines of text, and what its notebook takes and gives."""

    number: int
    title: str
    box: tuple[int, int, int, int]
    lines: tuple[str, ...]
    drawing: str
    takes: str
    gives: str


def _person(x: int, y: int) -> str:
    return (
        f'<circle cx="{x}" cy="{y}" r="7" fill="#c9986b"/><rect x="{x - 10}" y="{y + 8}" width="20" height="24" rx="4" '
        f'fill="#b3261e"/><rect x="{x - 8}" y="{y + 32}" width="7" height="22" fill="#37474f"/>'
        f'<rect x="{x + 1}" y="{y + 32}" width="7" height="22" fill="#37474f"/>'
    )


def _tower(x: int, y: int, word: str) -> str:
    points = f"{x},{y} {x + 120},{y + 9} {x + 120},{y + 41} {x},{y + 50}"
    return f'<polygon points="{points}" fill="{SOFT}"/>' + _text(x + 60, y + 30, word, "middle", colour=INK)


def _cloud(x: int, y: int, turn: int) -> str:
    dots = ((-22, -3), (-9, 8), (4, -8), (17, 4), (28, -2))
    shape = f'<ellipse rx="42" ry="17" fill="{SOFT}"/>' + "".join(
        f'<circle cx="{a}" cy="{b}" r="3" fill="{WARM}"/>' for a, b in dots
    )
    return f'<g transform="translate({x} {y}) rotate({turn})">{shape}<circle r="4" fill="{INK}"/></g>'


def _matrix(x: int, y: int) -> str:
    return "".join(
        f'<rect x="{x + 20 * column}" y="{y + 20 * row}" width="18" height="18" '
        f'fill="{WARM if row // 2 == column // 2 else SOFT}"/>'
        for row in range(6)
        for column in range(6)
    )


def _text(x: int, y: int, words: str, anchor: str = "start", colour: str = "") -> str:
    fill = f' fill="{colour}"' if colour else ""
    return f'<text x="{x}" y="{y}" font-size="13" text-anchor="{anchor}"{fill}>{escape(words)}</text>'


PARTS = (
    Part(1, "Data", (10, 40, 160, 212), ("picture 3 × H × W", "caption: L word ids"), _person(90, 84)
         + _text(90, 168, "“a woman in", "middle") + _text(90, 184, "a red coat”", "middle"),
         "a folder of pictures, and an annotation with captions and person ids",
         "a batch of B pairs: P people with K pairs each"),
    Part(2, "Two towers", (208, 40, 160, 212), ("features B × D", "tokens B × M × D", "and B × L × D"),
         _tower(228, 74, "image tower") + _tower(228, 134, "text tower"),
         "pictures B × 3 × H × W, word ids B × L",
         "one feature per picture and caption, B × D; one per patch and word, B × M × D and B × L × D"),
    Part(3, "Uncertainty", (406, 40, 160, 212), ("mean, variance B × D", "samples S × B × D"),
         _cloud(486, 106, -20) + _cloud(486, 166, 15),
         "features B × D and the person of each", "a variance B × D, and S samples of every feature, S × B × D"),
    Part(4, "Circle loss", (604, 40, 160, 212), ("similarities B × B",), _matrix(625, 84),
         "samples of pictures and of captions, B × D each, and the person of each",
         "one number: the alignment loss"),
    Part(5, "Masked modelling", (208, 280, 556, 84), ("hidden words: N × V scores; recovered token: B × D",),
         _text(226, 326, "“a woman in a") + f'<rect x="313" y="313" width="38" height="17" rx="3" fill="{INK}"/>'
         + _text(356, 326, "coat”") + _text(410, 326, "→  words look at patches  →  “red”"),
         "tokens of a masked caption B × L × D, tokens of its picture B × M × D",
         "N × V scores of the N hidden words; a recovered token B × D; two losses"),
    Part(6, "Training", (802, 152, 188, 100), ("circle + words + recovery", "one step of Adam"), "",
         "the losses of one batch", "new weights of the towers and of the heads, after every batch"),
    Part(7, "Search and figures", (802, 40, 188, 90), ("cosines Q × N", "ranks, R@k, mAP"), "",
         "features of Q captions and N pictures, without noise", "a ranking for each caption; R@k, mAP, mINP"),
    Part(8, "Look at the space", (802, 280, 188, 84), ("maps and clouds of people", "what the variance follows"), "",
         "features of a trained model, and who they show", "maps, overlaps of clouds, correlations"),
)  # fmt: skip

ARROWS = (
    "M170 105 H204", "M170 176 H204", "M368 105 H402", "M368 176 H402", "M566 146 H600", "M764 190 H798",
    "M288 252 V276", "M764 322 H783 V230 H798", "M896 252 V276",
)  # fmt: skip
PLAIN_ROUTE = "M288 40 V18 H896 V36"


def _card(part: Part, lit: bool) -> str:
    x, y, width, height = part.box
    fill, ink = (LIT, "#ffffff") if lit else (PALE, INK)
    body = f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="9" fill="{fill}"/>'
    title = f'<text x="{x + 12}" y="{y + 24}" font-size="16" font-weight="700">{part.number}  {part.title}</text>'
    low = y + height - 12 - 17 * (len(part.lines) - 1)
    lines = "".join(_text(x + 12, low + 17 * at, line) for at, line in enumerate(part.lines))
    drawing = part.drawing.replace(INK, ink) if lit and part.number == 5 else part.drawing
    return f'<g fill="{ink}">{body}{title}{lines}{drawing}</g>'


def alt(number: int = 0) -> str:
    """What the drawing says, in words; `number` is the part that is lit, 0 for none.

    >>> alt(4).startswith("The whole method with part 4, Circle loss, lit.")
    True
    """
    if not number:
        return (
            "The whole method: 1 data give pictures and captions; 2 two towers turn them into features; "
            "3 features become Gaussians that are sampled; 4 the circle loss compares the samples; 5 masked modelling "
            "fills in hidden words with the picture's help; 6 training adds the losses; 7 search compares features "
            "without noise; 8 the trained space is looked at"
        )
    part = PARTS[number - 1]
    return f"The whole method with part {number}, {part.title}, lit. In: {part.takes}. Out: {part.gives}."


def draw(number: int = 0) -> str:
    """The drawing as SVG; part `number` is lit, and a line under it says what goes in and out."""
    height = HEIGHT + (FOOT if number else 0)
    head = '<marker id="a" viewBox="0 0 8 8" refX="4" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    head = f'<defs>{head}<path d="M0 0L8 4L0 8z" fill="{ARROW}"/></marker></defs>'
    paths = "".join(f'<path d="{path}"/>' for path in ARROWS) + f'<path d="{PLAIN_ROUTE}" stroke-dasharray="6 5"/>'
    lines = f'<g fill="none" stroke="{ARROW}" stroke-width="2.5" marker-end="url(#a)">{paths}</g>'
    label = f'<g fill="{INK}"><rect x="470" y="6" width="232" height="24" rx="12" fill="{PALE}"/>'
    label += _text(586, 23, "to search: features without noise", "middle") + "</g>"
    cards = "".join(_card(part, part.number == number) for part in PARTS)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'font-family="Helvetica, Arial, sans-serif" role="img"><title>{escape(alt(number))}</title>'
        f"{head}{lines}{label}{cards}{_foot(number) if number else ''}</svg>\n"
    )


def _foot(number: int) -> str:
    part = PARTS[number - 1]
    box = f'<rect x="10" y="{HEIGHT + 4}" width="980" height="54" rx="9" fill="{LIT}"/>'
    words = (("In", part.takes), ("Out", part.gives))
    rows = "".join(
        f'<text x="26" y="{HEIGHT + 26 + 21 * at}" font-size="15"><tspan font-weight="700">{name}</tspan>'
        f'<tspan x="70">{escape(value)}</tspan></text>'
        for at, (name, value) in enumerate(words)
    )
    return f'<g fill="#ffffff">{box}{rows}</g>'


def main() -> None:
    """Write every drawing."""
    for number in range(len(PARTS) + 1):
        name = f"method_{number:02}.svg" if number else "method.svg"
        (IMAGES / name).write_text(draw(number), encoding="utf-8")


if __name__ == "__main__":
    main()
