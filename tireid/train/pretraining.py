"""How the bundled models come about: `tiny`, a small CLIP trained from scratch on clean `studio` people together with
an interaction encoder that guesses hidden words, and `tiny-street`, fine-tuned from it with the method of the paper and
then, with its towers as they are, trained on to guess hidden words.

The gap between `studio` (frontal, undisturbed, plainly described) and `street` stands for the gap between CLIP's web
pictures and surveillance crops: the bundled model knows the words and the garments, not the cameras.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tireid.basics.extras import extra
from tireid.basics.files import write_atomically
from tireid.data import Dataset, Split, load_dataset
from tireid.domain import Domain
from tireid.explain.domain import learn
from tireid.model import TIReID
from tireid.model.io.resolve import ASSETS
from tireid.options import Config
from tireid.search import evaluate
from tireid.train.loop import TrainingRun, train

with extra("train"):
    from accelerate.utils import set_seed

FIGURES = ("R@1", "R@5", "R@10", "mAP", "mINP")
STUDIO_SEED = 7
"""Differs from the default set's, so that the bundled model has met none of its people."""
FRESH: dict[str, Any] = {"style": "street", "images_per_person": 2, "captions_per_image": 3, "seed": 205}
"""The people on whom :func:`ground` trains; like the others, they are no people of the default set."""
HELD_OUT: dict[str, dict[str, Any]] = {
    "tiny": {"style": "studio", "people": (1, 1, 1000), "images_per_person": 2, "seed": 1007},
    "tiny-street": {"style": "street", "people": (1, 1, 2000), "seed": 104},
}
"""Drawn people whom no model and no test has met: the more there are, the nearer false alarms come to their rate."""


def studio_dataset(people: int) -> Dataset:
    """`people` studio people with one picture and one caption each; 200 more with two to select on, 200 to test on."""
    return load_dataset(
        "synthetic",
        style="studio",
        people=(people, 200, 200),
        images_per_person=1,
        captions_per_image=1,
        seed=STUDIO_SEED,
    )


def pretrain_config(epochs: int, batch_size: int = 128, seed: int = 1) -> Config:
    """InfoNCE, as CLIP was trained, and masked language modelling, from random weights of the bundled size.

    CLIP brings no interaction encoder. Without people whose captions say plainly what is in clear sight, that of a
    model of this size learns the language of 1,000 people's captions and does not look.
    """
    config = Config.preset("clip", backbone="tiny-untrained", epochs=epochs, seed=seed)
    return config.override(
        [
            f"sampler.batch_size={batch_size}",
            "optimizer.lr=0.001",
            "optimizer.warmup_epochs=0.5",
            "optimizer.weight_decay=0.0",
            "image.erase=0.0",
            "loss.temperature=0.05",
            "loss.mlm=1.0",
            "training.evaluate_every=5",
            "training.clip_norm=1.0",
            "training.log_every=50",
        ]
    )


def pretrain(
    output_dir: str | Path, *, people: int = 24_000, epochs: int = 16, overrides: Sequence[str] = ()
) -> TrainingRun:
    """Train the bundled model, with `overrides` of its options.

    Its vocabulary is learnt from the training captions of both styles, as CLIP's knows more words than any data set;
    what the words of `street` mean is left to the fine-tuning.
    """
    config, data = pretrain_config(epochs).override(overrides), studio_dataset(people)
    captions = data.train.captions + load_dataset("synthetic").train.captions
    set_seed(config.seed)
    model = TIReID.build(config, data.train.num_people, train_captions=captions)
    return train(config, output_dir, data=data, model=model)


