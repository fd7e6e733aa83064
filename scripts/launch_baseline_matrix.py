r"""Runs a matrix of trainings, each cell in a run folder of its own, and ends with the table of results.

    python scripts/launch_baseline_matrix.py --data_dir local_data --objectives base rpcl --seeds 42 43 44
    python scripts/launch_baseline_matrix.py experiments/ecf.yaml --data_dir ecf=path/to/ecf --gpus 0,1 --per_gpu 2
    python scripts/launch_baseline_matrix.py ecf.yaml --data_dir path/to/ecf --backend ray --gpus_per_cell 0.5
    python scripts/launch_baseline_matrix.py 'ecf_*_tav' --data_dir path/to/ecf --dry_run

A cell is one combination of values with one seed. Every option of trainers/fusion.py can be given, with one value or
several (--learning_rate 3e-4 1e-3); several make another axis. EXPERIMENT is a YAML file with the same options, lists
where they vary; or a published experiment (ecf_rpcl_tav), or a pattern of their names; the command line wins.

Starting the same command again skips finished cells, continues interrupted ones and starts the others. A cell that
failed is tried again with --retry_failed. A folder that holds another run, or a run on other data, is refused by name.
Each cell's output is in RUNS_DIR/logs/. Exit code 1: some cell failed or was refused; 130: interrupted.
"""

from __future__ import annotations

import argparse
import itertools
import math
import shlex
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iemomecp_dataset.command_line import run_command

if TYPE_CHECKING:
    from iemomecp_dataset.benchmark.matrix.backends import Backend
    from iemomecp_dataset.benchmark.matrix.cells import MatrixCell, Sweep
    from iemomecp_dataset.benchmark.matrix.plan import PlannedCell


def main() -> int:
    """Plans, checks, runs, and shows."""
    parser = _parser()
    # Experiments come first: further back a bare word is a value of an option that only the trainers know.
    flags = list(itertools.dropwhile(lambda text: not text.startswith("-"), sys.argv[1:]))
    options, rest = parser.parse_known_args(flags)
    options.experiments = sys.argv[1 : len(sys.argv) - len(flags)]
    # Imported here, so that --help is quick.
    from iemomecp_dataset.benchmark.matrix.cells import cells_of
    from iemomecp_dataset.benchmark.matrix.launch import run_cells
    from iemomecp_dataset.benchmark.matrix.plan import State, plan_cells
    from iemomecp_dataset.benchmark.matrix.state_table import StateTable

    cells = cells_of(*_sweeps(options, rest, parser))
    data = _load_data(cells)
    for leak in _leaks(data):
        print(f"warning: {leak}", file=sys.stderr)
    fingerprints = {key: corpus.fingerprints for key, corpus in data.items()}
    planned = plan_cells(
        cells, options.runs_dir, lambda cell: fingerprints[_data_key(cell)], retry_failed=options.retry_failed
    )
    data.clear()
    if options.dry_run:
        _show_plan(planned, options)
        return 0
    table = StateTable(planned)
    if any(entry.to_run for entry in planned):
        # A scheduler that ends the launcher deserves the same clean end as Ctrl-C; and a launcher in the background of
        # a shell script is born deaf to Ctrl-C, with all its cells.
        for how in (signal.SIGINT, signal.SIGTERM):
            signal.signal(how, signal.default_int_handler)
        outcome = run_cells(planned, options.runs_dir, _backend(options), table)
        finished, interrupted = list(outcome.finished.values()), outcome.interrupted
    else:
        finished, interrupted = [entry.results for entry in planned if entry.results is not None], False
    unfinished = (State.FAILED, State.REFUSED, State.INTERRUPTED)
    bad = [f"{name}: {cell.state}" for name, cell in table.states.items() if cell.state in unfinished]
    if finished:
        from iemomecp_dataset.benchmark.results_table import results_table
        from iemomecp_dataset.benchmark.runs.index import Run

        print(results_table([Run(options.runs_dir / r.run_name, r) for r in finished]))
        print(f"\nReport: python scripts/report.py {shlex.quote(str(options.runs_dir))} --output report.html")
    if bad:
        print(f"not finished: {'; '.join(bad)}. Logs: {options.runs_dir / 'logs'}", file=sys.stderr)
    if interrupted:
        print("Interrupted. Start the same command again to continue.", file=sys.stderr)
        return 130
    return 1 if bad else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        usage="%(prog)s [EXPERIMENT ...] [options] [--ANY_TRAINER_OPTION VALUE ...]",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--runs_dir", type=Path, default=Path("runs"), help="for the run folders (default: runs)")
    parser.add_argument(
        "--data_dir", nargs="+", default=[], metavar="[CONFIG=]DIR",
        help="folder of the corpus, or one for each configuration: ecf=path/to/ecf 3class=local_data",
    )  # fmt: skip
    axes = parser.add_argument_group("what varies (any other option of the trainers as well)")
    axes.add_argument("--families", nargs="+", help="trainers: fusion, roberta, wavlm, clip (default: fusion)")
    axes.add_argument("--scorers", nargs="+", help="dialogue, isolated")
    axes.add_argument("--objectives", nargs="+", help="base, rpcl, cdmr, ccps, ...; see trainers/fusion.py --help")
    axes.add_argument("--modalities", nargs="+", help="t a v ta tv av tav")
    axes.add_argument("--config_names", nargs="+", help="3class, source_binary, ecf, mecad, mec4, reccon")
    axes.add_argument("--seeds", nargs="+", type=int, help="(default: 42)")

    where = parser.add_argument_group("where")
    where.add_argument("--backend", choices=("local", "ray"), default="local", help="(default: %(default)s)")
    where.add_argument("--gpus", metavar="0,1", help="local: numbers of the GPUs to use")
    where.add_argument("--per_gpu", type=int, default=1, help="local: cells at once on each GPU (default: 1)")
    where.add_argument("--slots", type=int, help="cells at once on the CPU, local or in an embedded ray (default: 1)")
    where.add_argument(
        "--ray_address", metavar="ADDRESS",
        help="ray: a cluster (auto, ray://host:10001) whose nodes see the same files; default: ray on this machine",
    )  # fmt: skip
    where.add_argument("--gpus_per_cell", type=float, default=0.0, help="ray: GPUs a cell asks for, such as 0.5")
    where.add_argument("--cpus_per_cell", type=float, default=1.0, help="ray: cores a cell asks for (default: 1)")

    what = parser.add_argument_group("what to do")
    what.add_argument(
        "--dry_run", action="store_true", help="print the plan with an estimate and the commands, and end"
    )
    what.add_argument("--retry_failed", action="store_true", help="start cells again that failed")
    return parser


