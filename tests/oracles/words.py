"""CLIP's byte-pair encoding by its definition: slow, on strings (Sennrich et al. 2016, with OpenAI's rules)."""

from __future__ import annotations

import html
import unicodedata

import ftfy
import regex

START, END = "<|startoftext|>", "<|endoftext|>"


def alphabet() -> list[str]:
    """One visible character per byte, in CLIP's order, paired by position with :func:`byte_order`."""
    visible = [chr(byte) for byte in range(256) if _visible(byte)]
    return visible + [chr(256 + n) for n in range(256 - len(visible))]


def byte_order() -> list[int]:
    return [b for b in range(256) if _visible(b)] + [b for b in range(256) if not _visible(b)]


def encode(text: str, merges: list[tuple[str, str]], cleaning: bool) -> list[int]:
    """Ids without start and end."""
    spelled = dict(zip(byte_order(), alphabet(), strict=True))
    vocabulary = [*alphabet(), *(c + "</w>" for c in alphabet()), *(a + b for a, b in merges), START, END]
    number = {token: i for i, token in enumerate(vocabulary)}
    text = html.unescape(html.unescape(ftfy.fix_text(text))) if cleaning else unicodedata.normalize("NFC", text)
    words = regex.findall(r"'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+", text.lower())
    ids = []
    for word in words:
        pieces = [spelled[byte] for byte in word.encode("utf-8")]
        pieces[-1] += "</w>"
        for left, right in merges:  # in order of priority, each wherever it fits, from left to right
            merged: list[str] = []
            for piece in pieces:
                if merged and (merged[-1], piece) == (left, right):
                    merged[-1] += piece
                else:
                    merged.append(piece)
            pieces = merged
        ids += [number[piece] for piece in pieces]
    return ids


def _visible(byte: int) -> bool:
    return 33 <= byte <= 126 or 161 <= byte <= 172 or 174 <= byte <= 255
