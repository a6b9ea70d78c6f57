"""The command `tireid demo`."""

from __future__ import annotations

from argparse import ArgumentTypeError
from argparse import Namespace as Options

from tireid.basics.commands import argument, name_or_path, path


def port(text: str) -> int:
    """Of a page: 1 to 65535."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= 65535):
        raise ArgumentTypeError(f"expected a number from 1 to 65535, got {text!r}")
    return int(text)


SUMMARY = "open a local page that searches a folder of pictures, a gallery, or the bundled drawn people"
ARGUMENTS = (
    argument("where", nargs="?", type=path, metavar="FOLDER|GALLERY", help="default: the drawn test people"),
    argument("--model", type=name_or_path, help="as of `tireid search` (default: the gallery's own, or tiny-street)"),
    argument("--root", type=path, help="folder of the pictures of a gallery that was made elsewhere, or has moved"),
    argument("--port", type=port, help="of the page on this machine (default: one that is free)"),
    argument("--no-browser", action="store_true", help="only print the page's address"),
)


def run(options: Options) -> int:
    """Serve the page until Ctrl+C; index what is not indexed yet."""
    from tireid.demo.collection import find
    from tireid.demo.serve import free_port, serve

    free = free_port(options.port)
    serve(find(options.where, options.model, options.root), free, browser=not options.no_browser)
    return 0
