r"""Trains a matrix of models, each cell in its own run folder, and prints the table of results.

    python scripts/launch_baseline_matrix.py --data_dir local_data --objectives base rpcl --seeds 42 43 44
    python scripts/launch_baseline_matrix.py ecf_rpcl_tav --data_dir ecf=path/to/ecf --gpus 0,1 --per_gpu 2
    python scripts/launch_baseline_matrix.py ecf_rpcl_tav --data_dir path/to/ecf --backend ray --gpus_per_cell 0.5
    python scripts/launch_baseline_matrix.py ecf_rpcl_tav --data_dir path/to/ecf --backend slurm --slurm minutes=240 \
        partition=gpu gpus_per_node=1 cpus=4 --max_parallel 8
    python scripts/launch_baseline_matrix.py 'ecf_*_tav' --data_dir path/to/ecf --dry_run

A cell is one combination of values with one seed. Every option of its trainer can be given, with one value or several
(--learning_rate 3e-4 1e-3); several make another axis. --families names the trainers: fusion by default; ecerc and
emotion recognise emotions. EXPERIMENT is a published experiment (ecf_rpcl_tav), or a pattern of their names, or a YAML
file of yours with the same options, lists where they vary; the command line wins.

Starting the same command again skips finished cells, continues interrupted ones and starts the others; cells that run
already, in a queue or left by a launcher that was killed, are waited for. A cell that failed is tried again with
--retry_failed. A folder that holds another run, or a run on other data, is refused.
The output of each cell is in RUNS_DIR/logs/. Exit code 1: some cell failed, was refused or is interrupted; 130: the
launcher was interrupted.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iemomecp_dataset.command_line import OptionParser, command_hint, option
from iemomecp_dataset.command_process import end_by_signals
from iemomecp_dataset.errors import UsageError, require_packages
from iemomecp_dataset.jobs.options import BackendOptions, check_backend, open_backend, preview
from iemomecp_dataset.options import DialogueConfig
from iemomecp_dataset.schema import ModalitySet
from iemomecp_dataset.trainers.cli import EMOTION_TRAINERS, TRAINERS
from iemomecp_dataset.trainers.options import ObjectiveName
from iemomecp_dataset.trainers.scorers import scorer_names

if TYPE_CHECKING:
    from iemomecp_dataset.benchmark.matrix.cells import MatrixCell, Sweep
    from iemomecp_dataset.benchmark.matrix.plan import PlannedCell
    from iemomecp_dataset.corpus import Corpus
    from iemomecp_dataset.trainers.run_inputs import RunInputs

_AXES = "what varies (any other option of the trainers as well)"
_ACTION = "what to do"


@dataclass(frozen=True)
class _Axes:
    """Options of what the cells are; the trainers have more."""

    runs_dir: Path = option(Path("runs"), "folder of the run folders")
    data_dir: tuple[str, ...] = option(
        (),
        "folder of the corpus, or one for each configuration: ecf=path/to/ecf 3class=local_data",
        metavar="[CONFIG=]DIR",
    )

    families: tuple[str, ...] = option(
        (), "trainers (default: fusion)", group=_AXES, metavar=f"{{{','.join((*TRAINERS, *EMOTION_TRAINERS))}}}"
    )
    scorers: tuple[str, ...] = option((), "(default: dialogue)", group=_AXES, metavar=f"{{{','.join(scorer_names())}}}")
    objectives: tuple[ObjectiveName, ...] = option((), "(default: base)", group=_AXES)
    modalities: tuple[ModalitySet, ...] = option((), "(default: t)", group=_AXES)
    config_names: tuple[DialogueConfig, ...] = option((), "(default: 3class)", group=_AXES)
    seeds: tuple[int, ...] = option((), "(default: 42)", minimum=0, maximum=2**32 - 1, group=_AXES)


@dataclass(frozen=True)
class MatrixOptions(BackendOptions, _Axes):
    """Options of the command, besides those of the trainers."""

    gpus_per_cell: float = option(
        0.0, "ray: GPUs that a cell requests, such as 0.5", minimum=0, limit=1e6, group="where"
    )
    cpus_per_cell: float = option(1.0, "ray: cores that a cell requests", above=0, limit=1e6, group="where")

    dry_run: bool = option(False, "print the plan with an estimate and the commands, and end", group=_ACTION)
    retry_failed: bool = option(False, "start failed cells again", group=_ACTION)


def main(arguments: Sequence[str] | None = None) -> int:
    """Plans, checks, runs, and shows."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    # Experiments come first: further back a bare word is a value of an option that only the trainers know.
    flags = list(itertools.dropwhile(lambda text: not text.startswith("-"), given))
    parser = OptionParser(
        MatrixOptions,
        command="matrix",
        usage="%(prog)s [EXPERIMENT ...] [options] [--ANY_TRAINER_OPTION VALUE ...]",
        description=__doc__,
    )
    known, rest = parser.parse_known(flags)
    options = MatrixOptions(**known)
    # Imported here, so that --help is quick.
    from iemomecp_dataset.benchmark.matrix.cells import cells_of
    from iemomecp_dataset.benchmark.matrix.launch import run_cells
    from iemomecp_dataset.benchmark.matrix.plan import State, plan_cells
    from iemomecp_dataset.benchmark.matrix.state_table import StateTable

    places = check_backend(options, gpus=options.gpus_per_cell)
    cells = cells_of(*_sweeps(options, given[: len(given) - len(flags)], rest))
    _check_trackers(cells)
    data = _load_data(cells)
    for warning in _contamination(data):
        print(f"warning: {warning}", file=sys.stderr)
    planned = plan_cells(
        cells,
        options.runs_dir,
        _inputs_of(data),
        retry_failed=options.retry_failed,
    )
    data.clear()
    if options.dry_run:
        _show_plan(planned, options, places)
        return 0
    table = StateTable(planned)
    to_cancel = ""
    if any(entry.to_run for entry in planned):
        require_packages("torch", "transformers", "accelerate", extra="train")
        end_by_signals()
        backend = open_backend(options, options.runs_dir, cpus=options.cpus_per_cell, gpus=options.gpus_per_cell)
        outcome = run_cells(planned, options.runs_dir, backend, table, wait=not options.no_wait)
        to_cancel = backend.cancel_command
        finished, interrupted = list(outcome.finished.values()), outcome.interrupted
    else:
        finished, interrupted = [entry.results for entry in planned if entry.results is not None], False
    unfinished = (State.FAILED, State.REFUSED, State.INTERRUPTED)
    bad = [f"{name}: {cell.state}" for name, cell in table.states.items() if cell.state in unfinished]
    if finished:
        from iemomecp_dataset.benchmark.results_table import results_table
        from iemomecp_dataset.benchmark.runs.index import Run

        print(results_table([Run(options.runs_dir / r.run_name, r) for r in finished]))
        report = command_hint("report", shlex.quote(str(options.runs_dir)), "--output report.html")
        print(f"\nReport: {report}")
    if bad:
        print(f"not finished: {'; '.join(bad)}. Logs: {options.runs_dir / 'logs'}", file=sys.stderr)
    in_queue = sum(cell.state in (State.WAITING, State.RUNNING) for cell in table.states.values())
    if in_queue and to_cancel:
        print(_going_on(in_queue, to_cancel, interrupted=interrupted), file=sys.stderr)
    elif interrupted:
        print("Interrupted. Start the same command again to continue.", file=sys.stderr)
    if interrupted:
        return 130
    return 1 if bad else 0


