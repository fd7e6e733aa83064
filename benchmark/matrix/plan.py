"""What is to be done about each cell, found from what its run folder holds."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from iemomecp_dataset.benchmark.matrix.cells import Cell
from iemomecp_dataset.benchmark.runs.results import RESULTS_FILE, RunResults, read_results
from iemomecp_dataset.errors import IemomecpError, UsageError
from iemomecp_dataset.trainers.run_folder import RunFolder

__all__ = ["LOGS", "PlannedCell", "State", "estimated_seconds", "failure_file", "log_file", "plan_cells"]

LOGS = "logs"


class State(StrEnum):
    """Where a cell stands."""

    FINISHED = "finished"
    NEW = "new"
    CONTINUED = "to be continued"
    FAILED = "failed"
    REFUSED = "refused"
    IMPOSSIBLE = "impossible"
    RUNNING = "running"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class PlannedCell:
    """A cell, where it stands before anything is started, and why.

    Attributes:
        cell: The cell.
        state: ``FINISHED``, ``NEW``, ``CONTINUED``, ``FAILED`` (earlier), ``REFUSED`` or ``IMPOSSIBLE``.
        reason: Why, for the last three.
        results: The record of a finished one.
    """

    cell: Cell
    state: State
    reason: str = ""
    results: RunResults | None = None

    @property
    def to_run(self) -> bool:
        """Whether it is going to be started."""
        return self.state in (State.NEW, State.CONTINUED)


def plan_cells(
    cells: Sequence[Cell],
    runs_dir: Path,
    fingerprints: Callable[[Cell], Mapping[str, str]],
    *,
    retry_failed: bool = False,
) -> list[PlannedCell]:
    """Looks at every cell's folder.

    Args:
        cells: The matrix.
        runs_dir: Where the run folders are.
        fingerprints: Gives the content hash by split of a cell's data.
        retry_failed: Start cells again that failed.

    Returns:
        One entry a cell, in the same order.

    Raises:
        UsageError: There are no cells.
    """
    if not cells:
        raise UsageError("The matrix has no cells.")
    return [_look(cell, runs_dir, fingerprints, retry_failed) for cell in cells]


def estimated_seconds(planned: Sequence[PlannedCell], others: Sequence[RunResults] = ()) -> list[float]:
    """What training each cell may take, from finished runs that are most like it.

    Args:
        planned: The cells.
        others: Records of further finished runs.

    Returns:
        Seconds a cell, 0 for what is not going to be run; NaN where no finished run is like it (the same configuration
        and scorer at least).
    """
    records = [entry.results for entry in planned if entry.results is not None] + list(others)
    return [_estimate(entry.cell, records) if entry.to_run else 0.0 for entry in planned]


def log_file(runs_dir: Path, name: str) -> Path:
    """The log of a cell; beside the run folders, as a trainer takes only folders that are empty or its own."""
    return runs_dir / LOGS / f"{name}.log"


def failure_file(runs_dir: Path, name: str) -> Path:
    """There when the cell's last run failed: its exit code and last lines."""
    return runs_dir / LOGS / f"{name}.failed.json"


def _look(
    cell: Cell, runs_dir: Path, fingerprints: Callable[[Cell], Mapping[str, str]], retry_failed: bool
) -> PlannedCell:
    if cell.impossible:
        return PlannedCell(cell, State.IMPOSSIBLE, cell.impossible)
    path = runs_dir / cell.name
    failure = _failure(failure_file(runs_dir, cell.name))
    state = State.NEW
    if path.exists() and not path.is_dir():
        return PlannedCell(cell, State.REFUSED, f"{path} is a file, where the run folder should be. Move it away.")
    if path.is_dir() and any(path.iterdir()):
        try:
            results = read_results(path) if (path / RESULTS_FILE).is_file() else None
            # The trainer's own judgement of whose folder it is; it writes nothing into a folder that holds something.
            RunFolder(path).claim(cell.options_in(runs_dir), fingerprints(cell))
        except IemomecpError as error:
            return PlannedCell(cell, State.REFUSED, str(error).replace("--output_dir", "--runs_dir"))
        if results is not None:
            return PlannedCell(cell, State.FINISHED, results=results)
        state = State.CONTINUED
    if failure and not retry_failed:
        return PlannedCell(cell, State.FAILED, f"{failure} Start with --retry_failed to try it again.")
    return PlannedCell(cell, state)


def _failure(path: Path) -> str:
    if not path.is_file():
        return ""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        last = f"its last line: {content['last_lines'][-1]}" if content["last_lines"] else "it printed nothing."
        return f"It failed before ({content['words']}); {last}"
    except (json.JSONDecodeError, KeyError, TypeError):
        return f"It failed before ({path} cannot be read)."


def _estimate(cell: Cell, records: Sequence[RunResults]) -> float:
    known = [r for r in records if not math.isnan(r.wall_seconds)]
    wanted: dict[str, Any] = {
        name: cell.options.flat()[name]
        for name in ("config_name", "scorer", "modalities", "text_encoder", "encoder_mode", "objective")
    }
    for n in range(len(wanted), 1, -1):
        same = dict(list(wanted.items())[:n])
        alike = [r.wall_seconds for r in known if all(getattr(r, k) == v for k, v in same.items())]
        if alike:
            return sum(alike) / len(alike)
    return math.nan
