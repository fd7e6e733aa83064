"""Chooses the runs of a folder that figures can be drawn of, so that one run never keeps the others from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from iemomecp_dataset.benchmark.board import leaderboard
from iemomecp_dataset.benchmark.diagnostics.pair_facts import PairFacts
from iemomecp_dataset.benchmark.runs.index import Run
from iemomecp_dataset.benchmark.runs.results import PAIRS
from iemomecp_dataset.corpora.metadata import IEMOMECP
from iemomecp_dataset.errors import IemomecpError
from iemomecp_dataset.metrics.evaluation.predictions import read_predictions
from iemomecp_dataset.schema import PAIR_LABELS, ROLE_LABELS

__all__ = ["usable_runs"]


def usable_runs(runs: Sequence[Run], facts: Mapping[str, PairFacts]) -> tuple[list[Run], dict[str, str]]:
    """Leaves out runs on IEMO-MECP whose test predictions cannot be read, are of other data, or compare with few.

    Args:
        runs: Runs of a folder; runs on corpora other than IEMO-MECP are not drawn.
        facts: The candidate pairs of the data by split.

    Returns:
        The runs that remain, and by folder the reason why each other is left out. Of runs of one task that do not
        compare with each other, the largest group remains; where no group is the largest, all do.
    """
    left_out: dict[str, str] = {}
    kept: list[Run] = []
    for run in runs:
        if run.results.corpus == IEMOMECP and run.results.task != PAIRS:
            left_out[str(run.folder)] = "it recognises emotions and finds no pairs."
    for class_names in (PAIR_LABELS, ROLE_LABELS):
        fitting = []
        for run in runs:
            if run.results.corpus == IEMOMECP and run.results.class_names == class_names:
                reason = _reason(run, facts.get("test"))
                if reason:
                    left_out[str(run.folder)] = reason
                else:
                    fitting.append(run)
        first, *others = sorted((board.runs for board in leaderboard(fitting)), key=len, reverse=True) or [()]
        if others and len(first) > len(others[0]):
            for run in fitting:
                if run not in first:
                    left_out[str(run.folder)] = (
                        f"its data, gold or candidates differ from those of {first[0].results.run_name} and "
                        f"{len(first) - 1} more, beside which it must not be drawn."
                    )
            fitting = list(first)
        kept += fitting
    return kept, left_out


def _reason(run: Run, test: PairFacts | None) -> str:
    """Why no figure can be drawn of a run; empty where one can."""
    if test is None:
        return ""
    if "test" not in run.results.metrics:
        return "it has no scores on test."
    removed = run.predictions_path("test_removed")
    try:
        for path in (run.predictions_path("test"), *([removed] if removed.exists() else [])):
            test.order_of(read_predictions(path))
    except IemomecpError as error:
        return str(error)
    return ""