def _going_on(cells: int, to_cancel: str, *, interrupted: bool) -> str:
    """Says what becomes of cells that go on without this launcher."""
    of_cells = "1 cell waits or runs" if cells == 1 else f"{cells} cells wait or run"
    return (
        f"{'Interrupted. ' * interrupted}{of_cells} in the queue, and {'goes' if cells == 1 else 'go'} on without this "
        "launcher. Start the same command again to see the states and wait for the results, or with --no_wait to see "
        f"the states alone. To cancel: {to_cancel}"
    )


def _check_trackers(cells: Sequence[MatrixCell]) -> None:
    """Refuses a tracker that is not installed before the data are read, and not in every cell."""
    trackers = {cell.options.run.log_with for cell in cells if not cell.impossible} - {None}
    if not trackers:
        return
    require_packages("accelerate", extra="train")
    from iemomecp_dataset.trainers.training.trackers import require_tracker

    for name in trackers:
        require_tracker(name)


def _sweeps(options: MatrixOptions, experiments: Sequence[str], rest: Sequence[str]) -> list[Sweep]:
    from iemomecp_dataset.benchmark.matrix.cells import Sweep
    from iemomecp_dataset.benchmark.matrix.experiments import experiment_sweeps

    values = _trainer_options(rest)
    for name, given in (
        ("config_name", options.config_names),
        ("scorer", options.scorers),
        ("objective", options.objectives),
        ("modalities", options.modalities),
    ):
        if given:
            if name != "modalities" and name in values:
                raise UsageError(f"--{name} and its plural are both given.")
            values[name] = given
    data_dirs: dict[str, str] = {}
    for text in options.data_dir:
        name, equals, folder = text.partition("=")
        name, folder = (name, folder) if equals and "/" not in name else ("", text)
        if data_dirs.setdefault(name, folder) != folder:
            raise UsageError(
                f"--data_dir gives two folders for {name or 'every configuration'}: name their configurations."
            )
    if experiments:
        overrides = Sweep("", options.families, values, options.seeds, data_dirs)
        sweeps = [sweep for name in experiments for sweep in experiment_sweeps(name, overrides)]
    else:
        sweeps = [Sweep("", options.families or ("fusion",), values, options.seeds or (42,), data_dirs)]
    of_emotions = [family for family in EMOTION_TRAINERS if any(family in sweep.families for sweep in sweeps)]
    if "objective" in values and of_emotions:
        raise UsageError(
            f"--objectives are losses of pairs, but {' and '.join(of_emotions)} of --families learn"
            f"{'s' * (len(of_emotions) == 1)} emotions. Leave --objectives out (--protocol and --focal_gamma change "
            "the loss of emotions), or train pairs in a matrix of their own."
        )
    return sweeps


