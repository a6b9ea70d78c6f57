"""The command line: `python -m tireid COMMAND --help`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tireid.basics.extras import MissingExtraError
from tireid.options import PRESETS, Config

DATASETS = ("synthetic", "CUHK-PEDES", "ICFG-PEDES", "RSTPReid")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status (2 for an error that the user can mend)."""
    parser = _parser()
    options = parser.parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except (ValueError, OSError, RuntimeError, MissingExtraError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    from tireid.studies import cli

    parser = argparse.ArgumentParser(prog="python -m tireid", description="Text-to-image person re-identification.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: Callable[[argparse.Namespace], int], summary: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=summary, description=summary)
        sub.set_defaults(command=command)
        return sub

    cli.add_arguments(add("run", cli.main, "execute a notebook with checked parameters"))
    cli.add_sweep_arguments(add("sweep", cli.sweep_main, "run every task of a study that is not finished"))
    cli.add_report_arguments(add("report", cli.report_main, "tables and figures of a study's finished runs"))

    sub = add("train", _train, "train a preset on a data set; also under torchrun or accelerate launch -m")
    sub.add_argument("--preset", default="paper", choices=PRESETS)
    _data_arguments(sub)
    sub.add_argument("--backbone", help="tiny, a directory, a hub id of a CLIP model, or an IRRA checkpoint")
    sub.add_argument("--epochs", type=int)
    sub.add_argument("--seed", type=int)
    sub.add_argument("--config", type=Path, help="a config.json to take whole; no other option than --set then counts")
    sub.add_argument("--set", action="append", default=[], metavar="OPTION=VALUE", help="e.g. loss.gamma=64")
    sub.add_argument("--tensorboard", action="store_true", help="write the curves for TensorBoard too")
    sub.add_argument("--output-dir", type=Path, required=True)

    sub = add("check-data", _check_data, "read a data set once: what is there, what is missing, what is odd")
    _data_arguments(sub)

    sub = add("generate", _generate, "write synthetic pedestrians in the format of a real data set")
    sub.add_argument("root", type=Path)
    sub.add_argument("--layout", default="CUHK-PEDES", choices=DATASETS[1:])
    sub.add_argument("--style", default="street", choices=("street", "studio", "night"))
    sub.add_argument("--people", type=int, nargs=3, default=(1000, 100, 200), metavar=("TRAIN", "VAL", "TEST"))
    sub.add_argument("--seed", type=int, default=0)

    sub = add("evaluate", _evaluate, "R@k, mAP and mINP of a model on a split, both directions")
    sub.add_argument("--model", default="tiny")
    _data_arguments(sub)
    sub.add_argument("--split", default="test", choices=("train", "val", "test"))
    sub.add_argument("--output-dir", type=Path, help="write metrics.json and the per-query table here")

    sub = add("index", _index, "encode a folder of pictures into a gallery")
    sub.add_argument("folder", type=Path)
    sub.add_argument("gallery", type=Path, help="directory to write")
    sub.add_argument("--model", default="tiny")

    sub = add("search", _search, "search a gallery by description")
    sub.add_argument("gallery", type=Path)
    sub.add_argument("text")
    sub.add_argument("--model", default="tiny")
    sub.add_argument("-k", type=int, default=10)
    sub.add_argument("--html", type=Path, help="write the ranked pictures as one self-contained page")

    sub = add("pretrain", _pretrain, "make the bundled models again")
    sub.add_argument("--output-dir", type=Path, required=True)
    sub.add_argument("--people", type=int, default=24_000)
    sub.add_argument("--epochs", type=int, default=10)
    sub.add_argument(
        "--install", action="store_true", help="put tiny, and tiny-street fine-tuned from it, into the package"
    )
    return parser


def _data_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dataset", default="synthetic", choices=DATASETS)
    parser.add_argument("--root", help="folder that holds the data set's folder; the synthetic set needs none")


def _train(options: argparse.Namespace) -> int:
    from tireid.train.loop import train

    names = ("dataset", "root", "backbone", "epochs", "seed")
    given = {name: value for name in names if (value := getattr(options, name)) is not None}
    config = Config.load(options.config) if options.config else Config.preset(options.preset, **given)
    run = train(config.override(options.set), options.output_dir, tensorboard=options.tensorboard)
    for name, value in run.metrics.items():
        print(f"{name}: {value:.2f}" if isinstance(value, float) else f"{name}: {value}")
    print(f"checkpoint: {run.checkpoint}")
    return 0


def _check_data(options: argparse.Namespace) -> int:
    from tireid.data import load_dataset

    report = load_dataset(options.dataset, options.root).check()
    print(report)
    return 0 if report.ok else 1


def _generate(options: argparse.Namespace) -> int:
    from tireid.basics.progress import Progress
    from tireid.pedestrians import write_dataset

    with Progress(sum(options.people), "draw people") as bar:
        folder = write_dataset(
            options.root,
            layout=options.layout,
            style=options.style,
            people=tuple(options.people),
            seed=options.seed,
            on_progress=bar.to,
        )
    print(folder)
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    from tireid.data import load_dataset
    from tireid.model import TIReID
    from tireid.search import evaluate

    split = getattr(load_dataset(options.dataset, options.root), options.split)
    if split is None:
        raise ValueError(f"{options.dataset} has no {options.split} split")
    score = evaluate(TIReID.from_pretrained(options.model), split)
    print(score)
    if options.output_dir is not None:
        score.save(options.output_dir)
    return 0


def _index(options: argparse.Namespace) -> int:
    from tireid.model import TIReID
    from tireid.search import Gallery

    gallery = Gallery.from_folder(TIReID.from_pretrained(options.model), options.folder)
    gallery.save(options.gallery)
    print(f"{len(gallery)} pictures indexed, {len(gallery.skipped)} skipped: {options.gallery}")
    return 0


def _search(options: argparse.Namespace) -> int:
    from tireid.model import TIReID
    from tireid.search import Gallery

    hits = Gallery.load(options.gallery, TIReID.from_pretrained(options.model)).search(options.text, k=options.k)
    print(hits)
    if options.html is not None:
        hits.save_html(options.html)
        print(options.html)
    return 0


def _pretrain(options: argparse.Namespace) -> int:
    from tireid.train.loop import train
    from tireid.train.pretraining import install, pretrain

    run = pretrain(options.output_dir / "tiny", people=options.people, epochs=options.epochs)
    print(f"studio test R@1 {run.metrics['test/best/t2i/R@1']:.1f}")
    if options.install:
        print(install(run, "tiny"))
        street = Config.preset("paper", uncertainty={"alpha": 1.0})  # as shipped, from before the study of alpha
        print(install(train(street, options.output_dir / "tiny-street"), "tiny-street"))
    return 0
