"""Training, its input and the metrics on a GPU, beside what the card gives at best and a plain step, in one run.

``python -m tests.benchmarks.on_gpu --out FOLDER --seconds 200`` prints rows as they are measured, the table at the end,
and writes it to FOLDER/on_gpu.json. Geometry: CLIP ViT-B/16 at 384x128 with random weights, captions of 30 tokens on
average. Floating-point operations are counted by torch's FlopCounterMode on one step without recomputation, so `share`
is that of the model's work in the rate of a bfloat16 product. Compiling takes minutes: ``--parts ceilings
compiled_steps --seconds 500``. ``--device cpu --small`` tries the script in seconds.

Not measured: scaling over processes, which one GPU cannot show, and exact search, which runs on processors.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import signal
import statistics
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import tireid
from tests.benchmarks.plain_step import WORDS, PlainIRRA
from tests.benchmarks.step_costs import PEOPLE, Loss, adam, batch, clip_model, objective, vocabulary
from tireid.basics.files import write_atomically
from tireid.data import Augment, Batch, ImageCache, Split, make_loader
from tireid.data.masking import eot_positions
from tireid.data.text import Tokenizer
from tireid.data.vocabulary import BOS, EOS
from tireid.search.benchmark import clustered
from tireid.search.ranking import rank_relevant
from tireid.train import build_sampler

Row = dict[str, Any]
PRESETS = ("irra", "paper")


@dataclass(frozen=True)
class Scale:
    """How much is measured."""

    device: str = "cuda"
    layers: int = 12
    pairs: int = 64
    sizes: tuple[int, ...] = (16, 64, 128, 256, 512)
    times: int = 4
    every: int = 15
    side: int = 8192
    items: int = 19_848
    people: int = 300
    words: int = WORDS
    compiler: str = "inductor"
    runs: int = 3

    def wait(self) -> None:
        """Until the device has done what it was given."""
        if self.device == "cuda":
            torch.cuda.synchronize()

    def seconds(self, work: Callable[[], Any], times: int = 1) -> float:
        """Of one `work`, the median of some runs of so many; the device is waited for after each run."""
        work()
        runs = []
        for _ in range(self.runs):
            self.wait()
            began = time.perf_counter()
            for _ in range(times):
                work()
            self.wait()
            runs.append((time.perf_counter() - began) / times)
        return statistics.median(runs)


SMALL = Scale("cpu", 1, 4, (2,), 1, 1, 128, 300, 8, 700, "eager", 1)


def ceilings(scale: Scale) -> Iterator[Row]:
    """What the card gives at best: a square product of random numbers, and a copy."""
    a, b = torch.randn(2, scale.side, scale.side, device=scale.device)
    for name, dtype in (("bf16", torch.bfloat16), ("fp32", torch.float32)):
        x, y = a.to(dtype), b.to(dtype)
        took = scale.seconds(lambda x=x, y=y: x @ y, scale.times)
        yield {"what": f"{name} product of {scale.side}", "ms": 1e3 * took, "TFLOP/s": 2e-12 * scale.side**3 / took}
    source = torch.empty(8 * scale.side**2, device=scale.device)
    target = torch.empty_like(source)
    took = scale.seconds(lambda: target.copy_(source), scale.times)
    yield {"what": "copy", "ms": 1e3 * took, "GB/s": 2e-9 * source.nbytes / took}


def flops(loss: Loss, given: tuple[Tensor, ...]) -> int:
    """Floating-point operations of one loss and its gradient."""
    with FlopCounterMode(display=False) as counter:
        loss(*given).backward()
    return counter.get_total_flops()


def step(scale: Scale, loss: Loss, optimizer: torch.optim.Optimizer, given: tuple[Tensor, ...], work: float) -> Row:
    """One training step on a batch that is on the device; `work` are its floating-point operations."""

    def whole() -> None:
        loss(*given).backward()
        optimizer.step()
        optimizer.zero_grad()

    whole()
    if scale.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    took, pairs = scale.seconds(whole, scale.times), len(given[0])
    row = {"pairs": pairs, "ms": 1e3 * took, "pairs/s": pairs / took, "TFLOP/s": work / took / 1e12}
    return row | ({"peak GB": torch.cuda.max_memory_allocated() / 1e9} if scale.device == "cuda" else {})


def plain_steps(scale: Scale) -> Iterator[Row]:
    """IRRA's step written plainly: in float32, under autocast, and with weights in half precision as its code has."""
    pixels, *others = batch(scale.pairs, scale.device, scale.words)
    kinds = {"fp32": torch.float32, "bf16 autocast": torch.float32, "weights in fp16": torch.float16}
    for name, dtype in kinds.items():
        if scale.device == "cpu" and dtype == torch.float16:  # takes minutes there
            continue
        model = PlainIRRA(PEOPLE, scale.words, layers=scale.layers).to(scale.device, dtype)
        cast = torch.autocast(scale.device, torch.bfloat16, enabled="autocast" in name)
        given, loss = (pixels.to(dtype), *others), cast(model)
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-5, eps=1e-3)
        yield {"what": f"plain, {name}"} | step(scale, loss, optimizer, given, flops(loss, given))


