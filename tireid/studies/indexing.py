"""Index a folder: in one gallery, or in shards that are made one by one, side by side, or by jobs of a cluster."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Unpack

from tireid.basics.files import writable
from tireid.basics.progress import Progress
from tireid.search import Encoder, Gallery
from tireid.search.evaluation import relative_names
from tireid.search.pictures import find_pictures, share_of
from tireid.search.shards import index_shard, keep, merge, shards_of
from tireid.studies.launcher import How, Launcher, Outcome, Work


class Share(NamedTuple):
    """A shard, counted from 0, out of so many."""

    shard: int
    of: int

    def __str__(self) -> str:
        return f"shard {self.shard} of {self.of}"


@dataclass(frozen=True)
class _Encoding(Work[Share]):
    """Makes a shard."""

    load: Callable[[], Encoder]
    folder: Path
    directory: Path
    half: bool
    graph: bool
    threads: int | None = None

    def __call__(self) -> Outcome[Share]:
        import torch

        if self.threads is not None:
            torch.set_num_threads(self.threads)
        began, model = time.monotonic(), self.load()
        gallery = index_shard(model, self.folder, self.directory, self.task, half=self.half, graph=self.graph)
        seconds = time.monotonic() - began
        if gallery is None:
            return Outcome(self.task, "skipped", seconds, "no picture that can be read")
        return Outcome(self.task, "done", seconds, f"{len(gallery)} pictures", gallery.skipped)


def index(
    folder: str | Path,
    directory: str | Path,
    load: Callable[[], Encoder],
    *,
    shards: int = 0,
    half: bool = False,
    graph: bool = False,
    on_outcome: Callable[[Outcome[Share], int, int], None] | None = None,
    **how: Unpack[How],
) -> Gallery:
    """Encode a folder of pictures into a gallery; in one that exists, only what is new or changed.

    Args:
        folder: of the pictures.
        directory: of the gallery.
        load: gives the model, in each job anew, such as ``partial(TIReID.from_pretrained, "tiny-street")``.
        shards: how many; as many as the gallery has where it is 0. Those without a picture are not made.
        half: keep features in float16.
        graph: make the graph of approximate search too.
        on_outcome: called after each shard with what became of it, how many are over, and how many there are.
        how: where shards are made, see :class:`How`; with one job here they are made in this process. A shard that is
            there is not made again: after any accident, the same call goes on.

    Raises:
        OSError: nothing can be written at `directory`, or there is no picture in `folder`.
        RuntimeError: a shard could not be made; the gallery is as before.
        ValueError: less than one shard or job; from :meth:`Gallery.from_folder`.
    """
    if shards < 0:
        raise ValueError(f"shards: expected 1 or more, got {shards}")
    folder, directory, shards = Path(folder).absolute(), writable(directory).absolute(), shards or shards_of(directory)
    launcher = Launcher(directory, **how)
    if shards < 2:
        with Progress(0, "encode pictures") as bar:
            gallery = Gallery.of_folder(load(), folder, directory, on_progress=bar.to)
        return keep(gallery, directory, half=half, graph=graph)
    here = launcher.jobs == 1 and launcher.cluster == "local"
    threads = None if here else launcher.threads
    load = functools.cache(load) if here else load
    filled = sorted({share_of(name, shards) for name in relative_names(find_pictures(folder), folder)})
    works = [_Encoding(Share(i, shards), load, folder, directory, half, graph, threads) for i in filled]
    outcomes = []
    for over, outcome in enumerate((work() for work in works) if here else launcher.run(works), start=1):
        outcomes.append(outcome)
        if on_outcome is not None:
            on_outcome(outcome, over, len(works))
    return _merged(folder, directory, outcomes, shards)


def _merged(folder: Path, directory: Path, outcomes: Sequence[Outcome[Share]], shards: int) -> Gallery:
    """The gallery of all shards, if none failed."""
    failed = [outcome for outcome in outcomes if outcome.status == "failed"]
    if failed:
        raise RuntimeError(
            f"{len(failed)} of {len(outcomes)} shards failed, the others are kept: index again; {failed[0]}"
        )
    done = [outcome for outcome in outcomes if outcome.status == "done"]
    gallery = merge(folder, directory, sorted(outcome.task.shard for outcome in done), shards)
    gallery.skipped = [picture for outcome in done for picture in outcome.value]
    return gallery
