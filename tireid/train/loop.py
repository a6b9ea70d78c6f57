"""The training loop: data -> model -> checkpoint and history.

One loop for the bundled model on a laptop and for CLIP on several GPUs: accelerate moves it between devices, casts to
bfloat16, averages gradients and keeps the state for a resume. The recipe (four parameter groups, warm-up, cosine) is
IRRA's, see :class:`tireid.options.OptimizerConfig`.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.data import DataLoader

from tireid.basics.extras import extra, require
from tireid.basics.files import read_json, replace_directory, write_atomically, write_json
from tireid.basics.progress import Progress
from tireid.data import (
    Augment,
    Batch,
    Dataset,
    ImageCache,
    PKBatchSampler,
    RandomBatchSampler,
    Split,
    eot_positions,
    load_dataset,
    make_loader,
)
from tireid.model import TIReID
from tireid.options import Config
from tireid.search import Score, evaluate
from tireid.train.recipe import build_sampler, build_schedule, computes_in_bfloat16, gradient_norms
from tireid.train.watch import LossWatch, TrainingError

with extra("train"):
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState
    from accelerate.utils import set_seed

__all__ = ["TrainingError", "TrainingRun", "build_sampler", "build_schedule", "gradient_norms", "train"]

SELECTION_METRIC = "t2i/R@1"


@dataclass(frozen=True)
class TrainingRun:
    """What a finished training left behind.

    `metrics` is flat: `test/best/t2i/R@1`, `test/last/...`, `val/best/...` in percent, `best_epoch`, `steps`,
    `train_seconds`, `samples_per_second`, `peak_memory_mib` (of the GPU, else of the process; absent where the system
    does not say), and `selection`, the words that say how the best checkpoint was chosen.
    """

    output_dir: Path
    config: Config
    metrics: dict[str, Any]
    history: pd.DataFrame
    """A row per logged step: seconds of training so far (validations left out), learning rate, loss, terms,
    diagnostics, gradient norms; `val/...` where evaluated."""

    @property
    def checkpoint(self) -> Path:
        """Directory of the best checkpoint."""
        return self.output_dir / "best"

    @property
    def last_checkpoint(self) -> Path:
        """Directory of the last checkpoint."""
        return self.output_dir / "last"

    def model(self) -> TIReID:
        """The best checkpoint, in evaluation mode."""
        return TIReID.from_pretrained(self.checkpoint)


def train(
    config: Config,
    output_dir: str | Path,
    *,
    data: Dataset | None = None,
    model: TIReID | None = None,
    on_log: Callable[[dict[str, float]], None] | None = None,
    tensorboard: bool = False,
) -> TrainingRun:
    """Train, validate, keep the best and the last checkpoint, and test both once.

    Run it again with the same arguments and an interrupted training goes on after its last whole epoch as if nothing
    had happened; a finished one is read back. `data` replaces the data set that `config` names, `model` the backbone.
    `on_log` receives every row of the history as it is made; `tensorboard` writes them for TensorBoard too, beside
    `history.csv`, and needs the extra of that name.

    Raises :class:`TrainingError` when `output_dir` holds a run of another configuration or when the loss is not
    finite.

    >>> run = tireid.train(tireid.Config.preset("paper"), "runs/paper")   # doctest: +SKIP
    >>> run.metrics["test/best/t2i/R@1"]                                  # doctest: +SKIP
    """
    output_dir = Path(output_dir)
    if tensorboard:
        require("tensorboard", "tensorboard")  # accelerate would leave a missing one out in silence
    accelerator = _accelerator(config, output_dir, tensorboard)
    _claim(output_dir, config, accelerator)
    if tensorboard:
        accelerator.init_trackers("tensorboard")
    finished = output_dir / "metrics.json"
    if not finished.exists():
        with accelerator.main_process_first():
            data = data or load_dataset(config.dataset, config.root)
        set_seed(config.seed)
        if model is None:
            model = TIReID.build(config, data.train.num_people, train_captions=data.train.captions)
        loop = _Loop(config, output_dir, accelerator, data, model, on_log)
        loop.run()
        if accelerator.is_main_process:
            write_json(finished, loop.final_metrics())
        accelerator.wait_for_everyone()
    return TrainingRun(output_dir, config, read_json(finished), pd.read_csv(output_dir / "history.csv"))


class _Loop:
    """The state of one training; each method is one stage of it."""

    def __init__(
        self,
        config: Config,
        output_dir: Path,
        accelerator: Accelerator,
        data: Dataset,
        model: TIReID,
        on_log: Callable[[dict[str, float]], None] | None,
    ) -> None:
        self.config, self.output_dir, self.accelerator, self.data = config, output_dir, accelerator, data
        self.on_log = on_log
        size = (config.image.height, config.image.width)
        with accelerator.main_process_first():
            self.caches = {split.name: _decode(split, size) for split in (data.train, data.val, data.test) if split}
        self.loader, self.sampler = self._loader(model)
        self.steps_per_epoch = len(self.sampler) // config.training.accumulate
        if self.steps_per_epoch == 0:
            raise TrainingError(
                f"an epoch has {len(self.sampler)} batches, fewer than training.accumulate "
                f"({config.training.accumulate}); lower it or sampler.batch_size ({config.sampler.batch_size})"
            )
        self.total_steps = config.epochs * self.steps_per_epoch
        self.stop_at = min(self.total_steps, config.training.max_steps or self.total_steps)
        self.augment = Augment(size, config.image.flip, config.image.pad, config.image.erase).to(accelerator.device)
        options = config.optimizer
        groups = model.parameter_groups(options)
        optimizer = torch.optim.Adam(groups, betas=options.betas, eps=options.eps, fused=True)
        schedule = build_schedule(optimizer, config, self.steps_per_epoch)
        self.model, self.optimizer, self.schedule = accelerator.prepare(model, optimizer, schedule)
        self.history: list[dict[str, float]] = []
        self.state: dict[str, Any] = {"epoch": 0, "step": 0, "best": -1.0, "best_epoch": 0, "train_seconds": 0.0}
        self._started: float | None = None

    @property
    def bare_model(self) -> TIReID:
        """The model without the distributed wrapper."""
        bare: TIReID = self.accelerator.unwrap_model(self.model)
        return bare

    def run(self) -> None:
        """All epochs, from wherever the state on disk stands."""
        self._resume()
        total = self.stop_at * self.config.training.accumulate
        mode = None if self.accelerator.is_main_process else "off"
        with Progress(total, "train", initial=self.state["step"] * self.config.training.accumulate, mode=mode) as bar:
            while self.state["step"] < self.stop_at:
                self._started = time.monotonic()
                self._epoch(LossWatch(bar, self.output_dir))
                self.state["train_seconds"] = self._seconds()
                self._started = None
                self.state["epoch"] += 1
                self._validate()
                self._save()
        if self.accelerator.is_main_process:
            replace_directory(self.output_dir / "last", self.bare_model.save_pretrained)
        for tracker in self.accelerator.trackers:
            tracker.finish()

    def final_metrics(self) -> dict[str, Any]:
        """The test split, once for the best and once for the last checkpoint."""
        split = self.config.training.select_on
        metrics: dict[str, Any] = {"selection": _selection_words(self.data, split)}
        score: Score | None = None
        for which in ("best", "last"):
            if score is None or self.state["best_epoch"] != self.state["epoch"]:  # else both are the same weights
                model = TIReID.from_pretrained(self.output_dir / which).to(self.accelerator.device)
                score = evaluate(model, self.data.test, images=self.caches["test"])
            metrics |= {f"test/{which}/{name}": value for name, value in score.metrics.items()}
            score.per_query.to_csv(self.output_dir / f"per_query_{which}.csv", index=False)
        if self.state["best"] >= 0:
            metrics[f"{split}/best/{SELECTION_METRIC}"] = self.state["best"]
        samples = self.state["step"] * self.config.training.accumulate * self.config.sampler.batch_size
        seconds = self.state["train_seconds"]
        memory = _peak_memory_mib()
        metrics |= {} if memory is None else {"peak_memory_mib": memory}
        return metrics | {
            "best_epoch": self.state["best_epoch"],
            "steps": self.state["step"],
            "train_seconds": round(seconds, 1),
            "samples_per_second": round(samples / max(seconds, 1e-9), 1),
        }

    def _loader(self, model: TIReID) -> tuple[DataLoader[Batch], PKBatchSampler | RandomBatchSampler]:
        split, ranks = self.data.train, (self.accelerator.process_index, self.accelerator.num_processes)
        sampler = build_sampler(self.config, split, *ranks)
        labels = torch.from_numpy(split.labels)
        input_ids = model.tokenizer(split.captions)
        workers = self.config.training.workers
        lengths = eot_positions(input_ids, model.tokenizer.eos_id) + 1
        return make_loader(split, self.caches[split.name], input_ids, labels, sampler, workers, lengths), sampler

    def _epoch(self, watch: LossWatch) -> None:
        # Augmentation draws from the global generators: seeding each epoch makes a resume repeat it exactly.
        epoch = self.state["epoch"]
        set_seed(self.config.seed * 100_003 + epoch * 101 + self.accelerator.process_index)
        self.sampler.set_epoch(epoch)
        self.model.train()
        used = self.steps_per_epoch * self.config.training.accumulate
        for number, batch in enumerate(self.loader):
            if number == used or self.state["step"] >= self.stop_at:
                break
            self._step(batch.to(self.accelerator.device), number, watch)
            watch.read(self.config.training.log_every)
        watch.read()

    def _step(self, batch: Batch, number: int, watch: LossWatch) -> None:
        step, device = self.state["step"], self.accelerator.device
        # The same generator on every process: the noise belongs to the gathered batch.
        generator = torch.Generator(device).manual_seed((self.config.seed * 1_000_003 + step) * 1_009 + number)
        with self.accelerator.accumulate(self.model):
            pixel_values = self.augment(batch.images)
            with self.accelerator.autocast(), self._attention():
                out = self.model(
                    pixel_values,
                    batch.input_ids,
                    batch.labels,
                    generator=generator,
                    progress=step / max(1, self.total_steps),
                )
            watch.add(step, out)
            row = self._row(out, step, number) if step % self.config.training.log_every == 0 else None
            self.accelerator.backward(out.loss)
            norm = self._clip(row is not None)
            self.optimizer.step()
            if self.accelerator.sync_gradients:
                lr = self.optimizer.param_groups[0]["lr"]
                self.schedule.step()
                self.state["step"] += 1
                if row is not None:
                    self._log(row | {"lr": lr, "gradient_norm": norm})
            self.optimizer.zero_grad()

    def _attention(self) -> AbstractContextManager[Any]:
        """On a processor, plain attention for bfloat16: at these lengths torch's fused one takes 1.3 times as long."""
        plain = self.accelerator.device.type == "cpu" and self.accelerator.mixed_precision == "bf16"
        return sdpa_kernel(SDPBackend.MATH) if plain else nullcontext()

    def _row(self, out: Any, step: int, number: int) -> dict[str, float]:
        row = {"step": float(step), "epoch": step / self.steps_per_epoch, "seconds": self._seconds()}
        row["loss"] = out.loss.item()
        row |= {f"loss/{name}": value.item() for name, value in out.losses.items()}
        row |= {name: float(value) for name, value in out.diagnostics.items()}
        if number == 0 and self.accelerator.num_processes == 1:
            row |= gradient_norms(out.losses, self.bare_model.backbone)
        return row

    def _seconds(self) -> float:
        """Training so far, in this process and in those that it resumed."""
        now = 0.0 if self._started is None else time.monotonic() - self._started
        return float(round(self.state["train_seconds"] + now, 2))

    def _clip(self, wanted: bool) -> float:
        limit = self.config.training.clip_norm
        if not self.accelerator.sync_gradients or not (wanted or limit):
            return 0.0
        norm = self.accelerator.clip_grad_norm_(self.model.parameters(), limit or float("inf"))
        return float(norm) if norm is not None else 0.0

    def _log(self, row: dict[str, float]) -> None:
        self.history.append(row)
        self.accelerator.log({k: v for k, v in row.items() if k != "step"}, step=int(row["step"]))
        if self.on_log is not None and self.accelerator.is_main_process:
            self.on_log(row)

    def _validate(self) -> None:
        """Score the selection split, keep the best checkpoint; without such a split the newest one is the best."""
        last = self.state["step"] >= self.stop_at
        if not (last or self.state["epoch"] % self.config.training.evaluate_every == 0):
            return
        if self.accelerator.is_main_process:
            split = getattr(self.data, self.config.training.select_on)
            value = -1.0
            if split is not None:
                score = evaluate(self.bare_model, split, images=self.caches[split.name], on_progress=lambda *_: None)
                value = score.metrics[SELECTION_METRIC]
                self._log_score(score, split.name)
            if split is None or value > self.state["best"]:
                self.state |= {"best": value, "best_epoch": self.state["epoch"]}
                replace_directory(self.output_dir / "best", self.bare_model.save_pretrained)
        self.accelerator.wait_for_everyone()

    def _log_score(self, score: Score, split: str) -> None:
        step = self.state["step"]
        row = {"step": float(step), "epoch": step / self.steps_per_epoch, "seconds": self._seconds()}
        self._log(row | {f"{split}/{name}": value for name, value in score.metrics.items()})

    def _save(self) -> None:
        """Everything a resume needs, in a folder of its own per epoch; `progress.json`, written last, completes it."""
        target = self.output_dir / f"state-{self.state['epoch']:05d}"
        if self.accelerator.is_main_process:
            shutil.rmtree(target, ignore_errors=True)
        self.accelerator.wait_for_everyone()
        self.accelerator.save_state(str(target))
        if self.accelerator.is_main_process:
            pd.DataFrame(self.history).to_csv(target / "history.csv", index=False)
            write_json(target / "progress.json", self.state)
            write_atomically(self.output_dir / "history.csv", (target / "history.csv").read_bytes())
            for older in set(self.output_dir.glob("state-*")) - {target}:
                shutil.rmtree(older)
        self.accelerator.wait_for_everyone()

    def _resume(self) -> None:
        whole = sorted(path.parent for path in self.output_dir.glob("state-*/progress.json"))
        if not whole:
            return
        self.accelerator.load_state(str(whole[-1]))
        self.state = read_json(whole[-1] / "progress.json")
        rows = pd.read_csv(whole[-1] / "history.csv").to_dict("records")
        self.history = [{str(k): v for k, v in row.items() if not pd.isna(v)} for row in rows]
        self.accelerator.print(f"resumed {self.output_dir} after epoch {self.state['epoch']} of {self.config.epochs}")