def own_model(scale: Scale, preset: str, tokenizer: Tokenizer | None = None) -> tireid.TIReID:
    """On the device."""
    return clip_model(preset, scale.layers, tokenizer or vocabulary(scale.words)).to(scale.device)


def own_batch(scale: Scale, preset: str, pairs: int) -> tuple[Tensor, Tensor, Tensor]:
    """Captions cut to the longest of the batch where the training loop does that."""
    pixels, ids, people = batch(pairs, scale.device, scale.words)
    if not tireid.Config.preset(preset).interaction.attend_padding:
        ids = ids[:, : int(eot_positions(ids, scale.words - 1).max()) + 1]
    return pixels, ids, people


def own_steps(scale: Scale) -> Iterator[Row]:
    """Each preset in float32 and bfloat16, then what a batch takes in bfloat16, then with checkpointing."""
    for preset in PRESETS:
        model = own_model(scale, preset)
        optimizer, loss = adam(model), objective(model, "bf16")
        given = own_batch(scale, preset, scale.pairs)
        work = flops(loss, given) / scale.pairs
        optimizer.zero_grad()
        yield {"what": f"{preset}, fp32"} | step(scale, objective(model, "fp32"), optimizer, given, work * scale.pairs)
        for name in ("bf16", "bf16, checkpointing"):
            if "checkpointing" in name:
                model.backbone.checkpoint()
            for pairs in scale.sizes:
                row = {"what": f"{preset}, {name}"}
                try:
                    given = own_batch(scale, preset, pairs)
                    yield row | step(scale, loss, optimizer, given, work * pairs)
                except torch.cuda.OutOfMemoryError:
                    yield row | {"pairs": pairs, "note": f"{pairs} pairs do not fit"}
        del model, optimizer, loss
        release(scale)


def compiled_steps(scale: Scale) -> Iterator[Row]:
    """torch.compile of the objective, as one graph."""
    for preset in PRESETS:
        model = own_model(scale, preset)
        loss, given = objective(model, "bf16"), own_batch(scale, preset, scale.pairs)
        work, began = flops(loss, given), time.perf_counter()
        model.zero_grad()
        torch.compiler.reset()
        fast = torch.compile(loss, fullgraph=True, dynamic=False, backend=scale.compiler)
        fast(*given).backward()
        note = f"compiled in {time.perf_counter() - began:.0f} s"
        yield {"what": f"{preset}, bf16, compiled", "note": note} | step(scale, fast, adam(model), given, work)


def clip_words(captions: list[str], words: int) -> Tokenizer:
    """A vocabulary of so many words that knows the captions."""
    model = json.loads(Tokenizer.train(captions, 600).files()["tokenizer.json"])["model"]
    ids = {token: number for token, number in model["vocab"].items() if token not in (BOS, EOS)}
    ids |= {f"<{number}>": number for number in range(len(ids), words - 2)} | {BOS: words - 2, EOS: words - 1}
    return Tokenizer(ids, [tuple(pair) for pair in model["merges"]], 77)


class Enough(Exception):
    """The loop has been measured."""


class Laps:
    """Called with every row of the history: when it came, and in the last lap where the host waited."""

    def __init__(self, scale: Scale) -> None:
        self.scale, self.stamps = scale, list[float]()

    def __call__(self, row: dict[str, float]) -> None:
        self.scale.wait()
        self.stamps.append(time.perf_counter())
        if len(self.stamps) == 4 and self.scale.device == "cuda":
            torch.cuda.set_sync_debug_mode("warn")
        if len(self.stamps) == 5:
            raise Enough


