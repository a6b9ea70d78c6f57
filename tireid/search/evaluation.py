"""Evaluate a model on a split: both directions, text to image first."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tireid.basics.arguments import COLLECTION, LIST, Kind, checked
from tireid.basics.files import writable, write_json, write_table
from tireid.basics.parts import PartError, resolve_function
from tireid.basics.terminal import printable
from tireid.data.checks import naming_all
from tireid.data.images import MissingImageError
from tireid.data.split import Split
from tireid.search.encoder import Encoder, OnProgress, encode
from tireid.search.metrics import METRICS, Features, Metric, per_query_table, rank_relevant, summarise, to_numpy

COLUMNS = ["direction", "query", "text", "path", "person_id", "first_rank", *METRICS, "relevant"]
RESERVED = {*COLUMNS, "top1", "top1_person_id", "nearest", *(f"m{name}" for name in METRICS)}
DIRECTIONS = {"t2i": "text→image", "i2t": "image→text"}


@dataclass(frozen=True)
class Score:
    """What a model reaches on a split.

    >>> score = Score("test", {"t2i/R@1": 50.0, "i2t/R@1": 100.0}, pd.DataFrame())
    >>> print(score)
    test, %
                  R@1
    text→image  50.00
    image→text 100.00
    """

    split: str
    metrics: dict[str, float]
    """In percent: ``"t2i/R@1"``, ..., ``"t2i/mINP"``, ``"i2t/R@1"``, ..."""
    per_query: pd.DataFrame = field(repr=False)
    """A row per query: ``direction``, ``query`` (its index in the split), ``text`` or ``path`` of the query,
    ``person_id``, ``first_rank``, ``AP``, ``INP`` (0..1), ``relevant``, and of the item that stands first ``top1``
    (path or caption) and ``top1_person_id``. A query without relevant item has NaN and counts in no mean."""

    def table(self) -> pd.DataFrame:
        """Directions by metrics, in percent, unrounded."""
        rows: dict[str, dict[str, float]] = {}
        for key, value in self.metrics.items():
            direction, name = key.split("/", 1)
            rows.setdefault(DIRECTIONS[direction], {})[name] = value
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis(self.split)

    @checked()
    def save(self, directory: str | Path) -> Path:
        """Write ``metrics.json`` and ``per_query.csv`` (UTF-8) into `directory`, which is made; returns it."""
        directory = writable(directory)
        write_table(directory / "per_query.csv", self.per_query)
        write_json(directory / "metrics.json", self.metrics)
        return directory

    def __str__(self) -> str:
        return f"{self.split}, %\n{self.table().rename_axis(None).to_string(float_format='{:.2f}'.format)}"

    def _repr_html_(self) -> str:
        return str(self.table().style.format("{:.2f}").to_html())


@checked(images=LIST, ks=COLLECTION)
def evaluate(
    model: Encoder,
    split: Split,
    *,
    batch_size: int = 128,
    images: Any = None,
    ks: Sequence[int] = (1, 5, 10),
    metrics: Sequence[str | Metric] = (),
    on_progress: OnProgress | None = None,
) -> Score:
    """Encode a split and rank it in both directions.

    Args:
        model: :class:`tireid.TIReID`, or anything with its `encode_images` and `encode_texts`.
        split: ``data.val`` or ``data.test``.
        batch_size: pictures or captions encoded at a time.
        images: the split's pictures, already decoded and in its order: an :class:`~tireid.data.ImageCache` or a
            uint8 (N, 3, H, W) tensor; read from their paths where absent.
        ks: the k of R@k; from the number of items that are ranked on, R@k is 100 whatever the model.
        metrics: of one's own, reported beside the others: functions marked with ``@tireid.part("metric")``, or their
            import paths. Each takes the ascending ranks (n,), from 1, of a query's relevant items and gives a figure in
            0..1; its mean over the queries is reported in percent under the function's name.
        on_progress: called with (encoded, pictures + captions) after every batch.

    Raises:
        ValueError: an empty split, or `images` of another length.
        ImageError: pictures are missing or cannot be read; the first three are named, all are counted.
        PartError: one of `metrics` that cannot be used, or has the name of another column.

    >>> from tireid.data import Record
    >>> Ideal = type("Ideal", (), dict.fromkeys(["encode_images", "encode_texts"], lambda *_, **__: np.eye(2)))
    >>> people = [Record(Path(f"{n}.jpg"), n, ("a man",), "test") for n in (7, 8)]
    >>> evaluate(Ideal(), Split("test", people), images=np.zeros((2, 3, 8, 8), np.uint8)).metrics["t2i/R@1"]
    100.0
    """
    if not split.num_images or not split.num_captions:
        raise ValueError(f"split {split.name!r} has {split.num_images} pictures and {split.num_captions} captions")
    if split.num_people == 1:
        warnings.warn(f"split {split.name!r} shows one person: whatever stands first is right", stacklevel=3)
    pictures = _found(split).pictures(model) if images is None else images
    if len(pictures) != split.num_images:
        raise ValueError(f"images has {len(pictures)} pictures, split {split.name!r} has {split.num_images}")
    total = split.num_images + split.num_captions
    how: dict[str, Any] = {"batch_size": batch_size, "on_progress": on_progress, "total": total}
    with naming_all(split.image_paths):
        image_features = encode(model.encode_images, pictures, **how)
    text_features = encode(model.encode_texts, list(split.captions), done=split.num_images, **how)
    return evaluate_features(image_features, text_features, split, ks=ks, metrics=metrics)


def _found(split: Split) -> Split:
    """The same, unless only some of its pictures are there.

    Without the first one a model that reads pictures ends at once, and one that goes by their names needs none.
    """
    return whole(split) if os.path.exists(split.image_paths[0]) else split  # noqa: PTH110 (Path's may raise)


def whole(split: Split) -> Split:
    """The same, if all of its pictures are there: to be asked before hours are spent on those that come first.

    Raises:
        MissingImageError: some are missing; the first three are named, all are counted.

    >>> whole(Split("test", ())).num_images
    0
    """
    missing = [path for path in split.image_paths if not os.path.exists(path)]  # noqa: PTH110 (Path's may raise)
    if missing:
        raise MissingImageError(
            f"{', '.join(map(printable, missing[:3]))}: no such picture; {len(missing)} of {split.num_images} of the "
            f"split {split.name!r} are missing. Fix: bring them back; `tireid check-data` names them"
        )
    return split


@checked()
def cross_evaluate(
    models: Mapping[str, Encoder], splits: Mapping[str, Split], *, table: Path | None = None, **options: Any
) -> pd.DataFrame:
    """Every model on every split, for instance each checkpoint on the test people of each data set.

    Args:
        models: by the names that the table gives them.
        splits: likewise, such as ``{"RSTPReid": data.split("test")}``.
        table: CSV file to write what is known after each of them. Nothing is taken from an earlier one: it does not say
            which weights and pictures its figures are of.
        options: of :func:`evaluate`, such as `ks`.

    Returns:
        A row per model, data set and direction, a column per metric, in percent, unrounded.

    >>> cross_evaluate({"mine": model}, {"RSTPReid": rstp.test, "CUHK-PEDES": cuhk.test})   # doctest: +SKIP

    >>> from tireid.data import Record
    >>> class Ideal:
    ...     encode_images = encode_texts = staticmethod(lambda given, **_: np.eye(2))
    ...
    >>> split = Split("test", [Record(Path(f"{n}.jpg"), n, ("a man",), "test") for n in (7, 8)])
    >>> pictures = np.zeros((2, 3, 8, 8), np.uint8)
    >>> table = cross_evaluate({"ideal": Ideal()}, {"own": split}, images=pictures)
    >>> table.loc["ideal"].shape
    (2, 5)
    """
    known: dict[tuple[str, str], pd.DataFrame] = {}
    for model, split in product(models, splits):
        known[model, split] = evaluate(models[model], splits[split], **options).table()
        if table is not None:
            write_table(table, _crossed(known).reset_index())
    return _crossed(known)


def _crossed(known: Mapping[tuple[str, str], pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(known, names=["model", "data", "direction"])


@checked(ks=COLLECTION)
def evaluate_features(
    image_features: Features,
    text_features: Features,
    split: Split,
    *,
    ks: Sequence[int] = (1, 5, 10),
    metrics: Sequence[str | Metric] = (),
) -> Score:
    """As :func:`evaluate`, from features that are already there.

    Args:
        image_features: (split.num_images, D) in the split's order; need not be normalised.
        text_features: (split.num_captions, D), likewise.
        split: the split that they come from.
        ks: as of :func:`evaluate`.
        metrics: as of :func:`evaluate`.

    Raises:
        PartError: as :func:`evaluate`.
        ValueError: as :func:`~tireid.search.metrics.retrieval_metrics`.

    >>> from tireid.data import Record, Split
    >>> records = [Record(Path(f"{i}.jpg"), i, (f"person {i}",), "test") for i in (1, 2)]
    >>> evaluate_features(np.eye(2), np.eye(2), Split("test", tuple(records))).metrics["t2i/R@1"]
    100.0
    """
    names = relative_names(split.image_paths)
    images = _Side(to_numpy(image_features), np.array(split.image_person_ids), names, "path")
    texts = _Side(to_numpy(text_features), np.array(split.caption_person_ids), list(split.captions), "text")
    more = _own_metrics(metrics)
    means: dict[str, float] = {}
    tables = []
    for direction, queries, gallery in (("t2i", texts, images), ("i2t", images, texts)):
        table = _rank(queries, gallery, more)
        means |= {f"{direction}/{name}": value for name, value in summarise(table, ks, more).items()}
        tables.append(table.assign(direction=direction))
    per_query = pd.concat(tables, ignore_index=True)
    return Score(split.name, means, per_query[[*COLUMNS, *more, "top1", "top1_person_id"]])


def _own_metrics(metrics: Sequence[str | Metric]) -> dict[str, Metric]:
    functions = [resolve_function(one, "metric", "metrics") if isinstance(one, str) else one for one in metrics]
    found: dict[str, Metric] = {}
    for function in functions:
        if not callable(function):
            raise PartError(f"metrics: expected functions or their import paths, got {function!r}")
        name = function.__name__
        if name in found or name in RESERVED:
            raise PartError(f"metrics: two figures would be called {name!r}; give the function another name")
        found[name] = partial(_figure, function)
    return found


def _in_range(value: Any) -> float:
    figure = float(value)
    if not -1e-9 <= figure <= 1 + 1e-9:  # nan too
        raise ValueError
    return figure


def _figure(metric: Metric, ranks: Any) -> float:
    """What somebody's own metric says of a query, if it is what a mean in percent can be made of."""
    return float(Kind("between 0 and 1", _in_range)(f"the figure of the metric {metric.__name__!r}", metric(ranks)))


