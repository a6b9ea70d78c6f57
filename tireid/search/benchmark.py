"""How fast search and metrics are, each beside a plain reference in the same run.

Each function returns one row: what was measured, seconds of the reference and of ours, and their ratio. Given the
limits of the machine, also `share`: the least time in which it could do what must be done, over ours.
"""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from PIL import Image

from tireid.search.gallery import Gallery
from tireid.search.index import Index
from tireid.search.pictures import read_batches
from tireid.search.ranking import rank_relevant

Row = dict[str, Any]
Clock = Callable[[], float]
Float32s = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Limits:
    """What this machine does at best in a second, with all of its threads, as :meth:`measure` finds it.

    >>> Limits(operations=1e12, bytes=1e10).least(operations=2e12, bytes=1e10)
    2.0
    """

    operations: float
    """Floating-point operations of a product, in the faster of float32 and bfloat16."""
    bytes: float
    """That are read or written."""

    @classmethod
    def measure(cls, clock: Clock = time.perf_counter) -> Limits:
        """From square products, and a copy of 256 MB."""
        source = torch.randn(2**26)
        target = torch.empty_like(source)
        copied = best(lambda: target.copy_(source), clock)
        return cls(
            max(product_rate(dtype, clock) for dtype in (torch.float32, torch.bfloat16)), 2 * source.nbytes / copied
        )

    def least(self, operations: float, bytes: float = 0.0) -> float:
        """Seconds of work with so many operations and so many bytes from memory: of whichever takes longer."""
        return max(operations / self.operations, bytes / self.bytes)


def product_rate(dtype: torch.dtype, clock: Clock = time.perf_counter, side: int = 2048) -> float:
    """Floating-point operations a second of a square product of so many rows.

    >>> product_rate(torch.float32, side=8) > 0
    True
    """
    square = torch.randn(side, side).to(dtype)
    return 2 * side**3 / best(lambda: square @ square, clock)


def best(work: Callable[[], Any], clock: Clock, times: int = 6) -> float:
    """Seconds of the fastest of some runs; the first one warms up."""
    return min(seconds(work, clock) for _ in range(times))


