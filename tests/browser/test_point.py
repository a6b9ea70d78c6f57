"""The point on the plane of notebook 04 in JupyterLab: the mouse and the arrow keys move it, and the numbers follow."""

from __future__ import annotations

import ast
import io
import os
import re
from itertools import takewhile
from math import exp, log
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.browser.lab import executed, marks, run_all
from tireid.runner.notebook import read_notebook

pytest.importorskip("playwright.sync_api", reason="browser tests need playwright (extra `dev`)")
pytestmark = marks(600)
NOTEBOOK = Path(__file__).parents[2] / "notebooks/04_circle_loss.ipynb"
MARGIN, GAMMA, NEGATIVES = 0.25, 8.0, 62
SHOTS = os.environ.get("TIREID_SHOTS")


def cell() -> str:
    """What draws the plane in the notebook, with the few names that it takes from earlier cells."""
    sources = {cell.id: cell.source for cell in read_notebook(NOTEBOOK).cells}
    definitions = [node for node in ast.parse(sources["pace-table"]).body if isinstance(node, ast.FunctionDef)]
    given = f"margin = {MARGIN}\nradius = math.sqrt(2) * margin"
    return "\n".join([sources["cell-01"], given, *map(ast.unparse, definitions), sources["pace-plane"]])


def expected(s_p: float, s_n: float, gamma: float = GAMMA) -> dict[str, float]:
    """The numbers under the figure from the equations, in plain floats; the gradient from differences of the loss."""
    a_p, a_n = max(0.0, 1 + MARGIN - s_p), max(0.0, s_n + MARGIN)

    def exponential(p: float, n: float) -> float:
        return NEGATIVES * exp(gamma * a_n * (n - MARGIN)) * exp(-gamma * a_p * (p - (1 - MARGIN)))

    def loss(p: float, n: float) -> float:
        return log(1 + exponential(p, n))

    h, e = 1e-5, exponential(s_p, s_n)
    return {
        "sigma(Z)": e / (1 + e),
        "a_p": a_p,
        "a_n": a_n,
        "loss": loss(s_p, s_n),
        "gradient by s_p": (loss(s_p + h, s_n) - loss(s_p - h, s_n)) / (2 * h),
        "gradient by s_n": (loss(s_p, s_n + h) - loss(s_p, s_n - h)) / (2 * h),
    }