def loop_lap(scale: Scale, config: tireid.Config, data: tireid.Dataset, model: tireid.TIReID) -> tuple[float, Row]:
    """Seconds of a step of the product's training loop, and how often the host waits in a step, with the places."""
    laps = Laps(scale)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            with suppress(Enough):
                tireid.train(config, folder, data=data, model=model, on_log=laps)
        finally:
            if scale.device == "cuda":
                torch.cuda.set_sync_debug_mode("default")
    every = config.training.log_every
    waits = [w for w in caught if "synchronizing CUDA" in str(w.message)]
    places = Counter(f"{'/'.join(Path(w.filename).parts[-2:])}:{w.lineno}" for w in waits)
    note = ", ".join(f"{place} x{count / every:.2g}" for place, count in places.most_common(8))
    return (laps.stamps[3] - laps.stamps[1]) / (2 * every), {"waits/step": len(waits) / every, "note": note}


def batches(
    scale: Scale, config: tireid.Config, split: Split, model: tireid.TIReID
) -> tuple[Callable[[], Iterator[Batch]], Augment]:
    """The training loop's own batches of an epoch, and what it does with their pictures."""
    size, image = (config.image.height, config.image.width), config.image
    ids, labels = model.tokenizer(split.captions), torch.from_numpy(split.labels)
    ends = eot_positions(ids, model.tokenizer.eos_id) + 1
    lengths = None if config.interaction.attend_padding else ends
    cache, sampler = ImageCache.build(split.image_paths, size), build_sampler(config, split)
    loader = make_loader(split, cache, ids, labels, sampler, 0, lengths)
    augment = Augment(size, image.flip, image.pad, image.erase, image.erasing).to(scale.device)
    return lambda: iter(loader), augment


def loops(scale: Scale) -> Iterator[Row]:
    """The training loop with its data beside the step on one batch, and the input pipeline alone."""
    data = tireid.load_dataset("synthetic", people=(scale.people, 4, 4), captions_per_image=4)
    options = ["training.precision=bf16", f"training.log_every={scale.every}", f"sampler.batch_size={scale.pairs}"]
    options += [f"sampler.pairs_per_person={min(4, scale.pairs // 2)}"]
    cases = [("paper", "tiny"), *((preset, "CLIP") for preset in PRESETS)]
    for preset, size in cases:
        if size == "tiny":
            config = tireid.Config.preset(preset).override(options)
            model = tireid.TIReID.build(config, PEOPLE).train()
        else:
            model = own_model(scale, preset, clip_words(data.train.captions, scale.words))
            config = model.config.override(options)
        yield from pipeline(scale, config, data, model.to(scale.device), f"{preset}, {size}")
        release(scale)


def pipeline(
    scale: Scale, config: tireid.Config, data: tireid.Dataset, model: tireid.TIReID, name: str
) -> Iterator[Row]:
    """Pairs a second of: fetching, all of the input, the step on one batch, the loop; headroom is input over step."""
    epoch, augment = batches(scale, config, data.train, model)
    count = len(list(islice(epoch(), 30)))
    fetched = scale.seconds(lambda: [len(b) for b in islice(epoch(), 30)]) / count
    brought = scale.seconds(lambda: [augment(b.to(scale.device).images) for b in islice(epoch(), 30)]) / count
    first = next(epoch()).to(scale.device)
    given, loss = (augment(first.images), first.input_ids, first.labels), objective(model, "bf16")
    alone = step(scale, loss, adam(model), given, flops(loss, given))
    taken, waits = loop_lap(scale, config, data, model)
    pairs = len(first)
    yield {"what": f"{name}: fetch", "pairs/s": pairs / fetched}
    headroom = f"{alone['ms'] / 1e3 / brought:.1f} times what the step consumes"
    yield {"what": f"{name}: fetch, copy, augment", "ms": 1e3 * brought, "pairs/s": pairs / brought, "note": headroom}
    yield {"what": f"{name}: step on one batch"} | alone
    yield {"what": f"{name}: training loop", "ms": 1e3 * taken, "pairs/s": pairs / taken} | waits