@dataclass(frozen=True)
class _Side:
    """Pictures or captions: as queries in one direction, as the gallery in the other."""

    features: Any
    person_ids: Any
    names: list[str]
    column: str


def _rank(queries: _Side, gallery: _Side, more: Mapping[str, Metric]) -> pd.DataFrame:
    """Table per query; the gallery is put in the order of its names, so that `top1` does not hang on the split's."""
    order = np.array(sorted(range(len(gallery.names)), key=gallery.names.__getitem__))
    if len(gallery.features) != len(order):
        raise ValueError(
            f"{len(gallery.features)} features for the {len(order)} items of the split ({gallery.column}s)"
        )
    ranking = rank_relevant(queries.features, gallery.features[order], queries.person_ids, gallery.person_ids[order])
    table = per_query_table(ranking, more)
    top = order[table.pop("nearest").to_numpy()]
    other = {"text": "path", "path": "text"}[queries.column]
    named: dict[str, Any] = {queries.column: _texts(queries.names), other: np.nan}
    return table.assign(
        query=np.arange(len(queries.names)),
        person_id=queries.person_ids,
        top1=_texts([gallery.names[i] for i in top]),
        top1_person_id=gallery.person_ids[top],
        **named,
    )


def _texts(names: Sequence[str]) -> pd.Series:
    return pd.Series(names, dtype=object)  # Arrow's text, which pandas prefers, takes no name outside UTF-8


def relative_names(paths: Sequence[Path], root: Path | None = None) -> list[str]:
    """Paths as text with forward slashes, relative to `root` where they lie under it.

    Without `root`, relative to the deepest folder that holds them all: short, and the same on every machine.

    >>> relative_names([Path("/d/a/1.jpg"), Path("/d/b/2.jpg")])
    ['a/1.jpg', 'b/2.jpg']
    """
    if root is None:
        root = common_folder(paths)
    texts = [path.as_posix() for path in paths]  # texts are cut ten times as fast as paths are
    if root is None or root == Path():
        return texts
    above = root.as_posix().rstrip("/") + "/"
    return [text.removeprefix(above) for text in texts]


def common_folder(paths: Sequence[Path]) -> Path | None:
    """The deepest folder that holds all `paths`; None where there is none, as between relative and absolute ones."""
    try:
        return Path(os.path.commonpath([path.parent for path in paths]))
    except ValueError:
        return None
