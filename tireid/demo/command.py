"""The command `tireid demo`."""

from __future__ import annotations

from argparse import Namespace as Options

from tireid.basics.commands import argument, name_or_path, path

SUMMARY = "open a local page that searches a folder of pictures, a gallery, or the bundled drawn people"
ARGUMENTS = (
    argument("where", nargs="?", type=path, metavar="FOLDER|GALLERY", help="default: the drawn test people"),
    argument("--model", type=name_or_path, help="as of `tireid search` (default: the gallery's own, or tiny-street)"),
    argument("--port", type=int, help="of the page on this machine (default: one that is free)"),
    argument("--no-browser", action="store_true", help="only print the page's address"),
)


def run(options: Options) -> int:
    """Serve the page until Ctrl+C; index what is not indexed yet."""
    from tireid.demo.collection import find
    from tireid.demo.serve import free_port, serve

    port = free_port(options.port)
    serve(find(options.where, options.model), port, browser=not options.no_browser)
    return 0
