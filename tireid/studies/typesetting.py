"""Tables of text for a paper or a page: Markdown and LaTeX, escaped."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import pandas as pd

from tireid.basics.terminal import one_line

MARKDOWN_SPECIAL = re.compile(r"[\\`*_\[\]<>|~$&#!]")
LATEX_SPECIAL = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "&": r"\&", "%": r"\%",
    "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}", "[": "{[}", "]": "{]}", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}", "±": r"$\pm$", "×": r"$\times$", "→": r"$\rightarrow$",
    "−": "$-$", "∞": r"$\infty$",
}  # fmt: skip


def number(value: float, digits: int, sign: str = "") -> str:
    """With a minus of its own width; a dash for what is not known, an infinity as such."""
    if math.isnan(value):
        return "-"
    text = f"{value:{sign},.{digits}f}" if math.isfinite(value) else f"{value:{sign}}".replace("inf", "∞")
    return text.replace("-", "−")


def escape_markdown(cell: object) -> str:
    """Text on one line that no reader of Markdown or HTML takes for markup.

    >>> escape_markdown("a*b <i>")
    'a&#42;b &#60;i&#62;'
    """
    return MARKDOWN_SPECIAL.sub(lambda hit: f"&#{ord(hit[0])};", one_line(cell))


def to_markdown(table: pd.DataFrame) -> str:
    """A table of text as a pipe table; whatever Markdown or HTML would take for markup becomes a character entity.

    >>> print(to_markdown(pd.DataFrame({"R@1": ["50.0"]}, index=pd.Index(["a|b"], name="arm"))))
    | arm | R@1 |
    | :-- | --: |
    | a&#124;b | 50.0 |
    """

    def line(cells: Sequence[object]) -> str:
        return f"| {' | '.join(map(escape_markdown, cells))} |"

    rule = f"| :-- |{' --: |' * table.shape[1]}"
    return "\n".join([line(_header(table)), rule, *map(line, _rows(table))])


def to_latex(table: pd.DataFrame, caption: str = "", name: str = "") -> str:
    r"""A table of text with the rules of the package booktabs; `caption` and `name` (for `\ref`) make it float.

    >>> print(to_latex(pd.DataFrame({"R@1": ["50%"]}, index=pd.Index(["a_b"], name="arm"))))
    \begin{tabular}{lr}
    \toprule
    arm & R@1 \\
    \midrule
    a\_b & 50\% \\
    \bottomrule
    \end{tabular}
    """

    def line(cells: Sequence[object]) -> str:
        return rf"{' & '.join(map(_latex, cells))} \\"

    rows = [line(_header(table)), r"\midrule", *map(line, _rows(table))]
    columns = "l" + "r" * table.shape[1]
    lines = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", *rows, r"\bottomrule", r"\end{tabular}"]
    if caption or name:
        names = [rf"\caption{{{_latex(caption)}}}"] if caption else []
        names += [rf"\label{{{name}}}"] if name else []
        lines = [r"\begin{table}", r"\centering", *names, *lines, r"\end{table}"]
    return "\n".join(lines)


def _latex(cell: object) -> str:
    return "".join(LATEX_SPECIAL.get(character, character) for character in one_line(cell))


def _header(table: pd.DataFrame) -> list[object]:
    return [table.index.name or "", *table.columns]


def _rows(table: pd.DataFrame) -> list[list[object]]:
    return [[key, *row] for key, row in zip(table.index, table.to_numpy(dtype=object), strict=True)]
