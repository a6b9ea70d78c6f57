"""How the bundled `tiny` model comes about: a small CLIP trained from scratch on clean `studio` people.

The gap between `studio` (frontal, undisturbed, plainly described) and `street` stands for the gap between CLIP's web
pictures and surveillance crops: the bundled model knows the words and the garments, not the cameras.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from accelerate.utils import set_seed

from tireid.config import Config
from tireid.data import Dataset, load_dataset
from tireid.files import write_atomically
from tireid.model import TIReID
from tireid.retrieval import evaluate
from tireid.training import TrainingRun, train

ASSETS = Path(__file__).parent / "assets" / "tiny"
STUDIO_SEED = 7
"""Differs from the default set's, so that the bundled model has met none of its people."""


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
    """InfoNCE alone, as CLIP was trained, on a randomly initialised model of the bundled size."""
    config = Config.preset("clip", backbone="tiny-untrained", epochs=epochs, seed=seed)
    return config.override(
        [
            f"sampler.batch_size={batch_size}",
            "optimizer.lr=0.001",
            "optimizer.warmup_epochs=0.5",
            "optimizer.weight_decay=0.0",
            "image.erase=0.0",
            "loss.temperature=0.05",
            "training.clip_norm=1.0",
            "training.log_every=50",
        ]
    )


def pretrain(output_dir: str | Path, *, people: int = 24_000, epochs: int = 10) -> TrainingRun:
    """Train the bundled model; the default takes about a quarter of an hour on two cores.

    Its vocabulary is learnt from the training captions of both styles, as CLIP's knows more words than any data set;
    what the words of `street` mean is left to the fine-tuning.
    """
    config, data = pretrain_config(epochs), studio_dataset(people)
    captions = data.train.captions + load_dataset("synthetic").train.captions
    set_seed(config.seed)
    model = TIReID.build(config, data.train.num_people, train_captions=captions)
    return train(config, output_dir, data=data, model=model)


def install(run: TrainingRun, target: Path = ASSETS) -> None:
    """Put the best checkpoint of `run` where `from_pretrained("tiny")` looks, with a card of measured figures."""
    model = run.model()
    street = evaluate(model, load_dataset("synthetic").test).metrics
    figures = {
        "studio test, R@1 text to image": run.metrics["test/best/t2i/R@1"],
        "street test without fine-tuning, R@1 text to image": street["t2i/R@1"],
        "street test without fine-tuning, mAP text to image": street["t2i/mAP"],
    }
    shutil.rmtree(target, ignore_errors=True)
    model.save_pretrained(target)
    write_atomically(target / "README.md", card(run, figures, sum(p.numel() for p in model.parameters())))


def card(run: TrainingRun, figures: dict[str, float], parameters: int) -> str:
    """The model card: what it is, how it came about, what was measured."""
    rows = "\n".join(f"| {name} | {value:.1f} |" for name, value in figures.items())
    options = json.dumps(run.config.to_dict()["optimizer"])
    return f"""# tiny

A CLIP of {parameters / 1e6:.2f} M parameters for pictures of {run.config.image.height} x {run.config.image.width}
pixels, with its byte-pair vocabulary. It is trained from scratch on procedurally drawn `studio` people (seed
{STUDIO_SEED}) with InfoNCE at temperature {run.config.loss.temperature}: no photograph and no text of a real person
was used.

Made by `python -m tireid pretrain --install`: {run.metrics["steps"]} steps of {run.config.sampler.batch_size}, seed
{run.config.seed}, {run.metrics["train_seconds"] / 60:.0f} minutes on two cores; optimiser {options}.

| measured | percent |
|---|---|
{rows}

It serves tutorials, tests and demonstrations on the synthetic pedestrians. It knows nothing of real pictures.
"""
