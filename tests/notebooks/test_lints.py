"""Each lint passes a good notebook and is seen to fail on a bad one, made from the good one by a single change."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from nbformat import NotebookNode, v4

from tests.notebooks import lints

PNG = "iVBORw0KGgo="


def good_notebook() -> NotebookNode:
    def code(source: str, *outputs: NotebookNode, count: int, **metadata: object) -> NotebookNode:
        return v4.new_code_cell(source, outputs=list(outputs), execution_count=count, metadata=metadata)

    printed = v4.new_output("stream", name="stdout", text="5 epochs\n")
    table = v4.new_output("display_data", data={"text/html": '<img alt="a" src="data:image/png;base64,/tmp/">'})
    picture = v4.new_output("display_data", data={"image/png": PNG, "text/plain": "<Figure size 640x480 with 1 Axes>"})
    picture.metadata["image/png"] = {"alt": "A line that rises"}
    cells = [
        v4.new_markdown_cell("# Title\n\n```python\n# not a title\n```\nSee [data](data.txt#x), https://a.org/home/x"),
        code("epochs: int = 5  # passes", count=1, tags=["parameters"]),
        code('print(f"{epochs} epochs")', printed, count=2),
        code("table", table, count=3),
        code("%matplotlib inline\ntable.value", printed, count=4),
        code("figure", picture, count=5),
        code("assert table", printed, count=6, jupyter={"source_hidden": True}, tags=["hide-input"]),
    ]
    return v4.new_notebook(cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})


def check(lint: lints.Lint, nb: NotebookNode, folder: Path) -> list[str]:
    (folder / "data.txt").touch()
    (folder / "profiles").mkdir(exist_ok=True)
    if not (folder / "profiles/ci.yaml").exists():
        (folder / "profiles/ci.yaml").write_text("good: {epochs: 1}\n")
    (folder / "good.ipynb").write_text(json.dumps(nb))  # not nbformat, which repairs what it writes
    return lint(nb, folder / "good.ipynb")


@pytest.mark.parametrize("lint", lints.LINTS, ids=lambda lint: lint.__name__)
def test_a_good_notebook_passes(lint: lints.Lint, tmp_path: Path) -> None:
    assert check(lint, good_notebook(), tmp_path) == []


def set_kernel(nb: NotebookNode) -> None:
    nb.metadata.kernelspec.name = "my-env"


def enlarge(nb: NotebookNode) -> None:
    nb.cells[0].source += "x" * 500_000


def second_title(nb: NotebookNode) -> None:
    nb.cells.append(v4.new_markdown_cell("Another\n======="))


def no_title(nb: NotebookNode) -> None:
    nb.cells[0].source = "## Only a section"


def second_parameters(nb: NotebookNode) -> None:
    nb.cells[2].metadata["tags"] = ["parameters"]


def computed_default(nb: NotebookNode) -> None:
    nb.cells[1].source = "epochs: int = 5 * 2"


def parameter_only_assigned(nb: NotebookNode) -> None:
    nb.cells[2].source = "epochs = 3"


def mistyped_profile(nb: NotebookNode) -> None:
    nb.cells[1].source = "epochs: bool = True"


def no_count(nb: NotebookNode) -> None:
    nb.cells[3].execution_count = None


def ignored_output(nb: NotebookNode) -> None:
    nb.cells[2].metadata["tags"] = ["nbval-ignore-output"]


def ignored_by_comment(nb: NotebookNode) -> None:
    nb.cells[2].source = "# NBVAL_IGNORE_OUTPUT\n" + nb.cells[2].source


def empty_output(nb: NotebookNode) -> None:
    nb.cells[2].outputs[0].text = "\n"


def address_output(nb: NotebookNode) -> None:
    nb.cells[3].outputs[0].data = {"text/plain": "<tireid.x.Y at 0x7f00aa>"}


def stored_error(nb: NotebookNode) -> None:
    nb.cells[2].outputs.append(v4.new_output("error", ename="ValueError", evalue="", traceback=[]))


def path_in_source(nb: NotebookNode) -> None:
    nb.cells[2].source = "root = '/home/me/data'"


def path_in_output(nb: NotebookNode) -> None:
    nb.cells[2].outputs[0].text = "wrote /tmp/abc/x.png"


def windows_path(nb: NotebookNode) -> None:
    nb.cells[2].source = r"root = 'C:\Users\me'"


def path_in_html(nb: NotebookNode) -> None:
    nb.cells[3].outputs[0].data["text/html"] = "<b title='/root/x'>x</b>"


def no_alt(nb: NotebookNode) -> None:
    del nb.cells[5].outputs[0].metadata["image/png"]


def no_alt_in_html(nb: NotebookNode) -> None:
    nb.cells[3].outputs[0].data["text/html"] = "<img alt='' src='data:,'>"


def no_alt_in_prose(nb: NotebookNode) -> None:
    nb.cells[0].source += "\n![](data.txt)"


def long_cell(nb: NotebookNode) -> None:
    nb.cells[2].source = "epochs\n" * 41


def many_cells(nb: NotebookNode) -> None:
    nb.cells += [v4.new_code_cell("1", execution_count=1) for _ in range(25)]


def open_check(nb: NotebookNode) -> None:
    nb.cells[2].source += "\nif epochs:\n    assert table"


def check_folded_in_lab_alone(nb: NotebookNode) -> None:
    nb.cells[6].metadata["tags"] = []


def check_folded_on_the_site_alone(nb: NotebookNode) -> None:
    del nb.cells[6].metadata["jupyter"]


def broken_link(nb: NotebookNode) -> None:
    nb.cells[0].source += "[next](01_next.ipynb)"


def no_id(nb: NotebookNode) -> None:
    nb.nbformat_minor = 4
    for cell in nb.cells:
        del cell["id"]


def repeated_id(nb: NotebookNode) -> None:
    nb.cells[1].id = nb.cells[0].id


def papermill_metadata(nb: NotebookNode) -> None:
    nb.metadata["papermill"] = {"duration": 1}


def timing_metadata(nb: NotebookNode) -> None:
    nb.cells[2].metadata["execution"] = {"iopub.status.busy": "2026"}


def widget_state(nb: NotebookNode) -> None:
    nb.metadata["widgets"] = {}


def widget_reference(nb: NotebookNode) -> None:
    nb.cells[3].outputs[0].data["application/vnd.jupyter.widget-view+json"] = {"model_id": "a"}


BAD: list[tuple[lints.Lint, Callable[[NotebookNode], None]]] = [
    (lints.kernelspec, set_kernel),
    (lints.size, enlarge),
    (lints.one_title, second_title),
    (lints.one_title, no_title),
    (lints.parameters, second_parameters),
    (lints.parameters, computed_default),
    (lints.parameters_are_read, parameter_only_assigned),
    (lints.profile, mistyped_profile),
    (lints.counts, no_count),
    (lints.compared, ignored_output),
    (lints.compared, ignored_by_comment),
    (lints.compared, empty_output),
    (lints.compared, address_output),
    (lints.no_errors, stored_error),
    (lints.no_absolute_paths, path_in_source),
    (lints.no_absolute_paths, path_in_output),
    (lints.no_absolute_paths, windows_path),
    (lints.no_absolute_paths, path_in_html),
    (lints.alt_text, no_alt),
    (lints.alt_text, no_alt_in_html),
    (lints.alt_text, no_alt_in_prose),
    (lints.code_size, long_cell),
    (lints.code_size, many_cells),
    (lints.folded_checks, open_check),
    (lints.folded_checks, check_folded_in_lab_alone),
    (lints.folded_checks, check_folded_on_the_site_alone),
    (lints.links, broken_link),
    (lints.ids, no_id),
    (lints.ids, repeated_id),
    (lints.cleaned, papermill_metadata),
    (lints.cleaned, timing_metadata),
    (lints.cleaned, widget_state),
    (lints.cleaned, widget_reference),
]


@pytest.mark.parametrize(("lint", "spoil"), BAD, ids=lambda function: function.__name__)
def test_a_bad_notebook_fails(lint: lints.Lint, spoil: Callable[[NotebookNode], None], tmp_path: Path) -> None:
    nb = good_notebook()
    spoil(nb)
    assert len(check(lint, nb, tmp_path)) > 0


def test_every_lint_is_seen_to_fail() -> None:
    assert {lint for lint, _ in BAD} == set(lints.LINTS)
