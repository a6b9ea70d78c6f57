"""Every option of a configuration, changed alone, changes what is built or computed."""

from __future__ import annotations

import types
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, Union, get_args, get_origin

import numpy as np
import pytest
import torch
from PIL import Image

import tireid
from tests.parts import outside_parts
from tireid.basics.section import Section
from tireid.data import Dataset, Record
from tireid.losses import ALIGNMENTS, RECOVERIES
from tireid.model import TIReID
from tireid.model.io.resolve import ASSETS
from tireid.options import Config
from tireid.train import claim
from tireid.train import loop as training
from tireid.train.device import build_accelerator
from tireid.train.folder import RunFolder

BASE = (
    "image.height=32",
    "image.width=16",
    "interaction.layers=2",
    "interaction.looks=1",
    "sampler.batch_size=8",
    "epochs=2",
    "training.precision=fp32",
    "optimizer.warmup_epochs=1",
    "optimizer.weight_decay=0.1",
    "masking.probability=0.8",
    "masking.up_to=null",
    "uncertainty.samples=2",
)
LABELS = {"name"}
"""Options that only say where a configuration came from."""
SAVED = tireid.TIReID.from_pretrained("tiny-street").config.interaction.model_dump()
AS_SAVED = [f"interaction.{name}={'null' if value is None else value}" for name, value in SAVED.items()]
NEEDS = {
    "image.position_interpolation": ["backbone=tiny"],
    "activation": ["backbone=tiny"],
    "image.erasing": ["image.erase=1"],
    "recovery.patch_mask": ["recovery.token=image"],
    "sampler.keep_last": ["sampler.kind=random"],
    "masking.up_to": ["masking.probability=0.1", "masking.up_to=null"],
    "interaction.fresh": ["backbone=tiny-street", *AS_SAVED],
    "loss.identity_margin": ["loss.identity_form=circle"],
    "loss.identity_gamma": ["loss.identity_form=circle"],
    "masking.random_share": ["masking.mask_share=0.4"],
    "masking.unit": ["masking.probability=0.3"],
}
"""What must be on before an option can matter."""
VALUES = {
    "dataset": [f"{outside_parts.__name__}:read"],
    "root": ["elsewhere"],
    "backbone": ["tiny"],
    "tokenizer": [str(ASSETS / "tiny")],
    "image.height": [48],
    "image.width": [32],
    "sampler.batch_size": [4],
    "sampler.pairs_per_person": [4],
    "training.metrics": [f"[{outside_parts.__name__}:reciprocal_rank]"],
    "training.clip_norm": [1e-3],
    "training.log_every": [1],
    "training.max_steps": [1],
    "interaction.heads": [1],
    "interaction.looks": [2],
    "optimizer.betas": ["[0.0, 0.999]", "[0.9, 0.5]"],
    "masking.up_to": [0.9],
}
"""Other values, where :func:`others` does not find one."""


def options() -> Iterator[Any]:
    """(option, what must be on), the options of each kind of loss included."""
    for name, field in Config.model_fields.items():
        kinds = {"loss": ("alignment", ALIGNMENTS), "recovery": ("loss", RECOVERIES)}
        if name in kinds:
            key, classes = kinds[name]
            for kind, section in classes.items():
                for leaf in section.model_fields:
                    needs = [f"{name}.{key}={kind}", *NEEDS.get(f"{name}.{leaf}", [])]
                    yield pytest.param(f"{name}.{leaf}", needs, id=f"{name}.{leaf}-{kind}")
        elif isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            for leaf in field.annotation.model_fields:
                yield pytest.param(f"{name}.{leaf}", NEEDS.get(f"{name}.{leaf}", []), id=f"{name}.{leaf}")
        elif name not in LABELS:
            yield pytest.param(name, NEEDS.get(name, []), id=name)