def ground(
    source: str | Path, output_dir: str | Path, *, people: int = 20_000, epochs: int = 6, overrides: Sequence[str] = ()
) -> TIReID:
    """The model of `source` after a further training of its interaction encoder and heads on fresh `street` people.

    Its towers stay as they are, so what it finds stays the same to the bit. Of the recipes that notebook 05 compares on
    the validation people, this one reads garments' words where the garments are. `overrides` are of the training's
    options. The last epoch counts: retrieval, which selects others, does not move.
    """
    model, default = TIReID.from_pretrained(source), load_dataset("synthetic")
    told = ["sampler.kind=random", "sampler.batch_size=256", "optimizer.head_lr_factor=1.0", "training.log_every=200"]
    config = model.config.override([*told, f"epochs={epochs}", f"training.evaluate_every={epochs}", *overrides])
    drawn = load_dataset("synthetic", people=(people, 1, 1), **FRESH)
    set_seed(config.seed)
    learner = TIReID.from_pretrained(source, config)
    learner.backbone.requires_grad_(False)
    run = train(config, output_dir, data=replace(drawn, val=None, test=default.test), model=learner)
    model.load_state_dict(run.model().state_dict())  # keeps the options and the domain of the towers' training
    return model


def make(output_dir: str | Path, *, people: int = 24_000, epochs: int = 16, into_package: bool = False) -> None:
    """Pre-train `tiny`; with `into_package` put it there, and `tiny-street`, fine-tuned from it, too."""
    folder = Path(output_dir)
    run = pretrain(folder / "tiny", people=people, epochs=epochs)
    print(f"studio test R@1 {run.metrics['test/best/t2i/R@1']:.1f}")
    if into_package:
        print(install(run, "tiny"))
        street = train(Config.preset("paper", epochs=16), folder / "tiny-street")
        print(install(street, "tiny-street", ground(street.checkpoint, folder / "grounded")))


def install(run: TrainingRun, name: str, model: TIReID | None = None, assets: Path = ASSETS) -> Path:
    """Put `model`, else the best checkpoint of `run`, where `from_pretrained(name)` looks, with a card of its figures.

    Weights are stored in half precision, to keep the package small; loading brings them back to float32.
    """
    model = model or run.model()
    street = evaluate(model, load_dataset("synthetic").test).metrics
    target = assets / name
    shutil.rmtree(target, ignore_errors=True)
    model.half().save_pretrained(target)
    measure_domain(name, assets)
    write_atomically(target / "README.md", card(run, name, street, sum(p.numel() for p in model.parameters())))
    return target


def measure_domain(name: str, assets: Path = ASSETS) -> Domain:
    """Measure what a bundled model knows, on drawn people held out for it, and write it beside its weights."""
    model = TIReID.from_pretrained(assets / name)
    data = studio_dataset(model.num_identities or 0) if name == "tiny" else load_dataset("synthetic")
    drawn = load_dataset("synthetic", **HELD_OUT[name])
    people = Split(f"further drawn people in the style {HELD_OUT[name]['style']}", drawn.test.records)
    domain = learn(model, data, people)
    domain.save(assets / name)
    return domain


def card(run: TrainingRun, name: str, street: dict[str, float], parameters: int) -> str:
    """The model card: what it is, how it came about, what was measured."""
    config, metrics = run.config, run.metrics
    sections = ("optimizer", "loss", "interaction", "masking")
    options = json.dumps({name: config.to_dict()[name] for name in sections}, indent=1)
    if name == "tiny":
        origin = (
            f"Trained from scratch on procedurally drawn `studio` people (seed {STUDIO_SEED}) with\n"
            "InfoNCE, as CLIP was, and with masked language modelling, which trains its interaction encoder. On test\n"
            "people of the same style (200 people, one picture and one caption each) its R@1 is "
            f"{metrics['test/best/t2i/R@1']:.1f}% from text to image."
        )
    else:
        origin = (
            f"`tiny` after fine-tuning with the preset `{config.name}` on the 1,000 training people of the\n"
            f"default data set, with interaction encoder and heads: {metrics['selection']}.\n"
            "Interaction encoder and heads then learnt on with 20,000 other people, while the towers stayed as they\n"
            "were (`tireid.train.pretraining.ground`)."
        )
    rows = "\n".join(f"| {key} | {street[f't2i/{key}']:.1f} | {street[f'i2t/{key}']:.1f} |" for key in FIGURES)
    template = Path(__file__).with_name("card.md").read_text(encoding="utf-8")
    told = {"name": name, "config": config, "metrics": metrics, "origin": origin, "rows": rows, "options": options}
    return template.format(**told, millions=parameters / 1e6)
