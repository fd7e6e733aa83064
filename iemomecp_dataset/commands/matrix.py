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

import itertools
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from iemomecp_dataset.benchmark.matrix.options import CellOptions, trainer_options
from iemomecp_dataset.command_line import OptionParser, command_hint, option
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.jobs.options import check_backend
from iemomecp_dataset.options import DialogueConfig
from iemomecp_dataset.schema import ModalitySet
from iemomecp_dataset.trainers.cli import EMOTION_TRAINERS, TRAINERS
from iemomecp_dataset.trainers.options import ObjectiveName
from iemomecp_dataset.trainers.scorers import scorer_names

if TYPE_CHECKING:
    from iemomecp_dataset.benchmark.matrix.cells import Sweep

_AXES = "what varies (any other option of the trainers as well)"


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
class MatrixOptions(CellOptions, _Axes):
    """Options of the command, besides those of the trainers."""


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
    from iemomecp_dataset.benchmark.matrix.cell_data import data_warnings, inputs_of, load_data
    from iemomecp_dataset.benchmark.matrix.cells import cells_of
    from iemomecp_dataset.benchmark.matrix.plan import plan_cells
    from iemomecp_dataset.benchmark.matrix.plan_text import print_plan
    from iemomecp_dataset.benchmark.matrix.start import check_trackers, start_cells

    places = check_backend(options, gpus=options.gpus_per_cell)
    cells = cells_of(*_sweeps(options, given[: len(given) - len(flags)], rest))
    check_trackers(cells)
    data = load_data(cells)
    for warning in data_warnings(data):
        print(f"warning: {warning}", file=sys.stderr)
    planned = plan_cells(cells, options.runs_dir, inputs_of(data), retry_failed=options.retry_failed)
    data.clear()
    if options.dry_run:
        print_plan(planned, options.runs_dir, options, places)
        return 0
    ended = start_cells(planned, options.runs_dir, options)
    if ended.finished:
        from iemomecp_dataset.benchmark.results_table import results_table
        from iemomecp_dataset.benchmark.runs.index import Run

        print(results_table([Run(options.runs_dir / r.run_name, r) for r in ended.finished.values()]))
        report = command_hint("report", shlex.quote(str(options.runs_dir)), "--output report.html")
        print(f"\nReport: {report}")
    ended.say_what_is_left()
    return ended.exit_code


def _sweeps(options: MatrixOptions, experiments: Sequence[str], rest: Sequence[str]) -> list[Sweep]:
    from iemomecp_dataset.benchmark.matrix.cells import Sweep
    from iemomecp_dataset.benchmark.matrix.experiments import experiment_sweeps

    values = trainer_options(rest)
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
