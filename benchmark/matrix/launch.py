"""Runs the planned cells on a backend."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from iemomecp_dataset.benchmark.matrix.cell_job import job_of
from iemomecp_dataset.benchmark.matrix.cells import MatrixCell
from iemomecp_dataset.benchmark.matrix.plan import PlannedCell, State, failure_file, log_file
from iemomecp_dataset.benchmark.matrix.state_table import StateTable, epochs_done
from iemomecp_dataset.benchmark.runs.results import HEADLINE, RESULTS_FILE, RunResults, read_results
from iemomecp_dataset.errors import IemomecpError
from iemomecp_dataset.files import make_folder, write_json
from iemomecp_dataset.jobs.backend import Backend
from iemomecp_dataset.jobs.job import RUNS_ELSEWHERE, JobState, JobStatus, exit_words
from iemomecp_dataset.jobs.process import last_lines
from iemomecp_dataset.jobs.running import run_jobs
from iemomecp_dataset.trainers.run_folder import RunFolder

__all__ = ["Outcome", "run_cells"]

_PAUSE, _QUEUE_PAUSE = 0.25, 2.0
"""Seconds between two polls of cells of this machine or of ray, and of those in a queue."""

_HEADLINE_WORDS = {"pair_f1": "Pair F1", "weighted_f1": "weighted F1"}


@dataclass(frozen=True)
class Outcome:
    """The outcome of a matrix.

    Attributes:
        finished: Records by cell, including cells that were finished before.
        states: The last state of every cell, with details in words.
        interrupted: Whether the user interrupted it.
    """

    finished: dict[str, RunResults] = field(default_factory=dict)
    states: dict[str, tuple[State, str]] = field(default_factory=dict)
    interrupted: bool = False

    def names(self, state: State) -> list[str]:
        """Lists the cells in a state."""
        return [name for name, (found, _) in self.states.items() if found is state]


def run_cells(
    planned: Sequence[PlannedCell],
    runs_dir: Path,
    backend: Backend,
    table: StateTable,
    *,
    wait: bool = True,
    pause: float | None = None,
) -> Outcome:
    """Runs the cells that are to be run; a failed cell does not stop the others.

    Args:
        planned: The plan.
        runs_dir: Folder of the run folders.
        backend: Runs the cells.
        table: Shows their states.
        wait: Wait until all have ended; otherwise they are submitted, and their states shown once.
        pause: Seconds between two polls; by default a fraction of one, or more for a queue, whose cells may be many and
            whose logs lie on a file system that others use, too.

    Returns:
        The outcome. After Ctrl-C, running cells have been ended; they continue when the matrix is started again. Where
        jobs outlive the launcher, they go on.

    Raises:
        UsageError: The folder cannot be written to.
    """
    cells = {entry.cell.name: entry.cell for entry in planned}
    to_run = [entry.cell for entry in planned if entry.to_run]
    finished = {entry.cell.name: entry.results for entry in planned if entry.results is not None}
    begun: dict[str, float] = {}
    queued: set[str] = set()
    interrupted = False
    make_folder(runs_dir)
    table.draw(at_once=True)

    def seen(name: str, status: JobStatus) -> None:
        if status.state is JobState.WAITING:
            # A cell of this machine that waits for a slot stays as it was planned: new, or to be continued.
            if status.words:
                table.set(name, State.WAITING, status.words)
            queued.add(name)
            return
        if status.exit_code != RUNS_ELSEWHERE and name not in begun:
            failure_file(runs_dir, name).unlink(missing_ok=True)
        # Of a job that an earlier launcher began, the time is not known.
        if not status.over and name not in begun:
            begun[name] = time.monotonic() if name in queued or not backend.outlives_launcher else math.nan
        seconds = time.monotonic() - begun.get(name, math.nan)
        if status.state is JobState.RUNNING:
            table.set(name, State.RUNNING, _progress(cells[name], runs_dir, seconds, status.words))
            return
        record = _settle(name, status, seconds, runs_dir, table)
        if record is not None:
            finished[name] = record
        table.count()

    def say_interrupted() -> None:
        nonlocal interrupted
        interrupted = True
        running = [name for name, cell in table.states.items() if cell.state is State.RUNNING]
        if backend.outlives_launcher:
            return
        table.say(f"Interrupted: ending {len(running)} running cells.")
        for name in running:
            table.set(name, State.INTERRUPTED, "continues when the same command is started again")

    with contextlib.suppress(KeyboardInterrupt):
        run_jobs(
            [job_of(cell, runs_dir) for cell in to_run],
            backend,
            seen=seen,
            interrupted=say_interrupted,
            wait=wait,
            pause=(_QUEUE_PAUSE if backend.outlives_launcher else _PAUSE) if pause is None else pause,
        )
    states = {name: (cell.state, cell.words) for name, cell in table.states.items()}
    return Outcome({name: finished[name] for name in cells if name in finished}, states, interrupted)


def _progress(cell: MatrixCell, runs_dir: Path, seconds: float, words: str) -> str:
    done, most = epochs_done(runs_dir / cell.name), cell.options.optimization.epochs
    return ", ".join(filter(None, [f"epoch {done} of at most {most}", _time_words(seconds), words]))


def _time_words(seconds: float) -> str:
    return "" if math.isnan(seconds) else f"{seconds:.0f} s"


def _settle(name: str, status: JobStatus, seconds: float, runs_dir: Path, table: StateTable) -> RunResults | None:
    """Records the outcome of a cell that is over."""
    log = log_file(runs_dir, name)
    if status.exit_code == RUNS_ELSEWHERE:
        table.set(
            name, State.REFUSED, f"another launcher runs it: {log} is locked{f' ({status.words})' * bool(status.words)}"
        )
        return None
    if status.state is JobState.CANCELLED:
        table.set(name, State.INTERRUPTED, status.words or "was cancelled; start again to continue")
        return None
    code, words = status.exit_code, status.words
    if code is not None:
        words = ", ".join(filter(None, [exit_words(code), status.words]))
    if code == 0 and RunFolder(runs_dir / name).latest_checkpoint() and not (runs_dir / name / RESULTS_FILE).exists():
        table.set(name, State.INTERRUPTED, "stopped before its end (--max_hours, say); start again to continue")
        return None
    if code == 0:
        try:
            record = read_results(runs_dir / name)
        except IemomecpError as error:
            words = str(error)
        else:
            headline = HEADLINE[record.task]
            score = record.metrics.get("test", record.metrics.get("validation", {})).get(headline)
            words = f"{_HEADLINE_WORDS[headline]} {100 * score:.2f}" if score is not None else ""
            table.set(name, State.FINISHED, ", ".join(filter(None, [words, _time_words(seconds)])))
            return record
    words = words or "it left no exit code"
    lines = last_lines(log)
    write_json(failure_file(runs_dir, name), {"exit_code": code, "words": words, "last_lines": lines})
    table.set(name, State.FAILED, words)
    table.say(f"{name} failed ({words}). Last lines of {log}:", *(f"  | {line}" for line in lines))
    return None
