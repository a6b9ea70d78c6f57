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
    """Index what is not indexed yet, and serve the page until Ctrl+C."""
    from tireid.basics.extras import require
    from tireid.demo.collection import prepare
    from tireid.demo.serve import free_port, serve

    require("voila", "demo")
    port = free_port(options.port)
    serve(prepare(options.where, options.model), port, browser=not options.no_browser)
    return 0
