"""Intervals and paired tests of a board, as the words that the page shows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from iemomecp_dataset.benchmark.board import Board
from iemomecp_dataset.benchmark.comparison import compare
from iemomecp_dataset.benchmark.results_table import percent
from iemomecp_dataset.metrics.evaluation.predictions import Predictions
from iemomecp_dataset.metrics.significance.bootstrap import Interval

__all__ = ["Certainty", "certainty_of"]


@dataclass(frozen=True)
class Certainty:
    """Intervals and differences in words.

    Attributes:
        split: The split they are on.
        n_units: Source dialogues that were resampled.
        n_resamples: Resamples.
        intervals: System, Pair F1 and AUPRC with their intervals.
        comparisons: Difference, metric, points with interval, standard error over seeds, p, corrected p, and whether
            that is below 0.05.
        left_out: Systems without all predictions.
    """

    split: str
    n_units: int
    n_resamples: int
    intervals: list[tuple[str, str, str]]
    comparisons: list[tuple[str, str, str, str, str, str, bool]]
    left_out: str


def certainty_of(
    board: Board, split: str, predictions: Mapping[str, Predictions], n_resamples: int
) -> Certainty | None:
    """Compares the systems of a board.

    Args:
        board: Comparable runs.
        split: The split that the predictions are on.
        predictions: By run name.
        n_resamples: Resamples; 0 for no comparison.

    Returns:
        The comparison in words, or None where there is nothing to compare.
    """
    found = compare(board, predictions, n_resamples=n_resamples) if n_resamples else None
    if found is None:
        return None
    return Certainty(
        split=split,
        n_units=found.n_units,
        n_resamples=found.n_resamples,
        intervals=[
            (name, _interval(of_system["pair_f1"]), _interval(of_system.get("pair_auprc")))
            for name, of_system in list(found.intervals.items())[::-1]
        ],
        comparisons=[
            (
                f"{one.first} \N{MINUS SIGN} {one.second}",
                "Pair F1" if one.metric == "pair_f1" else "AUPRC",
                _interval(one.difference, signed=True),
                "n/a" if math.isnan(one.seed_error) else f"{percent(one.seed_error)} ({one.seeds})",
                _p_value(one.difference.p_value),
                _p_value(one.p_holm),
                one.p_holm < 0.05,
            )
            for one in found.comparisons
        ],
        left_out=", ".join(found.left_out),
    )


def _interval(interval: Interval | None, signed: bool = False) -> str:
    if interval is None:
        return "n/a"
    values = (interval.estimate, interval.low, interval.high)
    middle, low, high = (percent(value, signed).replace("-", "\N{MINUS SIGN}") for value in values)
    return f"{middle} [{low}, {high}]"


def _p_value(p: float | None) -> str:
    if p is None or math.isnan(p):
        return "n/a"
    return f"{p:.3f}" if p >= 0.001 else "< 0.001"
