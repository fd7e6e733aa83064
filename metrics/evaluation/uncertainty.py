"""Intervals and paired tests of evaluations, as their options ask for."""

from __future__ import annotations

from pathlib import Path

from iemomecp_dataset.metrics.evaluation.results import EvaluationOptions, FileComparison
from iemomecp_dataset.metrics.significance.bootstrap import Interval, bootstrap_intervals, paired_bootstrap
from iemomecp_dataset.metrics.significance.counts import UnitCounts
from iemomecp_dataset.metrics.significance.permutation import permutation_test

__all__ = ["intervals_of", "paired_tests"]


def paired_tests(
    first: Path, second: Path | str, counts: list[UnitCounts], options: EvaluationOptions
) -> FileComparison:
    """Runs the paired bootstrap and the permutation test.

    Args:
        first: The first file.
        second: The second; or the name of a structural row.
        counts: Of the two systems, in this order, on the same units.
        options: How to resample.

    Returns:
        Differences, first minus second.
    """
    draws = options.n_resamples or 10_000
    return FileComparison(
        first=first,
        second=second,
        bootstrap=paired_bootstrap(
            *counts, n_resamples=draws, confidence=options.confidence, seed=options.seed, progress=options.progress
        ),
        permutation=permutation_test(*counts, n_permutations=draws, seed=options.seed, progress=options.progress),
    )


def intervals_of(counts: UnitCounts, options: EvaluationOptions) -> dict[str, Interval]:
    """Resamples dialogues.

    Args:
        counts: Of one system.
        options: How to resample.

    Returns:
        Intervals by score; none without resamples, or with one dialogue alone.
    """
    if not options.n_resamples or len(counts.units) < 2:
        return {}
    return bootstrap_intervals(
        counts,
        n_resamples=options.n_resamples,
        confidence=options.confidence,
        seed=options.seed,
        progress=options.progress,
    )
