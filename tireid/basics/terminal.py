"""Text of strangers on a terminal: on one line, without escapes, in whatever encoding the terminal has."""

from __future__ import annotations

import sys
import unicodedata

INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Unicode's control, format (which can turn the direction of text) and surrogate characters, and line separators."""


def printable(text: object) -> str:
    r"""`text` with every character that a terminal would obey instead of showing written as an escape.

    >>> printable("a\x1b[2Jb\u202e.png") == r"a\x1b[2Jb\u202e.png"
    True
    """
    return "".join(
        character.encode("unicode_escape").decode() if unicodedata.category(character) in INVISIBLE else character
        for character in str(text)
    )


def one_line(text: object) -> str:
    """:func:`printable`, with the lines of `text` joined by spaces.

    >>> one_line("first\\n  second")
    'first second'
    """
    return printable(" ".join(str(text).split()))


def say_anything() -> None:
    """Let stdout and stderr write a character that their encoding lacks as an escape, instead of raising."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
