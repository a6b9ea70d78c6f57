"""Notebook 09 in a real browser: JupyterLab, Chromium, and the demo used as a person would."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.lab import chromium, jupyterlab, marks, run_all, settle
from tireid.runner.parameters import load_profile
from tireid.runner.refresh import workspace

playwright = pytest.importorskip("playwright.sync_api", reason="browser tests need playwright (extra `dev`)")
NOTEBOOK = Path(__file__).parents[2] / "notebooks/09_retrieval_demo.ipynb"
SHOTS = os.environ.get("TIREID_SCREENSHOTS")
"""A folder to keep screenshots in."""
SECONDS = 1000
CONTROLS = (
    "Description",
    "Or a caption",
    "Find",
    "Results, k",
    "Only people",
    "Right person",
    "Search in",
    "Cite view",
)
pytestmark = marks(900)


class Seen:
    """The page with the demo, and what its console said."""

    def __init__(self, page: Any) -> None:
        self.page, self.errors = page, []
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("requestfailed", lambda request: self.errors.append(f"{request.url} {request.failure}"))

    @property
    def demo(self) -> Any:
        return self.page.locator(".tireid-root").first

    def alts(self) -> list[str]:
        """Alternative texts of the ranked pictures."""
        return list(self.demo.locator(".tireid-grids figure img").evaluate_all("all => all.map(img => img.alt)"))

    def names(self) -> list[str]:
        """Of the ranked pictures, whether or not these are decoded yet."""
        return list(self.demo.locator(".tireid-grids figure").evaluate_all("all => all.map(card => card.title)"))

    def button(self, name: str) -> Any:
        return self.demo.get_by_role("button", name=name, exact=True)

    def settled(self) -> None:
        settle(self.page)

    def until(self, script: str, argument: Any = None) -> None:
        self.page.wait_for_function(script, arg=argument, timeout=120 * SECONDS)

    def shoot(self, name: str) -> None:
        if SHOTS:
            Path(SHOTS).mkdir(parents=True, exist_ok=True)
            self.demo.screenshot(path=Path(SHOTS) / f"{name}.png")


@pytest.fixture(scope="module", params=["JupyterLab Light", "JupyterLab Dark"])
def seen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """The notebook with the CI profile, executed in JupyterLab."""
    folder = tmp_path_factory.mktemp("lab")
    copy = workspace(NOTEBOOK, load_profile("ci", NOTEBOOK), folder)
    settings = {
        "notebook-extension/tracker": {"windowingMode": "none"},
        "apputils-extension/themes": {"theme": request.param},
    }
    with jupyterlab(copy.parent, folder, settings) as lab, playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 2600})
        found = Seen(page)
        page.goto(lab.address(copy.name))
        page.locator(".jp-Notebook .jp-Cell").first.wait_for(timeout=120 * SECONDS)
        page.get_by_role("tab", name="File Browser").or_(page.locator("[data-id=filebrowser]")).first.click()
        run_all(page)
        page.locator(".tireid-root").first.wait_for(timeout=300 * SECONDS)
        page.get_by_text("| Idle").wait_for(timeout=300 * SECONDS)
        yield found
        browser.close()


def test_every_cell_ran(seen: Seen) -> None:
    assert seen.page.locator("[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
    assert seen.page.locator("[data-mime-type='application/vnd.jupyter.error']").count() == 0


def test_typing_shows_pictures(seen: Seen) -> None:
    before = seen.names()
    text = seen.demo.get_by_label("Description")
    text.fill("")
    text.press_sequentially("a man in a yellow shirt and blue jeans", delay=15)
    _until_names_differ(seen, before)
    seen.settled()
    seen.until(
        "() => document.querySelector('.tireid-root span[role=status]').innerText.startsWith('10 of')"
        " && document.querySelector('.tireid-root').querySelectorAll('.tireid-grids img').length == 10"
    )
    assert [alt.split(",")[0] for alt in seen.alts()] == [f"rank {rank}" for rank in range(1, 11)]
    assert all(re.search(r"score \d\.\d{3}, person \d+", alt) for alt in seen.alts())
    _nothing_is_cut_off(seen)
    seen.shoot(_named(seen, "typed"))


def test_a_word_switched_off_changes_the_order(seen: Seen) -> None:
    seen.button("Why").click()
    seen.settled()
    before = seen.names()
    word = seen.demo.locator(".tireid-word").get_by_text("yellow", exact=True)
    word.wait_for(timeout=120 * SECONDS)
    assert _pressed(word)
    word.click()
    _until_names_differ(seen, before)
    assert not _pressed(word)
    seen.demo.get_by_role("status").get_by_text("1 word left out").wait_for(timeout=120 * SECONDS)
    word.click()
    seen.until(
        "names => names.every((name, i) => document.querySelectorAll('.tireid-grids figure')[i]?.title == name)",
        before[:3],
    )


def test_a_click_looks_closer_and_the_keyboard_does_too(seen: Seen) -> None:
    seen.settled()
    name = seen.names()[1]
    seen.button("Open result 2").click()
    seen.demo.get_by_text(f"Captions nearest to {name}").wait_for(timeout=120 * SECONDS)
    seen.demo.locator(f".closer img[alt^='Regions of {name}']").wait_for(timeout=120 * SECONDS)
    _nothing_is_cut_off(seen)
    seen.shoot(_named(seen, "why"))
    seen.settled()
    third = seen.names()[2]
    seen.button("Open result 3").press("Enter")
    seen.demo.get_by_text(f"Captions nearest to {third}").wait_for(timeout=120 * SECONDS)


def test_a_suggestion_adds_its_words(seen: Seen) -> None:
    seen.button("How sure").click()
    seen.demo.get_by_label("Description").fill("a woman")  # a description that leaves much open is asked about
    seen.settled()
    suggestion = seen.demo.get_by_role("button", name=re.compile(r"^\+ ")).first
    suggestion.wait_for(timeout=120 * SECONDS)
    _nothing_is_cut_off(seen)
    seen.shoot(_named(seen, "sure"))
    text = seen.demo.get_by_label("Description")
    before = text.input_value()
    suggestion.click()
    seen.until("before => document.querySelector('.tireid-root input[type=text]').value.length > before.length", before)
    assert text.input_value().startswith(before.rstrip("."))


def test_a_field_shows_more_results(seen: Seen) -> None:
    seen.button("Filters").click()
    seen.demo.get_by_label("Results, k").fill("12")
    seen.demo.get_by_label("Results, k").press("Enter")
    seen.until("() => document.querySelector('.tireid-root').querySelectorAll('.tireid-open').length == 12")
    seen.demo.get_by_role("status").get_by_text(re.compile("^12 of")).wait_for(timeout=120 * SECONDS)
    seen.demo.get_by_label("Results, k").fill("10")
    seen.demo.get_by_label("Results, k").press("Enter")
    seen.demo.get_by_role("status").get_by_text(re.compile("^10 of")).wait_for(timeout=120 * SECONDS)


def test_the_map_follows_and_shows_a_region(seen: Seen) -> None:
    seen.button("Map").click()
    seen.demo.get_by_text(re.compile("^PCA ")).first.wait_for(timeout=120 * SECONDS)
    seen.settled()
    star = seen.demo.locator(".tireid-map g path").first
    at = star.get_attribute("d")
    seen.demo.get_by_label("Description").fill("a woman with a green bag")
    seen.until("at => document.querySelector('.tireid-map g path').getAttribute('d') != at", at)
    seen.settled()
    touch_the_map(seen)
    _nothing_is_cut_off(seen)
    seen.shoot(_named(seen, "map"))


def touch_the_map(seen: Seen) -> None:
    """The arrow keys show a picture, a drag surrounds several."""
    plot = seen.demo.locator(".tireid-map")
    seen.page.mouse.move(2, 2)  # a pointer over the map would point at another picture
    plot.focus()
    seen.page.keyboard.press("ArrowRight")
    shown = plot.get_by_role("status")
    shown.wait_for(timeout=120 * SECONDS)
    assert re.search(r"\.(jpg|png)$", shown.inner_text())
    seen.until("() => document.querySelector('.tireid-map [role=status] img').naturalWidth > 0")
    plot.scroll_into_view_if_needed()
    box = plot.locator("svg").bounding_box()
    corners = [(0.3, 0.3), (0.7, 0.3), (0.7, 0.7), (0.3, 0.7)]
    for number, (across, down) in enumerate(corners):
        seen.page.mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"], steps=4)
        if number == 0:
            seen.page.mouse.down()
    seen.page.mouse.up()
    seen.demo.get_by_text(re.compile(r"[1-9]\d* pictures? in the region")).first.wait_for(timeout=120 * SECONDS)


def test_failures_have_pictures_and_are_searched_with(seen: Seen) -> None:
    seen.button("Failures").click()
    failure = seen.demo.locator(".failure").first
    failure.wait_for(timeout=120 * SECONDS)
    seen.shoot(_named(seen, "failures"))
    assert failure.locator("img").count() == 2
    seen.demo.get_by_role("button", name="Search with caption").first.click()
    said = failure.locator("p").first.inner_text().strip('"')
    seen.until("said => document.querySelector('.tireid-root input[type=text]').value == said", said)


def test_tab_alone_reaches_every_control(seen: Seen) -> None:
    reached = []
    for section in ("Filters", "Cite"):
        seen.button(section).click()
        seen.settled()
        seen.demo.get_by_label("Description").focus()
        for _ in range(70):
            reached.append(
                seen.page.evaluate(
                    "() => { const e = document.activeElement; return e.getAttribute('aria-label') || "
                    "(e.labels && e.labels[0] ? e.labels[0].innerText : '') || e.innerText || e.className }"
                )
            )
            seen.page.keyboard.press("Tab")
    reached_text = "|".join(str(name) for name in reached)
    others = ["Upload pictures to search in", "Photograph", "Failures", "Open result 1", "More like this", "Keep"]
    others += ["Compare two models", "Add", "Recent", "Basket"]
    for name in [*CONTROLS, *others]:
        assert name in reached_text, (name, reached)


def test_the_accessibility_tree_names_everything(seen: Seen) -> None:
    tree = ""
    for section in ("Filters", "Cite"):
        if not _pressed(seen.button(section)):
            seen.button(section).click()
        seen.settled()
        tree += seen.demo.aria_snapshot()
    roles = {
        "textbox": [CONTROLS[0], *CONTROLS[4:6], CONTROLS[7]],
        "combobox": [*CONTROLS[1:3], "Add", "Recent"],
        "spinbutton": CONTROLS[3:4],
    }
    for role, names in (roles | {"checkbox": ["Compare two models"]}).items():
        for name in names:
            assert f'{role} "{name}"' in tree
    assert 'button "Open result 1"' in tree
    assert 'img "rank 1, score' in tree
    assert not re.search(r"- (button|checkbox|combobox|textbox|slider|spinbutton)(:| \[|$)", tree, re.MULTILINE), tree


def test_narrow_pages_wrap(seen: Seen) -> None:
    seen.page.set_viewport_size({"width": 800, "height": 2600})
    for panel in ("Why", "How sure", "Map", "Filters"):
        seen.button(panel).click()
        _nothing_is_cut_off(seen)
        seen.shoot(_named(seen, f"800_{panel.lower().replace(' ', '_')}"))


def test_the_console_has_no_errors(seen: Seen) -> None:
    assert seen.errors == []


def _until_names_differ(seen: Seen, before: list[str]) -> None:
    seen.until(
        "before => { const demo = document.querySelector('.tireid-root');"
        " const now = [...demo.querySelectorAll('.tireid-grids figure')].map(card => card.title);"
        " return now.length > 2 && now.some((name, i) => name != before[i]) }",
        before,
    )


def _pressed(word: Any) -> bool:
    return "mod-active" in str(word.get_attribute("class"))


def _named(seen: Seen, name: str) -> str:
    dark = seen.page.evaluate("() => document.body.dataset.jpThemeLight == 'false'")
    return f"{'dark' if dark else 'light'}_{name}"


def _nothing_is_cut_off(seen: Seen) -> None:
    """No control or card reaches over the demo's right edge, and no button's words over the button's."""
    seen.settled()
    cut = seen.demo.evaluate(
        """root => { const right = root.getBoundingClientRect().right + 1;
        const shown = [...root.querySelectorAll('input, select, textarea, button, figure, label')]
            .filter(e => e.offsetParent && !e.closest('table'));
        const words = e => `${e.tagName} ${e.innerText || e.className} ${Math.round(e.getBoundingClientRect().right)}`;
        return [...shown.filter(e => e.getBoundingClientRect().right > right),
            ...shown.filter(e => e.matches('button:not(.tireid-open), label') && e.scrollWidth > e.clientWidth + 1)]
            .map(words) }"""
    )
    assert cut == []
