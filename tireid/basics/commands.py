"""Commands of a command line: a function below its arguments becomes one, errors become one line."""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from tireid.basics.extras import MissingExtraError
from tireid.basics.files import writable
from tireid.basics.terminal import one_line, say_anything

Function = Callable[[argparse.Namespace], int | None]
Argument = tuple[tuple[str, ...], dict[str, Any]]
BAD_USAGE, INTERRUPTED = 2, 130


class Commands:
    """The commands of a program; each takes the parsed options and returns the exit status, None for 0.

    >>> commands = Commands("greet", "Greets.")
    >>> @commands.add("hello", "greet somebody", argument("name"), argument("--times", type=int, default=1))
    ... def hello(options):
    ...     print(" ".join(["hello", options.name] * options.times))
    >>> commands.run(["hello", "you", "--times", "1"])
    hello you
    0
    """

    def __init__(self, program: str, summary: str) -> None:
        self.parser = _Parser(prog=program, description=summary)
        self._commands = self.parser.add_subparsers(required=True, metavar="COMMAND", dest="command")

    def add(self, name: str, summary: str, *arguments: Argument) -> Callable[[Function], Function]:
        """Decorate the function of the command `name`."""
        sub = self._commands.add_parser(name, help=summary, description=summary)
        for names, options in arguments:
            sub.add_argument(*names, **options)

        def register(function: Function) -> Function:
            sub.set_defaults(function=function)
            return function

        return register

    def run(self, arguments: Sequence[str] | None = None) -> int:
        """Run one command; the exit status is 2, with one line on stderr, for an error that the user can mend."""
        say_anything()
        try:
            _check_place()
            options = self.parser.parse_args(arguments)
            function: Function = options.function
            with _plain_warnings(), _whole_imports():
                return function(options) or 0
        except (ValueError, OSError, RuntimeError, MissingExtraError) as error:
            print(f"error: {one_line(error)}", file=sys.stderr)
            return BAD_USAGE
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            return INTERRUPTED


def _check_place() -> None:
    """PyTorch cannot be loaded from a folder that is gone, and blames its own files."""
    try:
        Path.cwd()
    except OSError:
        raise OSError("the folder that this was started in is gone; change to another one") from None


@contextmanager
def _plain_warnings() -> Iterator[None]:
    """A warning is one line for the user, without the place in the code."""
    usual = warnings.formatwarning
    warnings.formatwarning = lambda message, *_, **__: f"warning: {one_line(message)}\n"
    try:
        yield
    finally:
        warnings.formatwarning = usual


@contextmanager
def _whole_imports() -> Iterator[None]:
    """A Ctrl+C while a module is imported ends the program at once, instead of raising KeyboardInterrupt there.

    PyTorch imports NumPy from C++, which aborts on an exception, or swallows it and goes on with half a module. Nothing
    is lost: files are written whole or not at all.
    """
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, _interrupt)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is _interrupt:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            os.write(2, b"interrupted\n")
            os._exit(INTERRUPTED)
        frame = frame.f_back
    raise KeyboardInterrupt


class _Parser(argparse.ArgumentParser):
    """Takes `-1e-4` for a number, as `-1` is, takes options anywhere, and reports in one line."""

    _between = False

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, formatter_class=_Defaults)
        self._negative_number_matcher = re.compile(r"-(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$|-(inf|nan)$", re.ASCII)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Also with options between two positional arguments, where argparse does not find an optional second one."""
        if self._between or self._subparsers:
            return super().parse_known_args(args, namespace)
        self._between = True  # argparse comes back here for each kind
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._between = False

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message}; see `{self.prog} --help`")


class _Defaults(argparse.ArgumentDefaultsHelpFormatter):
    """Shows defaults that say something."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if isinstance(action.default, list | tuple):  # as it is typed
            shown = " ".join(map(str, action.default))
            return f"{action.help} (default: {shown})" if shown else action.help
        return action.help if action.default in (None, False) else super()._get_help_string(action)


def argument(*names: str, **options: Any) -> Argument:
    """What `add_argument` of :mod:`argparse` takes."""
    return names, options


def path(text: str) -> Path:
    """A path, with `~` for the home folder."""
    return Path(text).expanduser()


def out_dir(text: str) -> Path:
    """A folder to write, which can be written."""
    return writable(path(text))


def out_file(text: str) -> Path:
    """A file to write, which can be written."""
    return writable(path(text), folder=False)


def name_or_path(text: str) -> str:
    """A name, or a path with `~` for the home folder."""
    return str(path(text)) if text.startswith("~") else text


PAIRS: dict[str, Any] = {"nargs": 2, "action": "append", "default": [], "metavar": ("NAME", "VALUE")}
JOBS = (
    argument("--jobs", type=int, default=1, help="tasks at a time"),
    argument("--threads", type=int, default=1, help="processor threads of each task"),
    argument("--cluster", choices=("local", "slurm"), default="local", help="on this machine or by Slurm"),
    argument("--option", help="for submitit: --option slurm_partition gpu --option mem_gb 16", **PAIRS),
)


def say(outcome: object, over: int, total: int) -> None:
    """Print what became of one of many tasks."""
    print(f"{over}/{total} {outcome}", flush=True)


def values(pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Options that were given as :data:`PAIRS`, read as YAML."""
    from tireid.basics.yaml import parse_yaml

    return {name: parse_yaml(value) for name, value in pairs}
