"""The training loop: data -> model -> checkpoint and history.

One loop for the bundled model on a laptop and for CLIP on several GPUs: accelerate moves it between devices, casts to
bfloat16, averages gradients and keeps the state for a resume. The recipe (four parameter groups, warm-up, cosine) is
IRRA's, see :class:`tireid.options.OptimizerConfig`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader

from tireid.basics.arguments import checked
from tireid.basics.extras import extra, require
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
    make_loader,
)
from tireid.model import TIReID
from tireid.options import Config
from tireid.search import Score, evaluate
from tireid.train.claim import claim_data
from tireid.train.device import build_accelerator
from tireid.train.folder import RunFolder, read_state
from tireid.train.recipe import build_sampler, build_schedule, gradient_norms
from tireid.train.run import SELECTION_METRIC, TrainingError, TrainingRun
from tireid.train.scoring import final_metrics
from tireid.train.watch import LossWatch

with extra("train"):
    from accelerate import Accelerator
    from accelerate.utils import set_seed

__all__ = ["TrainingError", "TrainingRun", "build_sampler", "build_schedule", "gradient_norms", "train"]


@checked()
def train(
    config: Config,
    output_dir: str | Path,
    *,
    data: Dataset | None = None,
    model: TIReID | None = None,
    on_log: Callable[[dict[str, float]], None] | None = None,
    on_score: Callable[[TIReID, int], None] | None = None,
    tensorboard: bool = False,
) -> TrainingRun:
    """Train, validate, keep the best and the last checkpoint, and test both once.

    Run it again with the same arguments and an interrupted training goes on after its last whole epoch as if nothing
    had happened; a finished one is read back. `data` replaces the data set that `config` names, `model` the backbone;
    what requires no gradient stays as it is (`model.backbone.requires_grad_(False)` trains encoder and heads alone).
    `on_log` receives every row of the history as it is made, `on_score` the model and the number of its epochs whenever
    it is scored, to look at and not to change; `tensorboard` writes them for TensorBoard too, beside
    `history.csv`, and needs the extra of that name.

    Raises:
        TrainingError: `output_dir` holds a run of another configuration, on other data or of other code from outside,
            is being trained in or cannot be written; or the loss or a weight is not finite: the state after the last
            good epoch stays.
        ValueError: the data have no train or no test split; ArgumentError: an argument is of another kind.
        ConfigError: `config` names a part from outside that is not trusted, see :mod:`tireid.basics.parts`.

    >>> run = tireid.train(tireid.Config.preset("paper"), "runs/paper")   # doctest: +SKIP
    >>> run.metrics["test/best/t2i/R@1"]                                  # doctest: +SKIP
    """
    config, folder = config.resolved(), RunFolder(Path(output_dir))
    if tensorboard:
        require("tensorboard", "tensorboard")  # accelerate would leave a missing one out in silence
    accelerator = build_accelerator(config, folder.path, tensorboard)
    with folder.locked() if accelerator.is_main_process else nullcontext():
        with accelerator.main_process_first():
            folder.claim(config)
            data = claim_data(folder, config, data)
        if data is not None and not folder.finished:
            if tensorboard:
                accelerator.init_trackers("tensorboard")
            _seed(config.seed)
            if model is None:
                model = TIReID.build(config, data.train.num_people, train_captions=data.train.captions)
            model.domain = None  # that of the weights it starts from; its own is measured at the end
            loop = _Loop(config, folder, accelerator, data, model, on_log, on_score)
            loop.run()
            if accelerator.is_main_process:
                folder.finish(final_metrics(config, loop.state, data, loop.caches, folder.path, accelerator.device))
            accelerator.wait_for_everyone()
        return TrainingRun(folder.path, config, *folder.result())


class _Loop:
    """The state of one training; each method is one stage of it."""

    def __init__(
        self,
        config: Config,
        folder: RunFolder,
        accelerator: Accelerator,
        data: Dataset,
        model: TIReID,
        on_log: Callable[[dict[str, float]], None] | None,
        on_score: Callable[[TIReID, int], None] | None = None,
    ) -> None:
        self.config, self.folder, self.accelerator, self.data = config, folder, accelerator, data
        self.on_log, self.on_score = on_log, on_score
        size = (config.image.height, config.image.width)
        self._mode = None if accelerator.is_main_process else "off"
        with accelerator.main_process_first():
            self.caches = {split.name: self._decode(split, size) for split in data.splits}
        self.loader, self.sampler = self._loader(model)
        self.steps_per_epoch = len(self.sampler) // config.training.accumulate
        if self.steps_per_epoch == 0:
            raise TrainingError(
                f"an epoch has {len(self.sampler)} batches, fewer than training.accumulate "
                f"({config.training.accumulate}); lower it or sampler.batch_size ({config.sampler.batch_size})"
            )
        self.total_steps = config.epochs * self.steps_per_epoch
        self.stop_at = min(self.total_steps, config.training.max_steps or self.total_steps)
        image = config.image
        augment = Augment(size, image.flip, image.pad, image.erase, image.erasing)
        self.augment = augment.to(accelerator.device)
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
        done = self.state["step"] * self.config.training.accumulate
        with Progress(total, "train", initial=done, mode=self._mode) as bar:
            while self.state["step"] < self.stop_at:
                self._started = time.monotonic()
                self._epoch(LossWatch(bar, self.folder.path))
                self.state["train_seconds"] = self._seconds()
                self._started = None
                self.state["epoch"] += 1
                self._check_weights()
                self._validate()
                self._save()
        if self.accelerator.is_main_process:
            self.folder.promote("last", self.bare_model.save_pretrained)
        for tracker in self.accelerator.trackers:
            tracker.finish()

    def _decode(self, split: Split, size: tuple[int, int]) -> ImageCache:
        with Progress(split.num_images, f"decode {split.name} pictures", mode=self._mode) as bar:
            return ImageCache.build(split.image_paths, size, on_progress=bar.to, upright=split.upright)

    def _loader(self, model: TIReID) -> tuple[DataLoader[Batch], PKBatchSampler | RandomBatchSampler]:
        split, ranks = self.data.train, (self.accelerator.process_index, self.accelerator.num_processes)
        sampler = build_sampler(self.config, split, *ranks)
        labels = torch.from_numpy(split.labels)
        input_ids = model.tokenizer(split.captions)
        workers = self.config.training.workers
        ends = eot_positions(input_ids, model.tokenizer.eos_id) + 1
        lengths = None if self.config.interaction.attend_padding else ends
        return make_loader(split, self.caches[split.name], input_ids, labels, sampler, workers, lengths), sampler

    def _epoch(self, watch: LossWatch) -> None:
        # Augmentation draws from the global generators: seeding each epoch makes a resume repeat it exactly.
        epoch = self.state["epoch"]
        _seed(self.config.seed * 100_003 + epoch * 101 + self.accelerator.process_index)
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
        generator = torch.Generator(device).manual_seed(
            ((self.config.seed * 1_000_003 + step) * 1_009 + number) % 2**63
        )
        with self.accelerator.accumulate(self.model):
            pixel_values = self.augment(batch.images)
            with self.accelerator.autocast():
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
                if self.on_score is not None:
                    self.on_score(self.bare_model, self.state["epoch"])
            if split is None or value > self.state["best"]:
                self.state |= {"best": value, "best_epoch": self.state["epoch"]}
                self.folder.promote("best", self.bare_model.save_pretrained)
        self.accelerator.wait_for_everyone()

    def _log_score(self, score: Score, split: str) -> None:
        step = self.state["step"]
        row = {"step": float(step), "epoch": step / self.steps_per_epoch, "seconds": self._seconds()}
        self._log(row | {f"{split}/{name}": value for name, value in score.metrics.items()})

    def _check_weights(self) -> None:
        """Before a state replaces a good one: the last step of an epoch may have spoilt the weights."""
        bad = [name for name, weight in self.bare_model.named_parameters() if not torch.isfinite(weight).all()]
        if bad:
            raise TrainingError(
                f"weights are not finite after step {self.state['step']} ({bad[0]} and {len(bad) - 1} more); lower "
                f"optimizer.lr or loss.gamma, or set training.clip_norm. The state before this epoch is in "
                f"{self.folder.path}"
            )

    def _save(self) -> None:
        """Everything a resume needs, in a folder of its own per epoch."""
        draft = self.folder.draft(self.state["epoch"])
        self.accelerator.wait_for_everyone()
        try:
            self.accelerator.save_state(str(draft))
        except (OSError, RuntimeError) as error:  # torch's writer says RuntimeError where the disk is full
            raise TrainingError(f"cannot write {draft}: {error}; the state before this epoch is kept") from error
        self.accelerator.wait_for_everyone()
        if self.accelerator.is_main_process:
            self.folder.commit(self.state, self.history)
        self.accelerator.wait_for_everyone()

    def _resume(self) -> None:
        newest = self.folder.newest()
        if newest is None:
            return
        try:
            self.accelerator.load_state(str(newest))
            self.state, self.history = read_state(newest)
        except Exception as error:
            raise TrainingError(
                f"the state {newest} cannot be read ({type(error).__name__}: {error}); delete it, and the training "
                "starts again from the beginning"
            ) from error
        if self.accelerator.is_main_process:
            self.folder.settle()
        self.accelerator.print(f"resumed {self.folder.path} after epoch {self.state['epoch']} of {self.config.epochs}")


def _seed(seed: int) -> None:
    """Seed every generator; numpy's takes 32 bits."""
    set_seed(seed % 2**32)