def metrics(scale: Scale) -> Iterator[Row]:
    """Ranks of ICFG-PEDES' size, three items a person. They are counted on the processor, wherever the features are."""
    ids = np.arange(scale.items) // 3
    sides = [clustered(scale.items, 512, 3, 2.2, seed) + clustered(scale.items, 512, 3, 0.0) for seed in (1, 2)]
    there = [torch.from_numpy(side).to(scale.device) for side in sides]
    for where, (queries, gallery) in ((f"features on {scale.device}", there), ("features in memory", sides)):
        began = time.perf_counter()
        rank_relevant(queries, gallery, ids, ids)
        yield {"what": f"metrics, {where}", "ms": 1e3 * (time.perf_counter() - began)}
    yield {"what": "fp32 product alone, processor", "ms": 1e3 * scale.seconds(lambda: sides[0] @ sides[1].T)}
    yield {"what": "fp32 product alone, device", "ms": 1e3 * scale.seconds(lambda: there[0] @ there[1].T)}


def one_process(scale: Scale) -> Iterator[Row]:
    """The step in DistributedDataParallel with one process: what it costs before there is anything to share."""
    cuda = scale.device == "cuda"
    dist.init_process_group("nccl" if cuda else "gloo", store=dist.HashStore(), rank=0, world_size=1)
    try:
        model = own_model(scale, "irra")
        given = own_batch(scale, "irra", scale.pairs)
        wrapped = nn.parallel.DistributedDataParallel(model, device_ids=[0] if cuda else None)
        loss = objective(wrapped, "bf16")
        yield {"what": "irra, bf16, DDP of one"} | step(scale, loss, adam(model), given, flops(loss, given))
    finally:
        dist.destroy_process_group()


PARTS: tuple[Callable[[Scale], Iterator[Row]], ...]
PARTS = (ceilings, plain_steps, own_steps, loops, metrics, one_process, compiled_steps)


def release(scale: Scale) -> None:
    """Give back what the part before held."""
    gc.collect()
    if scale.device == "cuda":
        torch.cuda.empty_cache()


def out_of_time(*_: object) -> None:
    raise TimeoutError("no time left")


def measure(scale: Scale, seconds: float, names: Sequence[str] = ()) -> list[Row]:
    """The rows of the parts of these names, or of all.

    One that fails or has no time left says so in a row of its own; the others go on.
    """
    signal.signal(signal.SIGALRM, out_of_time)
    ends, rows = time.monotonic() + seconds, list[Row]()
    for part in (part for part in PARTS if not names or part.__name__ in names):
        try:
            signal.setitimer(signal.ITIMER_REAL, max(0.1, ends - time.monotonic()), 5.0)
            for row in part(scale):
                rows.append({"part": part.__name__} | row)
                print(f"{seconds - ends + time.monotonic():.0f} s", rows[-1], flush=True)
        except Exception as error:
            traceback.print_exc()
            reason = f"{type(error).__name__}: {error}".splitlines()[0][:160]
            rows.append({"part": part.__name__, "what": "failed", "note": reason})
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        release(scale)
    rate = next((row["TFLOP/s"] for row in rows if row["what"].startswith("bf16 product")), float("nan"))
    return [row | ({"share": row["TFLOP/s"] / rate} if "TFLOP/s" in row else {}) for row in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--seconds", type=float, default=200)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--parts", nargs="+", default=(), choices=[part.__name__ for part in PARTS])
    asked = parser.parse_args()
    scale = SMALL if asked.small else Scale(asked.device)
    card = torch.cuda.get_device_name() if scale.device == "cuda" else platform.processor()
    machine = f"{card}, {torch.get_num_threads()} threads, torch {torch.__version__}"
    rows = measure(scale, asked.seconds, asked.parts)
    if asked.out is not None:
        asked.out.mkdir(parents=True, exist_ok=True)
        write_atomically(asked.out / "on_gpu.json", json.dumps({"machine": machine, "rows": rows}, indent=1))
    table = pd.DataFrame(rows).drop(columns="note", errors="ignore")
    print(f"\n{machine}\n{table.to_string(index=False, na_rep='', float_format=lambda x: f'{x:.3g}')}\n")
    print("\n".join(f"{row['what']}: {row['note']}" for row in rows if row.get("note")))


if __name__ == "__main__":
    main()
