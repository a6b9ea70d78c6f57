"""The command line: `tireid COMMAND --help`.

Every command is a short function below its arguments. It imports what it needs: `--help` must not wait for PyTorch.
"""

from __future__ import annotations

import os
import sys
from argparse import Namespace as Options
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tireid.basics.commands import JOBS, PAIRS, Commands, argument, name_or_path, out_dir, out_file, path, say, values
from tireid.basics.formats import DATASETS, LAYOUTS
from tireid.basics.parts import trust
from tireid.basics.terminal import one_line, printable
from tireid.demo import command as demo

COMMANDS = Commands("tireid", "Text-to-image person re-identification.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    return COMMANDS.run(arguments)


PEOPLE = {"nargs": 3, "metavar": ("TRAIN", "VAL", "TEST"), "help": "how many to train on, select on, test on"}
MODEL_HELP = "a bundled model (tiny-street or tiny), a folder, a hub id of a CLIP model, or an IRRA .pth"
TOKENIZER = argument("--tokenizer", type=name_or_path, help="of a model whose file has none: a folder or a vocabulary")
DATASET_HELP = f"{', '.join(DATASETS)}, or a .csv or folder of your own"
ROOT = argument("--root", type=name_or_path, help="folder that holds the data set's folder; not for synthetic")
DATA = (argument("--dataset", type=name_or_path, default="synthetic", help=DATASET_HELP), ROOT)
TRUST = argument("--trust", action="append", default=[], metavar="MODULE", help="code of one's own that may be loaded")
STUDY = argument("study", type=path, help="YAML file: notebook, parameters, arms, grid, zip, seeds, sources")
SOME = (
    argument("--arms", nargs="+", metavar="ARM", help="only these"),
    argument("--seeds", nargs="+", type=int, metavar="SEED", help="only these"),
)
RESULTS = argument("--results", type=path, default=Path("runs/studies/results"), help="folder of the result files")
COMMANDS.add("demo", demo.SUMMARY, *demo.ARGUMENTS)(demo.run)


@COMMANDS.add(
    "run",
    "execute a notebook with checked parameters",
    argument("notebook", type=path, help="the notebook to execute; it is not changed"),
    argument("-p", "--parameter", help="converted by its declared type: -p epochs 5 -p seeds '[0, 1]'", **PAIRS),
    argument("--profile", type=name_or_path, help="'ci' for profiles/ci.yaml beside the notebook, or such a file"),
    argument("--output-dir", type=path, help="the run's folder (default: ../runs/NAME from the notebook)"),
    argument("--timeout", type=float, metavar="SECONDS", help="limit for the whole run"),
    argument("--no-html", action="store_true", help="write no report"),
    argument("--quiet", action="store_true", help="do not show the notebook's output"),
    argument("--skip-done", action="store_true", help="do nothing if the same run is already finished"),
    argument("--list", action="store_true", help="show the notebook's parameters and stop"),
    TRUST,
)
def _run(options: Options) -> int:
    """0, 1 a cell failed, 2 parameters or paths, 124 time limit, 137 the kernel died."""
    from tireid.runner.parameters import convert_texts, declared_in, once
    from tireid.runner.run import run

    trust(*options.trust, folder=".")
    _, declared = declared_in(options.notebook)
    if options.list:
        for parameter in declared.values():
            print(f"{parameter.name}: {parameter.type} = {parameter.default!r}  # {parameter.help}")
        return 0
    given = {name: getattr(options, name) for name in ("profile", "output_dir", "timeout", "skip_done")}
    given |= {"html": not options.no_html, "log": not options.quiet}
    result = run(options.notebook, convert_texts(once(options.parameter), declared), check=False, **given)
    print(result if result.ok else f"error: {one_line(result.error)}\nkept: {result.notebook}", file=sys.stderr)
    return result.error.exit_status if result.error else 0


@COMMANDS.add(
    "train",
    "train a preset on a data set; also under torchrun or accelerate launch -m",
    argument("--preset", type=name_or_path, default="paper", help="such as paper, irra or clip, or a .yaml file"),
    *DATA,
    argument("--backbone", type=name_or_path, help="tiny, a folder, a hub id of a CLIP model, or an IRRA checkpoint"),
    TOKENIZER,
    argument("--epochs", type=int, help="passes over the pairs (default: the preset's)"),
    argument("--seed", type=int, help="of weights, batches and augmentation (default: the preset's)"),
    argument("--config", type=path, help="a config.json to take whole; no other option than --set then counts"),
    argument("--set", action="append", default=[], metavar="OPTION=VALUE", help="e.g. loss.gamma=64"),
    argument("--limit", type=int, metavar="N", help="a dry run on the first N people of each split"),
    argument("--tensorboard", action="store_true", help="write the curves for TensorBoard too"),
    argument("--output-dir", type=path, required=True, help="the run's folder; the same command goes on there"),
    TRUST,
)
def _train(options: Options) -> None:
    from tireid.data import load_dataset
    from tireid.options import Config
    from tireid.train.loop import train

    trust(*options.trust, folder=".")
    names = ("dataset", "root", "backbone", "tokenizer", "epochs", "seed")
    given = {name: value for name in names if (value := getattr(options, name)) is not None}
    config = Config.load(options.config) if options.config else Config.preset(options.preset, **given)
    data = load_dataset(config.dataset, config.root).head(options.limit) if options.limit is not None else None
    run = train(config.override(options.set), options.output_dir, data=data, tensorboard=options.tensorboard)
    if os.environ.get("RANK", "0") != "0":  # of several processes one speaks
        return
    for name, value in run.metrics.items():
        print(f"{name}: {value:.2f}{'%' * ('/' in name)}" if isinstance(value, float) else f"{name}: {value}")
    print(f"checkpoint: {run.checkpoint}")


@COMMANDS.add("check-data", "read a data set once: what is there, what is missing, what is odd", *DATA)
def _check_data(options: Options) -> int:
    from tireid.data import load_dataset

    print(report := load_dataset(options.dataset, options.root).check())
    return 0 if report.ok else 1


@COMMANDS.add(
    "generate",
    "write synthetic pedestrians in the format of a real data set",
    argument("root", type=path, help="folder to write the data set's folder into"),
    argument("--layout", default="CUHK-PEDES", choices=LAYOUTS, help="whose format"),
    argument("--style", default="street", choices=("street", "studio", "night"), help="of the people"),
    argument("--people", type=int, default=(1000, 100, 200), **PEOPLE),
    argument("--seed", type=int, default=0, help="other people for another seed"),
)
def _generate(options: Options) -> None:
    from tireid.basics.progress import Progress
    from tireid.pedestrians import write_dataset

    with Progress(sum(options.people), "draw people") as bar:
        drawn = {"style": options.style, "people": tuple(options.people), "seed": options.seed}
        folder = write_dataset(options.root, layout=options.layout, on_progress=bar.to, **drawn)
    print(folder)


@COMMANDS.add(
    "evaluate",
    "R@k, mAP and mINP of a model on a split, both directions; of several on several data sets, a table",
    argument("--model", type=name_or_path, nargs="+", default=["tiny-street"], help=MODEL_HELP),
    TOKENIZER,
    argument("--dataset", type=name_or_path, nargs="+", default=["synthetic"], help=DATASET_HELP),
    ROOT,
    argument("--split", default="test", choices=("train", "val", "test"), help="whose people"),
    argument("--output-dir", type=out_dir, help="write metrics.json, per-query table here; of several, cross.csv"),
)
def _evaluate(options: Options) -> None:
    from tireid.data import load_dataset
    from tireid.model import TIReID
    from tireid.search.evaluation import cross_evaluate, evaluate, whole

    roots = {name: None if name == "synthetic" and options.dataset[1:] else options.root for name in options.dataset}
    splits = {name: whole(load_dataset(name, root).split(options.split)) for name, root in roots.items()}
    models = {name: TIReID.from_pretrained(name, tokenizer=options.tokenizer) for name in options.model}
    if len(splits) * len(models) > 1:
        table = cross_evaluate(models, splits, table=options.output_dir and options.output_dir / "cross.csv")
        print(f"{options.split}, %\n{table.to_string(float_format='{:.2f}'.format)}")
        return
    score = evaluate(models[options.model[0]], splits[options.dataset[0]])
    print(score)
    if options.output_dir is not None:
        score.save(options.output_dir)


@COMMANDS.add(
    "index",
    "encode a folder of pictures into a gallery; on one that exists, only what is new or changed",
    argument("folder", type=path, help="folder of pictures, searched with its subfolders"),
    argument("gallery", type=path, help="directory to write"),
    argument("--model", type=name_or_path, default="tiny-street", help=MODEL_HELP),
    TOKENIZER,
    argument("--half", action="store_true", help="keep features in float16: half the size"),
    argument("--graph", action="store_true", help="make the graph of `tireid search --approximate` too"),
    argument("--shards", type=int, default=0, help="parts, made one by one (default: those that it has, or one)"),
    *JOBS,
)
def _index(options: Options) -> None:
    from tireid.model import TIReID
    from tireid.studies.indexing import index

    load = partial(TIReID.from_pretrained, options.model, tokenizer=options.tokenizer)
    given = {name: getattr(options, name) for name in ("half", "graph", "shards", "jobs", "threads", "cluster")}
    gallery = index(options.folder, options.gallery, load, on_outcome=say, options=values(options.option), **given)
    for picture, reason in gallery.skipped:
        print(f"skipped: {printable(picture)}: {one_line(reason)}")
    print(f"{len(gallery)} pictures indexed, {len(gallery.skipped)} skipped: {options.gallery}")


@COMMANDS.add(
    "search",
    "search a gallery by description, by picture, or by both",
    argument("gallery", type=path, help="directory that `tireid index` wrote"),
    argument("text", nargs="?", help="whom to find, such as 'a man in a blue shirt with a backpack'"),
    argument("--image", type=path, help="a picture to search with; with a description, both count"),
    argument("--model", type=name_or_path, help=f"{MODEL_HELP} (default: the one that the gallery names)"),
    TOKENIZER,
    argument("-k", type=int, default=10, metavar="K", help="how many pictures"),
    argument("--root", type=path, help="folder of the pictures of a gallery that was made elsewhere, or has moved"),
    argument("--approximate", action="store_true", help="walk the graph that `tireid index --graph` made: faster"),
    argument("--html", type=out_file, help="write the ranked pictures as one self-contained page"),
)
def _search(options: Options) -> None:
    from tireid.model import TIReID
    from tireid.search import Gallery

    if options.tokenizer and not options.model:
        raise ValueError("--tokenizer is that of --model: give both")
    model = options.model and TIReID.from_pretrained(options.model, tokenizer=options.tokenizer)
    asked = {"text": options.text, "image": options.image, "k": options.k, "approximate": options.approximate}
    hits = Gallery.load(options.gallery, model, root=options.root).search(**asked)
    print(hits, hits.domain, sep="\n")
    if options.html is not None:
        print(hits.save_html(options.html))


@COMMANDS.add(
    "benchmark",
    "seconds of metrics, loading and searching beside plain references in the same run",
    argument("--items", type=int, default=1_000_000, help="pictures of the gallery"),
    argument("--pictures", type=int, default=19_848, help="queries and pictures of the metrics"),
)
def _benchmark(options: Options) -> None:
    from tireid.search.benchmark import machine, run, table

    print(machine(), table(run(options.items, pictures=options.pictures)), sep="\n\n")


@COMMANDS.add(
    "sweep",
    "run every task of a study that is not finished",
    STUDY,
    argument("--runs", type=path, default=Path("runs/studies"), help="folder of the runs"),
    argument("--results", type=path, help="folder of the small result files (default: RUNS/results)"),
    *JOBS,
    argument("--timeout", type=float, metavar="SECONDS", help="limit of each task"),
    *SOME,
    argument("--list", action="store_true", help="show the tasks and stop"),
    TRUST,
)
def _sweep(options: Options) -> int:
    """0, or 1 when some tasks failed twice."""
    from tireid.studies.launcher import Launcher
    from tireid.studies.study import Study
    from tireid.studies.sweep import sweep

    trust(*options.trust, folder=".")
    study = Study.read(options.study).select(options.arms, options.seeds)
    how = {name: getattr(options, name) for name in ("jobs", "threads", "cluster", "timeout")}
    Launcher(options.runs, **how)  # refuses them before anything is listed
    if options.list:
        for task in study.tasks:
            print(f"{task.key}  {one_line(task)}  {dict(task.parameters)}")
        return 0
    how |= {"runs": options.runs, "results": options.results, "options": values(options.option)}
    print(done := sweep(study, on_outcome=say, **how))
    return 0 if done.ok else 1


@COMMANDS.add(
    "report",
    "tables and figures of a study's finished runs",
    STUDY,
    RESULTS,
    argument("--output-dir", type=out_dir, help="folder to write (default: runs/reports/NAME)"),
    argument("--baseline", metavar="ARM", help="what the other arms are compared with (default: the first)"),
    argument("--metrics", nargs="+", metavar="METRIC", help="default: test/best/t2i/R@1 test/best/t2i/mAP"),
    *SOME,
)
def _report(options: Options) -> None:
    """Also when some runs are missing: the report names them."""
    from tireid.studies.report import write_report
    from tireid.studies.results import load
    from tireid.studies.study import Study
    from tireid.studies.tables import METRICS

    study = Study.read(options.study).select(options.arms, options.seeds)
    folder = options.output_dir or Path("runs/reports") / study.name
    results = load(study, options.results)
    print(write_report(results, folder, options.baseline, options.metrics or METRICS))
    if results.missing:
        print(f"{len(results.missing)} of {len(study.tasks)} runs are missing", file=sys.stderr)


@COMMANDS.add("pack", "move the results of a study's finished runs into one small file", STUDY, RESULTS, *SOME)
def _pack(options: Options) -> None:
    from tireid.studies.store import PACK, Store
    from tireid.studies.study import Study

    study, store = Study.read(options.study).select(options.arms, options.seeds), Store(options.results)
    print(f"{store.pack(study.tasks)} results packed: {store.folder / PACK}")


@COMMANDS.add(
    "clean",
    "remove what killed runs left: temporary files and folders, caches that were not finished",
    argument("folders", nargs="*", type=path, help="searched with their subfolders; the cache always is"),
    argument("--dry-run", action="store_true", help="only say what would go"),
)
def _clean(options: Options) -> None:
    from tireid.basics.files import remove_leftovers
    from tireid.basics.folders import cache_dir

    tops = (cache_dir(), *options.folders)
    freed = sum(remove_leftovers(folder, dry_run=options.dry_run) for top in tops for folder in (top, *top.rglob("*/")))
    print(f"{freed / 1e6:,.1f} MB {'would be' if options.dry_run else 'were'} removed")


@COMMANDS.add(
    "pretrain",
    "make the bundled models again",
    argument("--output-dir", type=out_dir, required=True, help="folder of the runs"),
    argument("--people", type=int, default=24_000, help="drawn people to train with"),
    argument("--epochs", type=int, default=16, help="passes over them"),
    argument("--install", action="store_true", help="put tiny, and tiny-street fine-tuned from it, into the package"),
)
def _pretrain(options: Options) -> None:
    from tireid.train.pretraining import make

    make(options.output_dir, people=options.people, epochs=options.epochs, into_package=options.install)
