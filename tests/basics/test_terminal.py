"""What a stranger wrote cannot steer a terminal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tireid.basics.terminal import one_line, printable


@given(st.text(st.characters()) | st.text("\x1b[]m\r\n\t\u202e\u2028\x9b\x07é\udc80"))
def test_no_character_is_left_that_a_terminal_obeys(text: str) -> None:
    shown = printable(text)
    assert not {ord(c) for c in shown} & {*range(32), *range(0x7F, 0xA0), 0x202E, 0x2028, 0xDC80}
    assert shown.isascii() or shown.encode()
    assert "\n" not in one_line(text)


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"])))
def test_ordinary_text_stays(text: str) -> None:
    assert printable(text) == text
