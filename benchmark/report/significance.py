"""Confidence intervals and paired tests of a board, formatted for the page."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from iemomecp_dataset.benchmark.board import Board
from iemomecp_dataset.benchmark.comparison import Comparisons, compare
from iemomecp_dataset.benchmark.results_table import percent
from iemomecp_dataset.benchmark.row_labels import RowLabels
from iemomecp_dataset.metrics.evaluation.predictions import Predictions
from iemomecp_dataset.metrics.significance.bootstrap import Interval

__all__ = ["SignificanceTables", "comparison_tables", "significance_tables"]

_SHOWN = 12
"""Largest number of differences that stand open on the page."""


@dataclass(frozen=True)
class SignificanceTables:
    """Confidence intervals and pairwise differences as text.

    Attributes:
        split: The split of the scores.
        n_units: Number of source dialogues, which are the units of resampling.
        n_resamples: Number of resamples.
        metrics: Names of the scores.
        intervals: One row per system: name, and each score with its interval.
        comparisons: One row per difference: systems, metric, points with interval, standard error over seeds, p,
            corrected p, and whether the corrected p is below 0.05.
        left_out: Names of systems whose predictions are incomplete, or whose scores are upper bounds.
        all_pairs: Whether every two systems are compared.
    """

    split: str
    n_units: int
    n_resamples: int
    metrics: list[str]
    intervals: list[tuple[str, list[str]]]
    comparisons: list[tuple[str, str, str, str, str, str, bool]]
    left_out: str
    all_pairs: bool

    @property
    def folded(self) -> bool:
        """Whether the differences are so many that the page shows them on demand."""
        return len(self.comparisons) > _SHOWN


def significance_tables(
    board: Board, split: str, predictions: Mapping[str, Predictions], n_resamples: int
) -> SignificanceTables | None:
    """Compares the systems of a board by a paired bootstrap and formats the outcome.

    Args:
        board: Comparable runs.
        split: The split of the predictions.
        predictions: By run name.
        n_resamples: Number of resamples; 0 skips the comparison.

    Returns:
        The tables, or None if there is nothing to compare.
    """
    names = {"pair_f1": "Pair F1", "pair_auprc": "AUPRC"}
    found = compare(board, predictions, split=split, n_resamples=n_resamples) if n_resamples else None
    return None if found is None else comparison_tables(found, split, names, board.labels)


def _percent(key: str, value: float, signed: bool = False) -> str:
    return percent(value, signed)


def comparison_tables(
    found: Comparisons,
    split: str,
    names: Mapping[str, str],
    labels: RowLabels,
    written: Callable[[str, float, bool], str] = _percent,
) -> SignificanceTables:
    """Formats a comparison of systems.

    Args:
        found: The comparison.
        split: The split of the scores.
        names: Headings by metric, of the scores that have a column.
        labels: What the page calls the systems.
        written: Formats a value of a metric, with a sign or without.

    Returns:
        The tables.
    """
    return SignificanceTables(
        split=split,
        n_units=found.n_units,
        n_resamples=found.n_resamples,
        metrics=list(names.values()),
        intervals=[
            (labels.keyed(name), [_interval(of_system.get(metric), metric, written) for metric in names])
            for name, of_system in list(found.intervals.items())[::-1]
        ],
        comparisons=[
            (
                f"{labels[one.first]} \N{MINUS SIGN} {labels[one.second]}",
                names[one.metric],
                _interval(one.difference, one.metric, written, signed=True),
                "n/a" if math.isnan(one.seed_error) else f"{written(one.metric, one.seed_error, False)} ({one.seeds})",
                _p_value(one.difference.p_value),
                _p_value(one.p_holm),
                one.p_holm < 0.05,
            )
            for one in found.comparisons
            if one.metric in names
        ],
        left_out="; ".join(found.left_out),
        all_pairs=_all_pairs(found),
    )


def _all_pairs(found: Comparisons) -> bool:
    n = len(found.intervals)
    pairs = {frozenset((one.first, one.second)) for one in found.comparisons if not one.against_rule}
    return len(pairs) == n * (n - 1) // 2


def _interval(
    interval: Interval | None, metric: str, written: Callable[[str, float, bool], str], signed: bool = False
) -> str:
    if interval is None:
        return "n/a"
    values = (interval.estimate, interval.low, interval.high)
    middle, low, high = (written(metric, value, signed).replace("-", "\N{MINUS SIGN}") for value in values)
    return f"{middle} [{low}, {high}]"


def _p_value(p: float | None) -> str:
    if p is None or math.isnan(p):
        return "n/a"
    return f"{p:.3f}" if p >= 0.001 else "< 0.001"