def _sweeps(options: argparse.Namespace, rest: Sequence[str], parser: argparse.ArgumentParser) -> list[Sweep]:
    from iemomecp_dataset.benchmark.matrix.cells import Sweep
    from iemomecp_dataset.benchmark.matrix.experiments import experiment_sweeps

    values: dict[str, tuple[Any, ...]] = _passed_through(rest, parser)
    for name, given in (("config_name", options.config_names), ("scorer", options.scorers),
                        ("objective", options.objectives), ("modalities", options.modalities)):  # fmt: skip
        if given:
            if name != "modalities" and name in values:
                parser.error(f"--{name} and its plural are both given")
            values[name] = tuple(given)
    data_dirs: dict[str, str] = {}
    for text in options.data_dir:
        name, equals, folder = text.partition("=")
        name, folder = (name, folder) if equals and "/" not in name else ("", text)
        if data_dirs.setdefault(name, folder) != folder:
            parser.error(f"--data_dir gives two folders for {name or 'every configuration'}: name their configurations")
    given_sweep = Sweep("", tuple(options.families or ()), values, tuple(options.seeds or ()), data_dirs)
    if options.experiments:
        return [sweep for experiment in options.experiments for sweep in experiment_sweeps(experiment, given_sweep)]
    return [
        Sweep("", given_sweep.families or ("fusion",), values, given_sweep.seeds or (42,), data_dirs),
    ]


def _passed_through(rest: Sequence[str], parser: argparse.ArgumentParser) -> dict[str, tuple[Any, ...]]:
    """Options of the trainers, each with its values."""
    values: dict[str, tuple[Any, ...]] = {}
    name = ""
    for text in rest:
        if text.startswith("--"):
            name, equals, value = text[2:].partition("=")
            if name in values:
                parser.error(f"--{name} is given twice; give its values together: --{name} A B")
            values[name] = (value,) if equals else ()
        elif name:
            values[name] = (*values[name], text)
        else:
            parser.error(f"unrecognized argument {text!r}")
    return {name: given or ("true",) for name, given in values.items()}


