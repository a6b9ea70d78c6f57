"""What strangers may hand over, and the one error that each is refused with; anything else is a fault.

A target takes bytes, as a fuzzer makes them, and says whether they came through.
"""

from __future__ import annotations

import json
import random
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np

from tests.mutate import BYTES, NASTY, mutated
from tests.runner.books import PARAMETERS, book, parameters, save
from tests.search.fakes import ColourModel
from tireid.basics.yaml import YAMLError, parse_yaml
from tireid.options import Config, ConfigError
from tireid.runner.parameters import ParameterError, convert_texts, read_parameters
from tireid.search import Gallery
from tireid.search.storage import FILE, GalleryError
from tireid.studies.study import Study, StudyError

SECONDS = 1.0
FOLDER = Path(mkdtemp(prefix="tireid-boundaries-"))
BOOK = save(book(parameters()), FOLDER)
DECLARED = read_parameters(book(parameters()))
MODEL = ColourModel()
GALLERY = Gallery(MODEL, MODEL.encode_texts(["red", "blue", "pink"]), ["a.jpg", "b/ü.jpg", "c\x1b[2J.jpg"])
GALLERY.person_ids = np.array([3, 3, 4])

STUDY = """notebook: notebooks/book.ipynb
parameters: {epochs: 2}
arms:
  one: {rate: 1e-3}
  two: {flip: false}
grid: {sizes: [[1], [2, 3]]}
zip: {name: ["a", "b"]}
seeds: [1, 2]
sources: ["04d60f6e25e9"]
"""
OVERRIDES = """loss.temperature=0.03
uncertainty.alpha=0.5
loss.alignment=sdm
optimizer.betas=[0.9, 0.98]
training.max_steps=null
sampler.kind=random
backbone=tiny
"""
VALUES = """epochs=5
rate=1e-4
flip=true
name=somebody
sizes=[1, [2, 3]]
"""


@dataclass(frozen=True)
class Target:
    """A boundary: an input that passes, what reads it, and the error for what does not pass."""

    seed: bytes
    read: Callable[[bytes], object]
    error: type[Exception]

    def passes(self, content: bytes) -> bool:
        """Whether `content` is taken; raises for any other error, for a message without end, and after a second."""
        start, message = time.process_time(), ""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.read(content)
        except self.error as error:
            message = str(error)
            assert message, "an error without a word"
        took = time.process_time() - start
        assert took < SECONDS, f"{took:.1f} s"
        assert len(message) < 20_000, f"a message of {len(message):,} characters"
        return not message

    def mutation(self, rng: random.Random) -> bytes:
        """The seed with a few changes: of its tree where it is one, else of its text."""
        try:
            return mutated(json.loads(self.seed), rng)
        except ValueError:
            return scrambled(self.seed, rng)


TOKENS = (
    *(json.dumps(value).encode() for value in NASTY),
    *BYTES,
    *(b"&a [*a]", b"!!python/object:os.system", b"yes", b"012", b"1:30", b".nan", b"[[]]" * 30, b"- " * 50, b"? :"),
    *(b"---\n", "\u202e".encode(), "ﬁ 你好 😀".encode(), b"\xed\xa0\x80", b"=" * 200, b"\\N", b"loss.", b"*"),
)  # fmt: skip


def scrambled(content: bytes, rng: random.Random) -> bytes:
    """One to four cuts, copies, swaps and insertions of what parsers stumble over."""
    for _ in range(rng.randint(1, 4)):
        begin, end = sorted(rng.randrange(len(content) + 1) for _ in range(2))
        end = min(end, begin + rng.choice((1, 4, 40, 10_000)))
        part = rng.choice((b"", rng.choice(TOKENS), content[begin:end] * 2, bytes([rng.randrange(256)])))
        content = content[:begin] + part + content[end:]
    return content


def _text(content: bytes) -> str:
    """Halves of characters included, as a browser or a file name may hold them."""
    try:
        return content.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return content.decode("utf-8", "surrogateescape")


def _written(name: str, content: bytes) -> Path:
    (FOLDER / name).write_bytes(content)
    return FOLDER / name


def _pairs(content: bytes) -> dict[str, str]:
    return dict((line.partition("=")[0], line.partition("=")[2]) for line in _lines(content))  # noqa: C402


def _lines(content: bytes) -> list[str]:
    return _text(content).split("\n")[:-1]


def _query(content: bytes) -> object:
    hits = GALLERY.search(_text(content), k=2)
    assert not set(str(hits)) & set("\x1b\x9b\x07\r\u202e")
    return hits.show()._repr_mimebundle_()


def _gallery(content: bytes) -> object:
    _written(FILE, content)
    gallery = Gallery.load(FOLDER, MODEL)
    return str(gallery.search("red", k=3)), list(gallery.names), repr(gallery)


def _saved(gallery: Gallery) -> bytes:
    return (gallery.save(FOLDER / "gallery") / FILE).read_bytes()


def _book(content: bytes) -> Any:
    return read_parameters(book(parameters(_text(content))))


TARGETS = {
    "configuration": Target(
        json.dumps(Config.preset("paper").to_dict()).encode(),
        lambda content: Config.load(_written("config.json", content)),
        ConfigError,
    ),
    "overrides": Target(
        OVERRIDES.encode(), lambda content: Config.preset("paper").override(_lines(content)), ConfigError
    ),
    "yaml": Target(STUDY.encode(), lambda content: parse_yaml(_text(content)), YAMLError),
    "study": Target(STUDY.encode(), lambda content: Study.read(_written("study.yaml", content)), StudyError),
    "parameters": Target(
        VALUES.encode(), lambda content: convert_texts(_pairs(content), DECLARED), ParameterError
    ),
    "declarations": Target(PARAMETERS.encode(), lambda content: _book(content), ParameterError),
    "gallery": Target(_saved(GALLERY), _gallery, GalleryError),
    "query": Target("a woman in a red coat, 你好 😀".encode(), _query, ValueError),
}  # fmt: skip
