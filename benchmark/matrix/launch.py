"""Runs the planned cells on a backend."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from iemomecp_dataset.benchmark.matrix.backends import Backend
from iemomecp_dataset.benchmark.matrix.cell_process import RUNS_ELSEWHERE, exit_words, job_of, last_lines
from iemomecp_dataset.benchmark.matrix.plan import PlannedCell, State, failure_file, log_file
from iemomecp_dataset.benchmark.matrix.state_table import StateTable, epochs_done
from iemomecp_dataset.benchmark.runs.results import HEADLINE, RESULTS_FILE, RunResults, read_results
from iemomecp_dataset.errors import IemomecpError, RunFolderError
from iemomecp_dataset.files import make_folder, write_json
from iemomecp_dataset.trainers.run_folder import RunFolder

__all__ = ["Outcome", "run_cells"]

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
    planned: Sequence[PlannedCell], runs_dir: Path, backend: Backend, table: StateTable, *, pause: float = 0.25
) -> Outcome:
    """Runs the cells that are to be run; a failed cell does not stop the others.

    Args:
        planned: The plan.
        runs_dir: Folder of the run folders.
        backend: Runs the cells.
        table: Shows their states.
        pause: Seconds between two polls.

    Returns:
        The outcome. After Ctrl-C, running cells have been ended; they continue when the matrix is started again.

    Raises:
        UsageError: The folder cannot be written to.
    """
    cells = {entry.cell.name: entry.cell for entry in planned}
    waiting = deque(entry.cell.name for entry in planned if entry.to_run)
    finished = {entry.cell.name: entry.results for entry in planned if entry.results is not None}
    running: dict[str, float] = {}
    interrupted = False
    make_folder(runs_dir)
    table.draw(at_once=True)
    try:
        while waiting or running:
            while waiting and len(running) < backend.capacity:
                name = waiting.popleft()
                failure_file(runs_dir, name).unlink(missing_ok=True)
                try:
                    backend.start(job_of(cells[name], runs_dir))
                except RunFolderError as error:
                    table.set(name, State.REFUSED, str(error))
                    continue
                running[name] = time.monotonic()
                table.set(name, State.RUNNING)
            for name, code in backend.ended():
                seconds = time.monotonic() - running.pop(name)
                record = _settle(name, code, seconds, runs_dir, table)
                if record is not None:
                    finished[name] = record
            for name, since in running.items():
                done, most = epochs_done(runs_dir / name), cells[name].options.optimization.epochs
                table.set(name, State.RUNNING, f"epoch {done} of at most {most}, {time.monotonic() - since:.0f} s")
            time.sleep(pause)
    except KeyboardInterrupt:
        interrupted = True
        table.say(f"Interrupted: ending {len(running)} running cells.")
        for name in running:
            table.set(name, State.INTERRUPTED, "continues when the same command is started again")
    finally:
        backend.stop()
    states = {name: (cell.state, cell.words) for name, cell in table.states.items()}
    return Outcome({name: finished[name] for name in cells if name in finished}, states, interrupted)


def _settle(name: str, code: int, seconds: float, runs_dir: Path, table: StateTable) -> RunResults | None:
    """Records the outcome of an ended cell."""
    if code == RUNS_ELSEWHERE:
        table.set(name, State.REFUSED, f"another launcher is running it: {log_file(runs_dir, name)} is locked")
        return None
    words = exit_words(code)
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
            words = f"{_HEADLINE_WORDS[headline]} {100 * score:.2f}, " if score is not None else ""
            table.set(name, State.FINISHED, f"{words}{seconds:.0f} s")
            return record
    lines = last_lines(log_file(runs_dir, name))
    write_json(failure_file(runs_dir, name), {"exit_code": code, "words": words, "last_lines": lines})
    table.set(name, State.FAILED, words)
    table.say(f"{name} failed ({words}). Last lines of {log_file(runs_dir, name)}:", *(f"  | {line}" for line in lines))
    return None