def _data_key(cell: MatrixCell) -> tuple[str | None, ...]:
    data = cell.options.data
    return (data.config_name, data.data_dir, data.candidates, data.forward_pairs)


def _load_data(cells: Sequence[MatrixCell]) -> dict[tuple[str | None, ...], Any]:
    """Every corpus of the matrix once: for fingerprints, and for what its splits share."""
    from tqdm import tqdm

    from iemomecp_dataset.corpus import load_corpus

    wanted = dict.fromkeys(_data_key(cell) for cell in cells if not cell.impossible)
    return {
        key: load_corpus(key[0], key[1], candidates=key[2], forward_pairs=key[3])
        for key in tqdm(wanted, desc="Reading data", leave=False, disable=None)
    }


def _leaks(data: Mapping[tuple[str | None, ...], Any]) -> list[str]:
    from iemomecp_dataset.benchmark.contamination import SplitData, find_leaks

    splits = [SplitData(c.name, split, rows) for c in data.values() for split, rows in c.rows.items()]
    return [str(leak) for leak in find_leaks(splits)]


def _backend(options: argparse.Namespace) -> Backend:
    from iemomecp_dataset.benchmark.matrix.backends import LocalBackend, RayBackend, cpu_slots, gpu_slots
    from iemomecp_dataset.errors import UsageError

    if options.backend == "ray":
        if options.gpus:
            raise UsageError("--gpus names GPUs of this machine; with --backend ray say --gpus_per_cell.")
        return RayBackend(
            address=options.ray_address,
            slots=options.slots or 1,
            cpus=options.cpus_per_cell,
            gpus=options.gpus_per_cell,
        )
    if options.ray_address or options.gpus_per_cell:
        raise UsageError("--ray_address and --gpus_per_cell are for --backend ray.")
    if options.gpus and options.slots:
        raise UsageError("Say --gpus (with --per_gpu) or --slots, not both.")
    if options.gpus:
        return LocalBackend(gpu_slots(options.gpus.split(","), options.per_gpu))
    # Without a word on it a single cell runs at a time, on whatever device accelerate finds.
    return LocalBackend([{}] if options.slots is None else cpu_slots(options.slots))


def _show_plan(planned: Sequence[PlannedCell], options: argparse.Namespace) -> None:
    from iemomecp_dataset.benchmark.matrix.cell_process import job_of
    from iemomecp_dataset.benchmark.matrix.plan import estimated_seconds
    from iemomecp_dataset.benchmark.runs.index import index_runs
    from iemomecp_dataset.errors import IemomecpError

    try:
        others = [run.results for run in index_runs(options.runs_dir).runs]
    except IemomecpError:
        others = []
    seconds = estimated_seconds(planned, others)
    width = max(len(entry.cell.name) for entry in planned)
    for entry, estimate in zip(planned, seconds, strict=True):
        cost = "" if not entry.to_run else "no estimate" if math.isnan(estimate) else f"about {estimate:.0f} s"
        print(f"{entry.cell.name:<{width}}  {entry.state:<15} {entry.reason or cost}".rstrip())
    to_run = [entry for entry in planned if entry.to_run]
    at_once = len(options.gpus.split(",")) * options.per_gpu if options.gpus else options.slots or 1
    known = [s for s, entry in zip(seconds, planned, strict=True) if entry.to_run and not math.isnan(s)]
    cells = f"{len(planned)} cell{'s' * (len(planned) != 1)}"
    if not to_run:
        print(f"\n{cells}, none to run.")
        return
    print(f"\n{cells}, {len(to_run)} to run, {min(at_once, len(to_run))} at once.", end=" ")
    if known:
        print(f"Training time of {len(known)} of them by finished runs like them: about {sum(known) / at_once:.0f} s, "
              "without start-up.")  # fmt: skip
    else:
        print("No finished run is like them, so there is no estimate.")
    for entry in to_run:
        print(f"\n$ {shlex.join(job_of(entry.cell, options.runs_dir).command)}")


if __name__ == "__main__":
    run_command(main)
