"""Starts what is to be run of a planned matrix on the backend that the options name, and says what is left."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from iemomecp_dataset.benchmark.matrix.cells import MatrixCell
from iemomecp_dataset.benchmark.matrix.launch import run_cells
from iemomecp_dataset.benchmark.matrix.options import CellOptions
from iemomecp_dataset.benchmark.matrix.plan import PlannedCell, State
from iemomecp_dataset.benchmark.matrix.plan_text import going_on_words
from iemomecp_dataset.benchmark.matrix.state_table import StateTable
from iemomecp_dataset.benchmark.runs.results import RunResults
from iemomecp_dataset.command_process import end_by_signals
from iemomecp_dataset.errors import require_packages
from iemomecp_dataset.jobs.options import open_backend

__all__ = ["Ended", "check_trackers", "start_cells"]

_UNFINISHED = (State.FAILED, State.REFUSED, State.INTERRUPTED)


@dataclass(frozen=True)
class Ended:
    """What became of a matrix.

    Attributes:
        finished: Records of the finished cells by name, those that were finished before included.
        states: The last state of every cell, with details in words.
        runs_dir: Folder of the run folders.
        interrupted: Whether the user interrupted it.
        to_cancel: The command that cancels what goes on in a queue; empty without one.
    """

    finished: dict[str, RunResults]
    states: dict[str, tuple[State, str]]
    runs_dir: Path
    interrupted: bool
    to_cancel: str

    @property
    def exit_code(self) -> int:
        """130 after an interruption, 1 where some cell failed, was refused or is interrupted, else 0."""
        if self.interrupted:
            return 130
        return 1 if any(state in _UNFINISHED for state, _ in self.states.values()) else 0

    def say_what_is_left(self) -> None:
        """Prints the cells that are not finished, and what becomes of those in a queue."""
        bad = [f"{name}: {state}" for name, (state, _) in self.states.items() if state in _UNFINISHED]
        if bad:
            print(f"not finished: {'; '.join(bad)}. Logs: {self.runs_dir / 'logs'}", file=sys.stderr)
        in_queue = sum(state in (State.WAITING, State.RUNNING) for state, _ in self.states.values())
        if in_queue and self.to_cancel:
            print(going_on_words(in_queue, self.to_cancel, interrupted=self.interrupted), file=sys.stderr)
        elif self.interrupted:
            print("Interrupted. Start the same command again to continue.", file=sys.stderr)


def start_cells(planned: Sequence[PlannedCell], runs_dir: Path, options: CellOptions) -> Ended:
    """Runs the cells that are to be run, and shows their states meanwhile.

    Args:
        planned: The plan.
        runs_dir: Folder of the run folders.
        options: Where cells run.

    Raises:
        IemomecpError: The backend cannot be opened, or the folder not be written to.
    """
    table = StateTable(planned)
    if not any(entry.to_run for entry in planned):
        finished = {entry.cell.name: entry.results for entry in planned if entry.results is not None}
        states = {name: (cell.state, cell.words) for name, cell in table.states.items()}
        return Ended(finished, states, runs_dir, False, "")
    require_packages("torch", "transformers", "accelerate", extra="train")
    end_by_signals()
    backend = open_backend(options, runs_dir, cpus=options.cpus_per_cell, gpus=options.gpus_per_cell)
    outcome = run_cells(planned, runs_dir, backend, table, wait=not options.no_wait)
    return Ended(outcome.finished, outcome.states, runs_dir, outcome.interrupted, backend.cancel_command)


def check_trackers(cells: Sequence[MatrixCell]) -> None:
    """Refuses a tracker that is not installed before the data are read, and not in every cell.

    Args:
        cells: The matrix.

    Raises:
        MissingDependencyError: It is not installed.
    """
    trackers = {cell.options.run.log_with for cell in cells if not cell.impossible} - {None}
    if not trackers:
        return
    require_packages("accelerate", extra="train")
    from iemomecp_dataset.trainers.training.trackers import require_tracker

    for name in trackers:
        require_tracker(name)
