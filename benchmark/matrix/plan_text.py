"""Puts a plan into words: the cells with their states, how long they may take, and their commands."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from iemomecp_dataset.benchmark.matrix.cell_job import job_of
from iemomecp_dataset.benchmark.matrix.options import CellOptions
from iemomecp_dataset.benchmark.matrix.plan import PlannedCell, estimated_seconds
from iemomecp_dataset.benchmark.runs.index import index_runs
from iemomecp_dataset.errors import IemomecpError
from iemomecp_dataset.jobs.options import preview

__all__ = ["going_on_words", "print_plan"]


def print_plan(planned: Sequence[PlannedCell], runs_dir: Path, options: CellOptions, places: int | None) -> None:
    """Prints what a dry run shows.

    Args:
        planned: The cells.
        runs_dir: Folder of the run folders.
        options: Where cells run.
        places: How many run at once; None: the queue decides.
    """
    try:
        others = [run.results for run in index_runs(runs_dir).runs]
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
    print(f"\n{preview(options, runs_dir, [job_of(entry.cell, runs_dir) for entry in to_run])}")


def going_on_words(cells: int, to_cancel: str, *, interrupted: bool) -> str:
    """Says what becomes of cells that go on without this launcher.

    Args:
        cells: How many there are.
        to_cancel: The command that cancels them.
        interrupted: Whether the launcher was interrupted.
    """
    of_cells = "1 cell waits or runs" if cells == 1 else f"{cells} cells wait or run"
    return (
        f"{'Interrupted. ' * interrupted}{of_cells} in the queue, and {'goes' if cells == 1 else 'go'} on without this "
        "launcher. Start the same command again to see the states and wait for the results, or with --no_wait to see "
        f"the states alone. To cancel: {to_cancel}"
    )
