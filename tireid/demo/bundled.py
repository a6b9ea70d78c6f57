"""What the package brings for `tireid demo` and can be computed: `python -m tireid.demo.bundled` makes it anew.

To be run where the bundled model, the first description or the look of a card has changed.
"""

from __future__ import annotations

from pathlib import Path

from tireid.basics.files import write_atomically
from tireid.data import load_dataset
from tireid.demo.collection import ASSETS, DATASET, MODEL, PREVIEW, first_view
from tireid.model import TIReID
from tireid.search import Gallery


def make(folder: Path = ASSETS / MODEL) -> None:
    """Write the first view of the drawn test people into `folder`."""
    gallery = Gallery.from_split(TIReID.from_pretrained(MODEL), load_dataset(DATASET).test)
    write_atomically(folder / PREVIEW, first_view(gallery))


if __name__ == "__main__":
    make()