def _accelerator(config: Config, output_dir: Path, tensorboard: bool) -> Accelerator:
    precision = config.training.precision
    if precision == "auto":
        precision = "bf16" if computes_in_bfloat16() else "fp32"
    # accelerate shares one state per process; a notebook may train twice, with another precision.
    AcceleratorState._reset_state()
    accelerator = Accelerator(
        # Without it accelerate does not join the processes of a machine that has no accelerator.
        cpu=not torch.accelerator.is_available(),
        mixed_precision="bf16" if precision == "bf16" else "no",
        gradient_accumulation_steps=config.training.accumulate,
        # The schedule counts optimiser steps, whatever the number of processes.
        step_scheduler_with_optimizer=False,
        log_with="tensorboard" if tensorboard else None,
        project_dir=str(output_dir),
    )
    if config.sampler.batch_size % accelerator.num_processes:
        raise TrainingError(
            f"sampler.batch_size ({config.sampler.batch_size}) must be a multiple of the number of processes "
            f"({accelerator.num_processes})"
        )
    return accelerator


def _claim(output_dir: Path, config: Config, accelerator: Accelerator) -> None:
    """Write the configuration, or make sure that the folder's is the same."""
    path = output_dir / "config.json"
    if path.exists():
        known = Config.load(path)
        if known != config:
            raise TrainingError(
                f"{output_dir} holds a run of another configuration ({_difference(known, config)}); "
                "choose another output_dir or delete it"
            )
    elif accelerator.is_main_process:
        output_dir.mkdir(parents=True, exist_ok=True)
        write_json(path, config.to_dict())
    accelerator.wait_for_everyone()


def _difference(a: Config, b: Config) -> str:
    left, right = pd.json_normalize(a.to_dict()).iloc[0], pd.json_normalize(b.to_dict()).iloc[0]
    names = [n for n in left.index.union(right.index) if str(left.get(n)) != str(right.get(n))]
    return ", ".join(f"{n}: {left.get(n)} there, {right.get(n)} here" for n in names[:4])


def _decode(split: Split, size: tuple[int, int]) -> ImageCache:
    total = split.num_images
    with Progress(total, f"decode {split.name} pictures") as bar:
        return ImageCache.build(split.image_paths, size, on_progress=bar.to)


def _peak_memory_mib() -> float | None:
    if torch.cuda.is_available():
        return round(torch.cuda.max_memory_allocated() / 2**20, 1)
    try:
        import resource
    except ImportError:  # not on Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20, 1)


def _selection_words(data: Dataset, split: str) -> str:
    if split == "test":
        return "best checkpoint selected on the test split, as the peers do; its test figures are optimistic"
    if data.val is None:
        return f"{data.name} has no validation split: no selection, the last epoch is also the best"
    return f"best checkpoint selected on the validation split by {SELECTION_METRIC}"
