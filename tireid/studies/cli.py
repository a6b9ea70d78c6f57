"""`python -m tireid run NOTEBOOK -p name value ...`, and `sweep STUDY` and `report STUDY`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import yaml

from tireid.runner.parameters import ParameterError, convert_texts, read_parameters
from tireid.runner.run import read_notebook, run

BAD_USAGE = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument("notebook", type=Path, help="the notebook to execute; it is not changed")
    parser.add_argument(
        "-p",
        "--parameter",
        dest="parameters",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "VALUE"),
        help="a parameter, converted by its declared type: -p epochs 5 -p flip true -p seeds '[0, 1]'",
    )
    parser.add_argument("--profile", help="'ci' for profiles/ci.yaml beside the notebook, or the path of such a file")
    parser.add_argument("--output-dir", type=Path, help="the run's folder (default: ../runs/NAME from the notebook)")
    parser.add_argument("--timeout", type=float, metavar="SECONDS", help="limit for the whole run")
    parser.add_argument("--no-html", action="store_true", help="write no report")
    parser.add_argument("--quiet", action="store_true", help="do not show the notebook's output")
    parser.add_argument("--skip-done", action="store_true", help="do nothing if the same run is already finished")
    parser.add_argument("--list", action="store_true", help="show the notebook's parameters and stop")


def main(args: argparse.Namespace) -> int:
    """Run, and return the exit status: 0, 1 a cell failed, 2 parameters or paths, 124 time limit, 137 kernel died."""
    try:
        declared = read_parameters(read_notebook(args.notebook))
        if args.list:
            for parameter in declared.values():
                print(f"{parameter.name}: {parameter.type} = {parameter.default!r}  # {parameter.help}")
            return 0
        result = run(
            args.notebook,
            convert_texts(_once(args.parameters), declared),
            profile=args.profile,
            output_dir=args.output_dir,
            timeout=args.timeout,
            html=not args.no_html,
            log=not args.quiet,
            check=False,
            skip_done=args.skip_done,
        )
    except (ValueError, FileNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_USAGE
    print(result if result.ok else f"error: {result.error}\nkept: {result.notebook}", file=sys.stderr)
    return result.error.exit_status if result.error else 0


def _once(pairs: list[list[str]]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for name, text in pairs:
        if name in texts:
            raise ParameterError(f"parameter '{name}' is given twice")
        texts[name] = text
    return texts


def add_sweep_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `sweep`."""
    parser.add_argument("study", type=Path, help="YAML file: notebook, parameters, arms, grid, zip, seeds")
    parser.add_argument("--runs", type=Path, default=Path("runs/studies"), help="folder of the runs")
    parser.add_argument("--results", type=Path, help="folder of the small result files (default: RUNS/results)")
    parser.add_argument("--jobs", type=int, default=1, help="tasks at a time")
    parser.add_argument("--threads", type=int, default=1, help="processor threads of each task")
    parser.add_argument("--cluster", choices=("local", "slurm"), default="local")
    parser.add_argument(
        "--option",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "VALUE"),
        help="for submitit: --option slurm_partition gpu --option slurm_gpus_per_node 1",
    )
    parser.add_argument("--timeout", type=float, metavar="SECONDS", help="limit of each task")
    parser.add_argument("--arms", nargs="+", metavar="ARM", help="only these")
    parser.add_argument("--seeds", nargs="+", type=int, metavar="SEED", help="only these")
    parser.add_argument("--list", action="store_true", help="show the tasks and stop")


def sweep_main(args: argparse.Namespace) -> int:
    """Run the tasks that are not finished; 0, or 1 when some failed twice."""
    from tireid.studies.study import Study
    from tireid.studies.sweep import Outcome, sweep

    study = Study.read(args.study).select(args.arms, args.seeds)
    if args.list:
        for task in study.tasks:
            print(f"{task.key}  {task}  {dict(task.parameters)}")
        return 0

    def say(outcome: Outcome, over: int, total: int) -> None:
        message = f": {outcome.message}" if outcome.message else ""
        print(f"{over}/{total} {outcome.task}: {outcome.status} ({outcome.seconds:.0f} s){message}", flush=True)

    done = sweep(
        study,
        runs=args.runs,
        results=args.results,
        jobs=args.jobs,
        threads=args.threads,
        cluster=args.cluster,
        options={name: yaml.safe_load(value) for name, value in args.option},
        timeout=args.timeout,
        on_outcome=say,
    )
    print(done)
    return 0 if done.ok else 1


def add_report_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `report`."""
    parser.add_argument("study", type=Path, help="the study's YAML file")
    parser.add_argument("--results", type=Path, default=Path("runs/studies/results"), help="folder of the result files")
    parser.add_argument("--output-dir", type=Path, help="folder to write (default: runs/reports/NAME)")
    parser.add_argument("--baseline", metavar="ARM", help="what the other arms are compared with (default: the first)")
    parser.add_argument("--metrics", nargs="+", metavar="METRIC", help="default: test/best/t2i/R@1 test/best/t2i/mAP")
    parser.add_argument("--arms", nargs="+", metavar="ARM", help="only these")
    parser.add_argument("--seeds", nargs="+", type=int, metavar="SEED", help="only these")


def report_main(args: argparse.Namespace) -> int:
    """Write the report of the finished runs; 0, also when some are missing: the report names them."""
    from tireid.studies.report import write_report
    from tireid.studies.results import load
    from tireid.studies.study import Study
    from tireid.studies.tables import METRICS

    study = Study.read(args.study).select(args.arms, args.seeds)
    folder = args.output_dir or Path("runs/reports") / study.name
    results = load(study, args.results)
    print(write_report(results, folder, args.baseline, args.metrics or METRICS))
    if results.missing:
        print(f"{len(results.missing)} of {len(study.tasks)} runs are missing", file=sys.stderr)
    return 0
