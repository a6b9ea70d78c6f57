"""Markdown read back by a Markdown parser, LaTeX against pandas' own, with text that tries to be markup."""

from __future__ import annotations

import pandas as pd
import pytest
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st
from nbconvert.filters.markdown_mistune import markdown2html_mistune

from tireid.studies.typesetting import to_latex, to_markdown

NASTY = r"a_b & 50% <b>*x*</b> | $y$ # `z` [u](v) ![w](q) ~s~ \ {c} ^ ± × →"


def table(*cells: str) -> pd.DataFrame:
    return pd.DataFrame({"R@1": list(cells)}, index=pd.Index([f"{NASTY} {i}" for i in range(len(cells))], name="arm"))


def read_back(markdown: str) -> list[list[str]]:
    page = BeautifulSoup(markdown2html_mistune(markdown), "html.parser")
    assert not page.select("td *, th *")  # no markup inside a cell
    return [[cell.get_text() for cell in row.select("th, td")] for row in page.select("tr")]


def test_markdown_shows_the_text_itself() -> None:
    found = read_back(to_markdown(table(NASTY, "two\nlines")))
    assert found == [["arm", "R@1"], [f"{NASTY} 0", NASTY], [f"{NASTY} 1", "two lines"]]


@given(st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Z")), min_size=1))
def test_any_text_survives_markdown(text: str) -> None:
    shown = " ".join(text.split())
    if shown:
        assert read_back(to_markdown(table(shown)))[1][1] == shown


@pytest.mark.parametrize("text", ["a_b", "50%", "#1 & $2", r"\alpha{x}", "~^", "plain"])
def test_latex_escapes_as_pandas_does(text: str) -> None:
    line = to_latex(pd.DataFrame({"x": [text]}, index=["k"])).splitlines()[4]
    styled = pd.DataFrame({"x": [text]}, index=["k"]).style.format(escape="latex").to_latex(hrules=True)
    peer = next(row for row in styled.splitlines() if row.startswith("k"))
    assert line.replace("{}", " ").split() == peer.replace("{}", " ").replace(r"\space", "").split()


def test_latex_of_a_whole_table() -> None:
    found = to_latex(table("50 ± 1", "[2]"), "50% of _all_", "tab:all").splitlines()
    assert found[:7] == [
        r"\begin{table}",
        r"\centering",
        r"\caption{50\% of \_all\_}",
        r"\label{tab:all}",
        r"\begin{tabular}{lr}",
        r"\toprule",
        r"arm & R@1 \\",
    ]
    assert found[8].endswith(r" 0 & 50 $\pm$ 1 \\")
    assert found[9].endswith(r" 1 & {[}2{]} \\")  # after \\ a bare [ would be a length
    assert found[10:] == [r"\bottomrule", r"\end{tabular}", r"\end{table}"]