class Plane:
    """The figure on the page, and what its page complained of or asked elsewhere for while the cell ran again."""

    def __init__(self, page: Any) -> None:
        self.page, self.errors, self.elsewhere = page, [], []
        self.picture = page.locator(".tireid-point img")
        self.handle = page.get_by_role("slider", name="s_p and s_n")
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self.elsewhere.append(request.url) if _is_elsewhere(request.url) else None)
        run_all(page)
        self.handle.wait_for(timeout=120_000)
        self.page.wait_for_function("() => document.querySelector('.tireid-point img').naturalWidth > 0")

    def point(self) -> tuple[float, float]:
        """The values of the point, as a screen reader is told them."""
        s_p, s_n = self.handle.get_attribute("aria-valuetext").removeprefix("s_p ").split(", s_n ")
        return float(s_p), float(s_n)

    def centre(self) -> tuple[float, float]:
        box = self.handle.bounding_box()
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def place(self, s_p: float, s_n: float) -> tuple[float, float]:
        """Where the page shows it: the plane is the first yellow area of the picture, 0 to 1 both ways."""
        seen = Image.open(io.BytesIO(self.picture.screenshot())).convert("RGB")

        def yellow(x: int, y: int) -> bool:
            red, green, blue = seen.getpixel((x, y))  # type: ignore[misc]
            return red > 200 and green > 190 and blue < 110

        left = next(x for x in range(seen.width) if yellow(x, seen.height // 2))
        width = len(list(takewhile(lambda x: yellow(x, seen.height // 2), range(left, seen.width))))
        rows = [y for y in range(seen.height) if yellow(left + 3, y)]
        box = self.picture.bounding_box()
        return box["x"] + left + s_p * width, box["y"] + rows[0] + (1 - s_n) * len(rows)

    def follows(self, s_p: float, s_n: float, gamma: float = GAMMA) -> None:
        """Point, sliders and numbers are those of this place, as soon as the kernel has answered."""
        line = ", ".join(f"{name} {value:.3f}" for name, value in expected(s_p, s_n, gamma).items())
        self.page.get_by_text(line, exact=True).wait_for(timeout=60_000)
        assert self.point() == pytest.approx((s_p, s_n))
        for name, value in (("s_p", s_p), ("s_n", s_n)):
            assert float(self.slider(name).locator(".widget-readout").inner_text()) == pytest.approx(value)

    def slider(self, name: str) -> Any:
        label = self.page.locator("label", has_text=name).filter(has_text=re.compile(f"^{name}$"))
        return self.page.locator(".widget-slider", has=label)


def _is_elsewhere(url: str) -> bool:
    return not url.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "blob:", "data:"))


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_the_mouse_and_the_keys_move_the_point(theme: str, tmp_path: Path) -> None:
    themes = {"apputils-extension/themes": {"theme": theme}}
    with executed(cell(), tmp_path, themes, viewport={"width": 1280, "height": 2400}) as page:
        plane = Plane(page)
        plane.follows(0.9, 0.1)
        assert plane.centre() == pytest.approx(plane.place(0.9, 0.1), abs=2.5)
        the_mouse_drags_and_clicks(plane)
        the_keys_move_it(plane)
        axe = pytest.importorskip(
            "axe_playwright_python.sync_playwright", reason="axe comes with the extra `dev`"
        ).Axe()
        assert axe.run(page, context=".tireid-point").response["violations"] == []
        assert plane.errors == []
        assert plane.elsewhere == []
        if SHOTS:
            page.screenshot(path=Path(SHOTS) / f"point_{theme.replace(' ', '_').lower()}.png")


def the_mouse_drags_and_clicks(plane: Plane) -> None:
    mouse, places = plane.page.mouse, ((0.3, 0.6), (0.75, 0.25), (1.3, 0.5), (1.4, -0.3))
    goal, other, beside, off = (plane.place(*place) for place in places)  # an arrow may cross the plane later
    mouse.move(*plane.centre())
    mouse.down()
    mouse.move(*goal, steps=12)
    assert plane.point() == pytest.approx((0.3, 0.6), abs=0.015)  # before the kernel has drawn it
    mouse.up()
    plane.follows(*plane.point())
    mouse.move(*other)  # nothing is held any more
    assert plane.point() == pytest.approx((0.3, 0.6), abs=0.015)
    mouse.click(*other)
    assert plane.point() == pytest.approx((0.75, 0.25), abs=0.015)
    plane.follows(*plane.point())
    mouse.click(*beside)  # not on the plane
    assert plane.point() == pytest.approx((0.75, 0.25), abs=0.015)
    mouse.move(*plane.centre())
    mouse.down()
    mouse.move(*off, steps=5)  # it stays on the plane
    mouse.up()
    plane.follows(1.0, 0.0)


def the_keys_move_it(plane: Plane) -> None:
    before = plane.page.evaluate("() => document.querySelector('.jp-WindowedPanel-outer').scrollTop")
    plane.handle.focus()
    for key in ("ArrowLeft", "ArrowLeft", "ArrowLeft", "ArrowUp", "Shift+ArrowUp", "ArrowDown", "ArrowRight"):
        plane.page.keyboard.press(key)
    plane.follows(0.98, 0.1)
    assert plane.page.evaluate("() => document.activeElement.getAttribute('role')") == "slider"
    assert plane.page.evaluate("() => document.querySelector('.jp-WindowedPanel-outer').scrollTop") == before
    handle = plane.slider("s_p").get_by_role("slider")
    handle.focus()
    plane.page.keyboard.press("ArrowLeft")
    plane.follows(0.97, 0.1)
    plane.slider("gamma").get_by_role("slider").focus()
    plane.page.keyboard.press("ArrowRight")
    plane.follows(0.97, 0.1, gamma=GAMMA + 2)
