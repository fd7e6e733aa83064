"""Plans what to do with each cell from the content of its run folder."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from iemomecp_dataset.benchmark.matrix.cells import MatrixCell
from iemomecp_dataset.benchmark.runs.results import RESULTS_FILE, RunResults, read_results
from iemomecp_dataset.errors import IemomecpError, InvalidDataError, MissingDataError, UsageError
from iemomecp_dataset.excerpts import excerpt
from iemomecp_dataset.files import read_json
from iemomecp_dataset.trainers.run_folder import RunFolder
from iemomecp_dataset.trainers.run_inputs import RunInputs

__all__ = ["LOGS", "PlannedCell", "State", "estimated_seconds", "failure_file", "log_file", "plan_cells"]

LOGS = "logs"


class State(StrEnum):
    """The state of a cell."""

    FINISHED = "finished"
    NEW = "new"
    CONTINUED = "to be continued"
    FAILED = "failed"
    REFUSED = "refused"
    IMPOSSIBLE = "impossible"
    WAITING = "waiting"
    RUNNING = "running"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class PlannedCell:
    """A cell and its state before anything is started.

    Attributes:
        cell: The cell.
        state: ``FINISHED``, ``NEW``, ``CONTINUED``, ``FAILED`` (earlier), ``REFUSED`` or ``IMPOSSIBLE``.
        reason: The reason for one of the last three states.
        results: The record of a finished cell.
    """

    cell: MatrixCell
    state: State
    reason: str = ""
    results: RunResults | None = None

    @property
    def to_run(self) -> bool:
        """Whether the cell is to be started."""
        return self.state in (State.NEW, State.CONTINUED)


def plan_cells(
    cells: Sequence[MatrixCell],
    runs_dir: Path,
    inputs: Callable[[MatrixCell], RunInputs],
    *,
    retry_failed: bool = False,
) -> list[PlannedCell]:
    """Finds the state of every cell from its run folder.

    Args:
        cells: The matrix.
        runs_dir: Folder of the run folders.
        inputs: Returns what a cell reads, by content; called for cells with a run folder.
        retry_failed: Start failed cells again.

    Returns:
        One entry per cell, in the same order.

    Raises:
        UsageError: There are no cells.
    """
    if not cells:
        raise UsageError("The matrix has no cells.")
    return [_look(cell, runs_dir, inputs, retry_failed) for cell in cells]


def estimated_seconds(planned: Sequence[PlannedCell], others: Sequence[RunResults] = ()) -> list[float]:
    """Estimates each cell's training time from the most similar finished runs.

    Args:
        planned: The cells.
        others: Records of further finished runs.

    Returns:
        Seconds per cell, 0 if it is not to be run; NaN if no finished run has the same configuration and scorer.
    """
    records = [entry.results for entry in planned if entry.results is not None] + list(others)
    return [_estimate(entry.cell, records) if entry.to_run else 0.0 for entry in planned]


def log_file(runs_dir: Path, name: str) -> Path:
    """Returns the path of a cell's log: beside the run folders, as a trainer accepts no folder with other files."""
    return runs_dir / LOGS / f"{name}.log"


def failure_file(runs_dir: Path, name: str) -> Path:
    """Returns the path of a failed cell's record: exit code and last lines of the log."""
    return runs_dir / LOGS / f"{name}.failed.json"


def _look(
    cell: MatrixCell, runs_dir: Path, inputs: Callable[[MatrixCell], RunInputs], retry_failed: bool
) -> PlannedCell:
    if cell.impossible:
        return PlannedCell(cell, State.IMPOSSIBLE, cell.impossible)
    path = runs_dir / cell.name
    failure = _failure(failure_file(runs_dir, cell.name))
    state = State.NEW
    if path.exists() and not path.is_dir():
        return PlannedCell(cell, State.REFUSED, f"{path} is a file in place of the run folder. Move it away.")
    if not RunFolder(path).unused:
        try:
            results = read_results(path) if (path / RESULTS_FILE).is_file() else None
            # The trainer's own check that the folder holds this run.
            RunFolder(path).holds(cell.options_in(runs_dir), inputs(cell))
        except IemomecpError as error:
            return PlannedCell(cell, State.REFUSED, str(error).replace("--output_dir", "--runs_dir"))
        if results is not None:
            return PlannedCell(cell, State.FINISHED, results=results)
        state = State.CONTINUED
    if failure and not retry_failed:
        return PlannedCell(cell, State.FAILED, f"{failure} Start with --retry_failed to try it again.")
    return PlannedCell(cell, state)


def _failure(path: Path) -> str:
    if not os.path.lexists(path):
        return ""
    try:
        content = read_json(path)
    except (MissingDataError, InvalidDataError):
        content = None
    lines = content.get("last_lines") if isinstance(content, dict) else None
    if not isinstance(content, dict) or not isinstance(lines, list) or "words" not in content:
        return f"It failed before ({path} cannot be read)."
    last = f"its last line: {excerpt(lines[-1], 1000)}" if lines else "it printed nothing."
    return f"It failed before ({excerpt(content['words'], 1000)}); {last}"


def _estimate(cell: MatrixCell, records: Sequence[RunResults]) -> float:
    known = [r for r in records if not math.isnan(r.wall_seconds)]
    flat = cell.options.flat()
    wanted: dict[str, Any] = {
        name: flat[name]
        for name in ("config_name", "scorer", "modalities", "text_encoder", "encoder_mode", "objective")
        if name in flat
    }
    for n in range(len(wanted), 1, -1):
        same = dict(list(wanted.items())[:n])
        alike = [r.wall_seconds for r in known if all(getattr(r, k) == v for k, v in same.items())]
        if alike:
            return sum(alike) / len(alike)
    return math.nan
