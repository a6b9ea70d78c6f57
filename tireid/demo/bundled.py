"""What the package brings for `tireid demo` and can be computed: `python -m tireid.demo.bundled` makes it anew.

To be run where the bundled model, the first description or the look of a card has changed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from tireid.basics.files import atomic_path, write_atomically
from tireid.data import load_dataset
from tireid.demo.collection import ASSETS, DATASET, MODEL, PREVIEW, SPREAD, first_view
from tireid.explain.confidence import QuerySpread
from tireid.model import TIReID
from tireid.search import Gallery

FRESH: dict[str, Any] = {"people": (1, 1, 200), "seed": 1}
"""As many people as are searched, whom neither the model nor the spread has met."""


def make(folder: Path = ASSETS / MODEL) -> None:
    """Write the first view of the drawn test people, and how sure answers about them are, into `folder`."""
    model = TIReID.from_pretrained(MODEL)
    write_atomically(folder / PREVIEW, first_view(Gallery.from_split(model, load_dataset(DATASET).test)))
    with atomic_path(folder / SPREAD) as temporary:
        save_file({name: np.asarray(values) for name, values in vars(measured_spread(model)).items()}, temporary)


def measured_spread(model: TIReID) -> QuerySpread:
    """Of the validation people's captions, calibrated on fresh people; neither trained the model."""
    val, fresh = load_dataset(DATASET).val, load_dataset(DATASET, **FRESH).test
    assert val is not None
    spread = QuerySpread.fit(model, val.captions, val.caption_person_ids)
    return spread.calibrate(Gallery.from_split(model, fresh), fresh.captions, fresh.caption_person_ids)


if __name__ == "__main__":
    make()