def others(option: str, config: Config) -> list[Any]:
    """Values that are not the one it has; one of them must matter."""
    section, _, leaf = option.rpartition(".")
    owner: Any = getattr(config, section) if section else config
    value, annotation = getattr(owner, leaf), type(owner).model_fields[leaf].annotation
    if option in VALUES:
        return VALUES[option]
    if option == "loss.alignment":
        return [kind for kind in ALIGNMENTS if kind != value]
    if option == "recovery.loss":
        return [kind for kind in RECOVERIES if kind != value]
    if option == "uncertainty.fusion":
        return ["batch"]
    if get_origin(annotation) in (Union, types.UnionType):
        annotation = next(kind for kind in get_args(annotation) if kind is not type(None))
    if get_origin(annotation) is Literal:
        return [other for other in get_args(annotation) if other != value]
    if annotation is bool:
        return [str(not value).lower()]
    if annotation is int:
        return [(value or 0) + 1]
    return [value / 2 if value else 0.5]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder, rng, records = tmp_path_factory.mktemp("people"), np.random.default_rng(0), []
    for split, people in (("train", 10), ("val", 4), ("test", 3)):
        for person in range(people):
            for take in range(2):
                file = folder / f"{split}{person}{take}.png"
                Image.fromarray(rng.integers(0, 255, (32, 16, 3), dtype=np.uint8)).save(file)
                caption = f"person {person} in a red coat" + " and blue shoes with laces" * take
                records.append(Record(file, person, (caption,), split))
    return Dataset.of("drawn", folder, records)


def built(config: Config, data: Dataset) -> list[Any]:
    """Everything that a training is made of, and the numbers of one step of it."""
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        accelerator = build_accelerator(config, Path(folder))
        torch.manual_seed(config.seed)
        model = TIReID.build(config, data.train.num_people, train_captions=data.train.captions)
        loop = training._Loop(config, RunFolder(Path(folder)), accelerator, data, model, None)
    found: list[Any] = [accelerator.mixed_precision, accelerator.gradient_accumulation_steps, loop.loader.num_workers]
    found += [loop.total_steps, loop.stop_at, [list(map(int, batch)) for batch in loop.sampler]]
    for group in loop.optimizer.param_groups:
        sizes = [tuple(parameter.shape) for parameter in group["params"]]
        found.append([sizes, *(group[name] for name in ("lr", "betas", "eps", "weight_decay"))])
    torch.manual_seed(config.seed)
    batch = next(iter(loop.loader))
    images = loop.augment(batch.images)
    generator = torch.Generator().manual_seed(config.seed)
    calls: list[int] = []  # of a layer: again where its activations were not kept
    first = loop.bare_model.backbone.vision_model.encoder.layers[0]
    first.mlp.register_forward_pre_hook(lambda *_: calls.append(1))
    out = loop.model.train()(images, batch.input_ids, batch.labels, generator=generator, progress=0.3)
    out.loss.backward()
    found += [len(calls), images.sum().item(), batch.input_ids.tolist(), out.loss.item()]
    found += [value.item() for value in out.losses.values()]
    found += [sum(p.grad.abs().sum().item() for p in model.parameters() if p.grad is not None)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(4):
            loop.schedule.step()
            found.append(loop.optimizer.param_groups[0]["lr"])
    return found


def trained(config: Config, data: Dataset) -> list[Any]:
    """What a whole training asks for, leaves behind and reports, but for the time that it took."""
    found: list[Any] = []

    def load(*asked: Any) -> Dataset:
        found.append(asked)
        return data

    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(claim, "load_dataset", load)
        run = training.train(config, folder)
        history = run.history.drop(columns="seconds")
    timing = ("train_seconds", "samples_per_second", "peak_memory_mib")
    found += [{name: value for name, value in run.metrics.items() if name not in timing}]
    return [*found, history.round(5).to_csv()]


@cache
def before(how: Any, needs: tuple[str, ...], data: Dataset) -> Any:
    return how(start(needs), data)


def start(needs: tuple[str, ...]) -> Config:
    return Config.preset("paper-strong", backbone="tiny-untrained").override([*BASE, *needs])


@pytest.mark.parametrize(("option", "needs"), options())
def test_every_option_has_an_effect(option: str, needs: list[str], data: Dataset) -> None:
    config = start(tuple(needs))
    changed = [config.override([f"{option}={value}"]) for value in others(option, config)]
    for how in (built, trained):
        if any(how(other, data) != before(how, tuple(needs), data) for other in changed):
            return
    pytest.fail(f"{option} changes nothing, whatever its value")


def test_the_observation_itself_is_the_same_every_time(data: Dataset) -> None:
    for how in (built, trained):
        assert how(start(()), data) == before(how, (), data)
