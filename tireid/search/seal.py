"""Whether a saved gallery was made by this user: only then may it name pictures anywhere.

A gallery names files, and whoever searches it has them opened and put into pages. In a stranger's these names could
lead to any picture of the user's. So a gallery is sealed with a key that stays in the user's cache: where the seal is
missing or another one, only pictures below a folder that the user names are opened. Scores and names need no seal.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path, PurePath

from tireid.basics.folders import cache_dir
from tireid.search.names import Packed

FILE = "gallery.key"
WITHHELD = "not opened, give root="
NOTE = (
    "Pictures of this gallery are not opened, since it was not made here and they are not known to lie in a folder of "
    "yours: give that folder, Gallery.load(..., root=FOLDER) or --root FOLDER. Scores and names are as they are."
)
_BYTES = 32


def seal(root: str | None, names: Packed | None) -> str | None:
    """32 hexadecimal digits of a gallery's folder and names that nobody without the user's key can make.

    None where no key can be kept.
    """
    key = _key()
    if key is None:
        return None
    digest = hashlib.blake2b(ascii(root).encode(), key=key, digest_size=16)
    for part in () if names is None else (names.text, names.ends):
        digest.update(part.contiguous().numpy().data)
    return digest.hexdigest()


def is_sealed(told: str | None, root: str | None, names: Packed | None) -> bool:
    """Whether :func:`seal` gave that for this folder and these names."""
    own = None if told is None else seal(root, names)
    return own is not None and told is not None and secrets.compare_digest(own.encode(), told.encode())


def opened(root: Path | None, name: str) -> Path:
    """The path of a stranger's `name` below `root`, or one that cannot be opened where it leads out, by a link too.

    >>> opened(Path("/data"), "../secret.jpg") == Path("/dev/null/not opened, give root=/secret.jpg")
    True
    """
    parts = PurePath(name)
    if root is not None and not parts.is_absolute() and ".." not in parts.parts:
        whole = os.path.realpath(root / name)
        if Path(whole).is_relative_to(os.path.realpath(root)):
            return root / name
    kept = [part for part in parts.parts if part not in ("..", parts.anchor)]
    return Path(os.devnull, WITHHELD, *kept)  # the null device is no folder: nothing lies below it


def withheld_note(paths: Iterable[Path | None]) -> list[str]:
    """A sentence where :func:`opened` refused one of the paths."""
    refused = Path(os.devnull, WITHHELD)
    return [NOTE] if any(path is not None and path.is_relative_to(refused) for path in paths) else []


def _key() -> bytes | None:
    """The user's own, made at the first call; only the user may read it."""
    file = cache_dir() / FILE
    try:
        if not file.is_file():
            _make(file)
        key = file.read_bytes()
    except OSError:
        return None
    return key if len(key) == _BYTES else None


def _make(file: Path) -> None:
    """Write a key; of several processes that do, one is first, and the others take its key."""
    file.parent.mkdir(parents=True, exist_ok=True)
    own = file.with_name(f"{FILE}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(secrets.token_bytes(_BYTES))
        with suppress(FileExistsError):
            os.link(own, file)
    finally:
        own.unlink(missing_ok=True)
