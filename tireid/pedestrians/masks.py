"""Where the garments of a drawn person are, pixel by pixel."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tireid.pedestrians.cameras import Conditions
from tireid.pedestrians.people import Person
from tireid.pedestrians.rendering import SUPERSAMPLING, draw_scene

GARMENTS = ("headwear", "upper", "lower", "shoes", "bag")
"""In the order of their numbers in :func:`garment_map`, from 1; a dress is the upper one."""


def garment_map(person: Person, conditions: Conditions, size: tuple[int, int] = (192, 64)) -> NDArray[np.uint8]:
    """Which of the `GARMENTS` covers each pixel (H, W) of the picture that `render` draws at this `size`; 0 is none.

    A garment is where the drawing changes with its colours, so what covers it is left out. So is what keeps its own
    colour, such as buttons. Of garments that share a pixel the larger counts, if it has half of it.

    >>> from tireid.pedestrians import sample_conditions, sample_person
    >>> rng = np.random.default_rng(0)
    >>> garment_map(sample_person(rng), sample_conditions(rng, "studio", camera=1)).shape
    (192, 64)
    """

    def drawn(who: Person) -> NDArray[np.uint32]:
        picture = draw_scene(who, conditions, size, np.random.default_rng(conditions.seed))
        return np.asarray(picture.convert("RGBA")).view(np.uint32)[..., 0]

    plain, shares = drawn(person), np.zeros((len(GARMENTS), *size))
    for share, part in zip(shares, GARMENTS, strict=True):
        changed = np.zeros(plain.shape, bool)
        for other in _recoloured(person, part):
            changed |= drawn(other) != plain
        share[:] = changed.reshape(size[0], SUPERSAMPLING, size[1], SUPERSAMPLING).mean(axis=(1, 3))
    return np.where(shares.max(axis=0) >= 0.5, shares.argmax(axis=0) + 1, 0).astype(np.uint8)


def _recoloured(person: Person, part: str) -> list[Person]:
    """The person twice, with `part` in colours that it does not have; nobody if there is no such part."""
    item = getattr(person, part)
    if item is None:
        return []
    colours = {name: vars(item)[name] for name in ("colour", "second", "inner") if vars(item).get(name)}
    new = [name for name in ("black", "white", "teal", "orange", "pink") if name not in colours.values()][:2]
    return [replace(person, **{part: replace(item, **dict.fromkeys(colours, name))}) for name in new]


def map_path(picture: Path) -> Path:
    """``masks/a/b.png`` beside ``imgs/a/b.jpg``. Raises FileNotFoundError for a picture that lies elsewhere."""
    imgs = next((parent for parent in picture.parents if parent.name == "imgs"), None)
    if imgs is None:
        raise FileNotFoundError(f"{picture} is not of a generated data set, whose pictures lie in a folder imgs/")
    return imgs.with_name("masks") / picture.relative_to(imgs).with_suffix(".png")


def write_garment_map(person: Person, conditions: Conditions, picture: Path) -> None:
    """Write the :func:`garment_map` of a `picture` where :func:`read_garment_map` looks for it."""
    path = map_path(picture)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(garment_map(person, conditions)).save(path)


def read_garment_map(picture: str | Path) -> NDArray[np.uint8]:
    """Which of the `GARMENTS` covers each pixel (H, W) of a generated `picture`; 0 is none, 1 the first of them.

    Raises:
        FileNotFoundError: the data set was generated without `masks` for this split, or `picture` is not of such a set.
    """
    path = map_path(Path(picture))
    if not path.is_file():
        raise FileNotFoundError(f'{path} is missing: generate the data set with masks=["test"], or whose split it is')
    return np.asarray(Image.open(path))
