"""A boundary: what reads the bytes that strangers hand over, and the one error that they are refused with."""

from __future__ import annotations

import json
import random
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from tests.mutate import BYTES, NASTY, mutated

SECONDS = 1.0
FOLDER = Path(mkdtemp(prefix="tireid-boundaries-"))
TOKENS = (
    *(json.dumps(value).encode() for value in NASTY),
    *BYTES,
    *(b"&a [*a]", b"!!python/object:os.system", b"yes", b"012", b"1:30", b".nan", b"[[]]" * 30, b"- " * 50, b"? :"),
    *(b"---\n", "\u202e".encode(), "ﬁ 你好 😀".encode(), b"\xed\xa0\x80", b"=" * 200, b"\\N", b"loss.", b"*"),
)  # fmt: skip


@dataclass(frozen=True)
class Target:
    """A boundary: an input that passes, what reads it, and the error for what does not pass.

    It takes bytes, as a fuzzer makes them, and says whether they came through.
    """

    seed: bytes
    read: Callable[[bytes], object]
    error: type[Exception] | tuple[()]
    """() where everything is taken."""
    names: str = ""
    """What each message holds: of an error that is no kind of its own, the file."""
    tokens: tuple[bytes, ...] = TOKENS

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
        assert not message or self.names in message, f"a message that does not name {self.names}: {message}"
        assert took < SECONDS, f"{took:.1f} s"
        assert len(message) < 20_000, f"a message of {len(message):,} characters"
        return not message

    def mutation(self, rng: random.Random) -> bytes:
        """The seed with a few changes: of its tree where it is one, else of its text."""
        try:
            return mutated(json.loads(self.seed), rng)
        except ValueError:
            return scrambled(self.seed, rng, self.tokens)


def scrambled(content: bytes, rng: random.Random, tokens: tuple[bytes, ...] = TOKENS) -> bytes:
    """One to four cuts, copies, swaps and insertions of what parsers stumble over."""
    for _ in range(rng.randint(1, 4)):
        begin, end = sorted(rng.randrange(len(content) + 1) for _ in range(2))
        end = min(end, begin + rng.choice((1, 4, 40, 10_000)))
        part = rng.choice((b"", rng.choice(tokens), content[begin:end] * 2, bytes([rng.randrange(256)])))
        content = content[:begin] + part + content[end:]
    return content


def text_of(content: bytes) -> str:
    """Halves of characters included, as a browser or a file name may hold them."""
    try:
        return content.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return content.decode("utf-8", "surrogateescape")


def written(name: str, content: bytes) -> Path:
    """A file of the tests' own folder with this content."""
    path = FOLDER / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path