def clustered(items: int, width: int = 512, per_cluster: int = 20, noise: float = 0.7, seed: int = 0) -> Float32s:
    """(items, width) features of length one in clusters, as those of people are; `noise` is relative to the centres.

    >>> clustered(4, 8).shape
    (4, 8)
    """
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((-(-items // per_cluster), width), dtype=np.float32)
    rows = np.empty((items, width), np.float32)
    for begin in range(0, items, 65536):
        part = rows[begin : begin + 65536]
        part[:] = centres[np.arange(begin, begin + len(part)) // per_cluster]
        part += noise * rng.standard_normal(part.shape, dtype=np.float32)
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return rows


def near(features: Float32s, queries: int) -> Float32s:
    """(queries, D) of length one, each near a row of features (N, D)."""
    rng = np.random.default_rng(7)
    noise = 0.03 * rng.standard_normal((queries, features.shape[1]), dtype=np.float32)
    noisy = features[rng.integers(0, len(features), queries)] + noise
    unit: Float32s = noisy / np.linalg.norm(noisy, axis=1, keepdims=True)
    return unit


class Numbers:
    """A model whose texts are numbers of rows: searching costs no encoding."""

    fingerprint = "numbers"

    def __init__(self, queries: Float32s) -> None:
        self.queries = queries

    def encode_texts(self, texts: Sequence[str], *, batch_size: int = 64) -> Float32s:
        """(N, D) the rows that the texts name."""
        return self.queries[[int(text) for text in texts]]

    def encode_images(self, images: Any, *, batch_size: int = 64) -> Float32s:
        """(N, D) the first rows."""
        return self.queries[: len(images)]


def metrics(items: int = 19_848, width: int = 512, limits: Limits | None = None) -> Row:
    """Ranks of items x items beside the float32 product alone; three items a person."""
    ids = np.arange(items) // 3
    queries, gallery = (clustered(items, width, 3, 2.2, seed) + clustered(items, width, 3, 0.0) for seed in (1, 2))

    def product() -> None:
        for begin in range(0, items, 1024):
            queries[begin : begin + 1024] @ gallery.T

    reference = seconds(product)
    ours = seconds(lambda: rank_relevant(queries, gallery, ids, ids))
    least = None if limits is None else limits.least(2 * items**2 * width)
    return row(f"metrics, {items} x {items} x {width}", reference, ours, least)


def exact_search(
    gallery: Gallery, queries: int = 20, clock: Clock = time.perf_counter, limits: Limits | None = None
) -> list[Row]:
    """One query, and 64 at a time, beside NumPy's product of the float32 features with one vector, and with 64."""
    model, features = gallery.model, gallery.features
    assert isinstance(model, Numbers)
    one = median(lambda i: features @ model.queries[i], queries, clock)
    ours = median(lambda i: gallery.search(str(i)), queries, clock)
    batch = [str(i) for i in range(64)]
    many = seconds(lambda: features @ model.queries[:64].T, clock)
    stored = gallery.index.parts[0].dtype
    size = f"{len(gallery)} x {features.shape[1]} {str(stored).removeprefix('torch.')}"
    read, multiply = stored.itemsize * features.size, 2 * features.size
    least = [None if limits is None else limits.least(count * multiply, read) for count in (1, 64)]
    return [
        row(f"exact search, {size}, one query", one, ours, least[0]),
        row(f"exact search, {size}, 64 queries", many, seconds(lambda: gallery.search_many(batch), clock), least[1]),
    ]


def approximate_search(gallery: Gallery, queries: int = 200) -> list[Row]:
    """The graph's building, and one query of it beside the exact search, with recall@10."""
    began = time.perf_counter()
    gallery.build_graph()
    built = time.perf_counter() - began
    exact = [{hit.row for hit in hits} for hits in gallery.search_many([str(i) for i in range(queries)])]
    found = [{hit.row for hit in gallery.search(str(i), approximate=True)} for i in range(queries)]
    recall = sum(len(a & b) for a, b in zip(exact, found, strict=True)) / (10 * queries)
    one = median(lambda i: gallery.search(str(i)), 10)
    walked = median(lambda i: gallery.search(str(i), approximate=True), queries)
    return [
        row(f"graph of {len(gallery)} built", None, built),
        row(f"approximate search in {len(gallery)}", one, walked) | {"recall": recall},
    ]


def sharded_search(gallery: Gallery, shards: int = 4, queries: int = 20) -> Row:
    """One query in so many parts beside the same in one."""
    whole, parts = gallery.index, Index(gallery.index.features.chunk(shards), gallery.names)
    vectors = gallery.model.encode_texts([str(i) for i in range(queries)]).astype(np.float64)
    one = median(lambda i: whole.search(vectors[i], 10), queries)
    ours = median(lambda i: parts.search(vectors[i], 10), queries)
    return row(f"exact search in {shards} shards, {len(gallery)} pictures", one, ours)


def photographs(count: int = 8, size: tuple[int, int] = (384, 128)) -> Row:
    """Reading JPEG files of 24 megapixels for a model of `size` (height, width) beside decoding them whole."""
    grain = np.random.default_rng(0).integers(0, 256, (600, 400, 3), np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"{i}.jpg") for i in range(count)]
        Image.fromarray(grain).resize((4000, 6000)).save(paths[0], quality=90)
        for path in paths[1:]:
            shutil.copy(paths[0], path)
        plain = seconds(lambda: [Image.open(path).convert("RGB").resize(size[::-1]) for path in paths])
        ours = seconds(lambda: [batch.images.shape for batch in read_batches(paths, 4, size)])
        least = count * min(seconds(lambda: drafted(paths[0], size)) for _ in range(3)) / (os.cpu_count() or 1)
    return row(f"read {count} photographs of 24 megapixels", plain, ours, least)


def drafted(path: Path, size: tuple[int, int]) -> None:
    """Decode a JPEG file at the smallest scale that covers `size` (height, width): less cannot be read of it."""
    with Image.open(path) as image:
        image.draft("RGB", size[::-1])
        image.load()


def loading(gallery: Gallery) -> Row:
    """Loading a saved gallery beside reading its file, and how much memory it takes (MB)."""
    with tempfile.TemporaryDirectory() as folder:
        gallery.save(folder)
        file = next(Path(folder).glob("*.safetensors"))
        reference = seconds(file.read_bytes)
        before = resident()
        began = time.perf_counter()
        loaded = Gallery.load(folder, gallery.model)
        took = time.perf_counter() - began
        return row(f"load {len(loaded)}", reference, took) | {"MB": round((resident() - before) / 1e6)}


def resident() -> int:
    """Bytes of memory that this process holds; 0 where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
    except OSError:
        return 0


def seconds(work: Callable[[], Any], clock: Clock = time.perf_counter) -> float:
    """Of one run."""
    began = clock()
    work()
    return clock() - began


def median(work: Callable[[int], Any], times: int, clock: Clock = time.perf_counter) -> float:
    """Median of the seconds of `work(0)`, `work(1)`, ..."""
    work(0)
    return float(np.median([seconds(lambda i=i: work(i), clock) for i in range(times)]))  # type: ignore[misc]


def row(what: str, reference: float | None, ours: float, least: float | None = None) -> Row:
    """One line of the table; `least` is what the work takes at the limits of the machine."""
    ratio, share = reference and ours / reference, least and least / ours
    return {"what": what, "reference_s": reference, "tireid_s": ours, "ratio": ratio, "share": share}


def run(items: int = 1_000_000, width: int = 512, pictures: int = 19_848) -> list[Row]:
    """All of it: photographs, metrics of `pictures`, a gallery of `items`, and its graph where usearch is there."""
    limits = Limits.measure()
    rows = [photographs(), metrics(pictures, width, limits)]
    features = clustered(items, width)
    model = Numbers(near(features, 256))
    names = [f"camera{i % 15}/{i:07d}.jpg" for i in range(items)]
    began = time.perf_counter()
    gallery = Gallery(model, features, names, root="")
    rows += [row(f"construct {items}", None, time.perf_counter() - began), loading(gallery)]
    for held in (gallery, gallery.half()):
        rows += [*exact_search(held, limits=limits), sharded_search(held)]
    with suppress(ImportError):  # usearch is not installed
        rows += approximate_search(gallery.half())
    return rows


def machine() -> str:
    """The machine and how busy it is: seconds mean little where others compute too."""
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return (
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores{load}, {torch.get_num_threads()} threads"
    )


def table(rows: Sequence[Row]) -> str:
    """The rows as text, seconds, ratios and shares to three digits."""
    return pd.DataFrame(rows).to_string(index=False, na_rep="", float_format=lambda value: f"{value:.3g}")
