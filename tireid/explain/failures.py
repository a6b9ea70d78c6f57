"""Where a model fails: the worst descriptions, what stood above the right picture, and how it differs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from tireid.basics.files import read_json
from tireid.data.split import Split
from tireid.search.encoder import encode
from tireid.search.evaluation import Score
from tireid.search.gallery import Gallery
from tireid.search.metrics import normalised_rows


def failures(
    score: Score,
    gallery: Gallery,
    *,
    split: Split | None = None,
    attributes: Mapping[int, Mapping[str, str]] | None = None,
    limit: int = 50,
) -> pd.DataFrame:
    """The descriptions that fare worst, worst first, with what stood above the right picture and how it differs.

    Args:
        score: of the split that `gallery` shows.
        gallery: with identities.
        split: gives the captions of both people, where there are no `attributes`.
        attributes: per person id, such as :func:`person_attributes` of drawn people.
        limit: so many at most; only these are encoded again.

    Returns:
        A row per description whose first picture is wrong: query (its index in the split), text, person_id, first_rank,
        right (name of the first right picture), above (of the picture that stands first), above_person_id, gap (score
        of `above` minus that of `right`) and differs: the attributes in which the two people differ, told of the one
        above and, behind "not", of the right one; else a caption of the one above; else nothing.

    Raises:
        ValueError: a gallery without identities, or limit < 1.
    """
    if gallery.person_ids is None:
        raise ValueError("failures need a gallery with identities, such as Gallery.from_split(model, data.test)")
    if limit < 1:
        raise ValueError(f"limit must be a positive integer, not {limit}")
    columns = ["query", "text", "person_id", "first_rank"]
    wrong = score.per_query.query("direction == 't2i' and first_rank > 1")
    worst = wrong.sort_values(["first_rank", "query"], ascending=[False, True], ignore_index=True)[columns][:limit]
    worst = worst.astype({"query": np.int64, "person_id": np.int64, "first_rank": np.int64})
    if worst.empty:
        return worst.assign(right="", above="", above_person_id=0, gap=0.0, differs="")
    features = encode(gallery.model.encode_texts, list(worst["text"]), batch_size=128)
    scores = normalised_rows(features, "text features").astype(np.float32) @ gallery.features.T
    owned = gallery.person_ids == worst["person_id"].to_numpy()[:, None]
    right = np.where(owned, scores, -np.inf).argmax(axis=1)
    above = np.where(owned, -np.inf, scores).argmax(axis=1)
    each = np.arange(len(worst))
    pairs = zip(gallery.person_ids[above], worst["person_id"], strict=True)
    return worst.assign(
        right=[gallery.names[row] for row in right],
        above=[gallery.names[row] for row in above],
        above_person_id=gallery.person_ids[above],
        gap=scores[each, above] - scores[each, right],
        differs=[_difference(int(other), int(wanted), attributes, split) for other, wanted in pairs],
    )


def _difference(
    other: int, wanted: int, attributes: Mapping[int, Mapping[str, str]] | None, split: Split | None
) -> str:
    if attributes is not None and other in attributes and wanted in attributes:
        return attribute_difference(attributes[other], attributes[wanted])
    if split is None:
        return ""
    captions = np.flatnonzero(split.caption_person_ids == other)
    return split.captions[captions[0]] if len(captions) else ""


def attribute_difference(one: Mapping[str, str], other: Mapping[str, str]) -> str:
    """How `one` differs from `other`.

    >>> attribute_difference({"bag": "red", "age": "adult"}, {"bag": "blue", "age": "adult", "belt": "red"})
    'bag: red, not blue; belt: none, not red'
    """
    keys = [key for key in {**one, **other} if one.get(key) != other.get(key) and key != "skin"]
    parts = (f"{key.replace('.', ' ')}: {one.get(key, 'none')}, not {other.get(key, 'none')}" for key in keys)
    return "; ".join(parts)


def person_attributes(folder: str | Path) -> dict[int, dict[str, str]]:
    """Attributes of drawn people by id, from ``ground_truth.json`` in `folder`, such as ``data.folder``.

    Raises:
        FileNotFoundError: there is none: only the drawn data set has it.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     told = '{"people": {"7": {"bag": "red"}}}'
    ...     _ = Path(folder, "ground_truth.json").write_text(told)
    ...     print(person_attributes(folder))
    ...
    {7: {'bag': 'red'}}
    """
    file = Path(folder) / "ground_truth.json"
    if not file.is_file():
        raise FileNotFoundError(f"{file} is missing: only the synthetic data set knows the attributes of its people")
    people: dict[str, dict[str, str]] = read_json(file)["people"]
    return {int(person): attributes for person, attributes in people.items()}
