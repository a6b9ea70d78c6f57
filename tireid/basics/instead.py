"""What a file is that should be another one: a copy that did not finish, a pointer, a page."""

from __future__ import annotations

PACKED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf", b"Rar!", b"\x28\xb5\x2f\xfd")
"""How gzip, bzip2, xz, 7z, rar and zstd files begin."""


def instead(start: bytes, size: int) -> str | None:
    """What a file is that begins with `start` and has `size` bytes, and what to do; None if that is not known.

    >>> instead(b"<!DOCTYPE html>", 15)
    'is a web page: the link led to a log-in or download page; save the file behind it'
    """
    text = start.lstrip().lower()
    if size == 0:
        return "is empty: the download or copy did not finish; fetch it again"
    if text.startswith(b"version https://git-lfs"):
        return "is a Git LFS pointer: run `git lfs pull` where it comes from, or download the file itself there"
    if text.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "is a web page: the link led to a log-in or download page; save the file behind it"
    if start.startswith(PACKED):
        return "is packed (gzip, 7z or the like): unpack it, and give what was in it"
    if start and not start.strip(b"\0"):
        return "begins with zeros: its room was reserved and never filled; fetch it again"
    return None