def _trainer_options(rest: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    """Options of the trainers, each with its values; one without a value is switched on, with ``--no-`` off."""
    from iemomecp_dataset.trainers.emotions.options import EmotionTrainingOptions
    from iemomecp_dataset.trainers.options import TrainingOptions

    known = TrainingOptions().flat().keys() | EmotionTrainingOptions().flat().keys()
    values: dict[str, tuple[Any, ...]] = {}
    name = ""
    for text in rest:
        if text.startswith("--"):
            flag, equals, value = text[2:].partition("=")
            name = flag.replace("-", "_")
            off = name not in known and name.removeprefix("no_") in known
            name = name.removeprefix("no_") if off else name
            if name in values:
                raise UsageError(f"--{name} is given twice; give its values together: --{name} A B.")
            values[name] = (value,) if equals else ("false",) if off else ()
        elif name:
            values[name] = (*values[name], text)
        else:
            raise UsageError(f"Unexpected argument {text!r}. See --help.")
    return {name: given or ("true",) for name, given in values.items()}


def _data_key(cell: MatrixCell) -> tuple[Any, ...]:
    data = cell.options.data
    further = (getattr(data, name, None) for name in ("candidates", "forward_pairs", "validation", "emotions"))
    return (cell.options.task, data.config_name, data.data_dir, *further)


def _load_data(cells: Sequence[MatrixCell]) -> dict[tuple[Any, ...], Corpus]:
    """Every corpus of the matrix once: for fingerprints, and for what its splits share."""
    from tqdm import tqdm

    from iemomecp_dataset.progress import bars_hidden

    wanted = dict.fromkeys(_data_key(cell) for cell in cells if not cell.impossible)
    return {key: _load(*key) for key in tqdm(wanted, desc="Reading data", leave=False, disable=bars_hidden())}


def _load(
    task: str,
    config_name: str,
    data_dir: str,
    candidates: str | None,
    forward_pairs: str | None,
    validation: str | None,
    emotions: str | None,
) -> Corpus:
    """Loads the data of a cell as its trainer does."""
    from iemomecp_dataset.benchmark.runs.results import ERC
    from iemomecp_dataset.corpus import load_corpus, whole_corpus

    if task != ERC:
        return load_corpus(config_name, data_dir, candidates=candidates, forward_pairs=forward_pairs, emotions=emotions)
    corpus = load_corpus(config_name, data_dir, validation=validation, emotions=emotions)
    corpus.require_emotions()
    return whole_corpus(corpus)


def _inputs_of(data: Mapping[tuple[Any, ...], Corpus]) -> Callable[[MatrixCell], RunInputs]:
    """A function that describes what a cell reads; cells with the same files share one reading of them."""
    from iemomecp_dataset.trainers.run_inputs import effective_batch_size, run_inputs

    found: dict[tuple[Any, ...], RunInputs] = {}

    def inputs(cell: MatrixCell) -> RunInputs:
        options = cell.options
        key = (options.data, options.model.text_encoder, options.model.text_streams, options.model.init_from)
        if key not in found:
            found[key] = run_inputs(options, data[_data_key(cell)], processes=1)
        # Each cell is trained in one process, whatever the backend.
        return dataclasses.replace(found[key], effective_batch_size=effective_batch_size(options, processes=1))

    return inputs


def _contamination(data: Mapping[tuple[Any, ...], Corpus]) -> list[str]:
    from iemomecp_dataset.benchmark.runs.contamination import contamination_warnings, splits_of

    return contamination_warnings(split for corpus in data.values() for split in splits_of(corpus))


def _show_plan(planned: Sequence[PlannedCell], options: MatrixOptions, places: int | None) -> None:
    from iemomecp_dataset.benchmark.matrix.cell_job import job_of
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
    known = [s for s, entry in zip(seconds, planned, strict=True) if entry.to_run and not math.isnan(s)]
    cells = f"{len(planned)} cell{'s' * (len(planned) != 1)}"
    if not to_run:
        print(f"\n{cells}, none to run.")
        return
    at_once = min(places or len(to_run), len(to_run))
    how_many = f"{at_once} at once" if places else "as many at once as the queue starts"
    print(f"\n{cells}, {len(to_run)} to run, {how_many}.", end=" ")
    if known:
        # No shorter than the longest of them.
        in_all = max(*known, sum(known) / at_once)
        print(
            f"Training time of {len(known)} of them by finished runs like them: about {in_all:.0f} s, without start-up."
        )
    else:
        print("No finished run has comparable settings, so there is no estimate.")
    print(f"\n{preview(options, options.runs_dir, [job_of(entry.cell, options.runs_dir) for entry in to_run])}")
