"""Calibration of the pair probability: of pairs scored 0.7, seven in ten should be gold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.metrics.arguments.argument_checks import as_array, check_count, number_column
from iemomecp_dataset.metrics.pair_inputs import check_gold_flags, clipped_probabilities

__all__ = ["ReliabilityTable", "brier_score", "expected_calibration_error", "reliability_table"]


@dataclass(frozen=True)
class ReliabilityTable:
    """Holds bins of pairs ranked by confidence, each with the same number of pairs (or one more).

    Attributes:
        count: ``(b,)`` ints, pairs in the bin.
        mean_confidence: ``(b,)`` floats, their mean probability of being a pair.
        positive_rate: ``(b,)`` floats, the share of them that is gold.
        lowest: ``(b,)`` floats, the smallest probability in the bin.
        highest: ``(b,)`` floats, the largest probability in the bin.
    """

    count: NDArray[np.int64]
    mean_confidence: NDArray[np.float64]
    positive_rate: NDArray[np.float64]
    lowest: NDArray[np.float64]
    highest: NDArray[np.float64]


def brier_score(confidences: ArrayLike, positive: ArrayLike) -> float:
    r"""Computes the Brier score, the mean squared difference between the pair probability and the gold.

    .. math:: B = \frac{1}{n} \sum_{i=1}^n (p_i - y_i)^2

    (Brier, 1950; one term per pair, the positive class against the rest, between 0 and 1).

    Args:
        confidences: ``(n,)`` floats, probability of class 0.
        positive: ``(n,)`` bool, is the pair gold.

    Returns:
        The score; smaller is better. Predicting the base rate ``b`` for every pair gives ``b (1 - b)``.

    Raises:
        MetricInputError: Other shapes or values.

    Example:
        >>> round(brier_score([0.9, 0.2], [True, False]), 4)
        0.025
    """
    p, y = _checked(confidences, positive)
    return float(np.mean((p - y) ** 2))


def expected_calibration_error(confidences: ArrayLike, positive: ArrayLike, *, n_bins: int = 15) -> float:
    r"""Computes the expected calibration error with equal-mass bins.

    .. math:: ECE = \sum_b \frac{n_b}{n} \left| \bar p_b - \bar y_b \right|

    over the bins of :func:`reliability_table`, with their mean confidence :math:`\bar p_b` and positive rate
    :math:`\bar y_b`. Pairs are mostly negatives with tiny probabilities: with bins of equal width nearly all of them
    would fall into the first.

    Args:
        confidences: ``(n,)`` floats, probability of class 0.
        positive: ``(n,)`` bool.
        n_bins: Number of bins, at most; fewer where equal scores cannot be told apart.

    Returns:
        The error, between 0 and 1.

    Raises:
        MetricInputError: Other shapes or values.

    Example:
        >>> round(expected_calibration_error([0.1, 0.1, 0.8, 0.8], [False, False, True, False], n_bins=2), 4)
        0.2
    """
    table = reliability_table(confidences, positive, n_bins=n_bins)
    gaps = np.abs(table.mean_confidence - table.positive_rate)
    return float(np.sum(table.count * gaps) / table.count.sum())


def reliability_table(confidences: ArrayLike, positive: ArrayLike, *, n_bins: int = 15) -> ReliabilityTable:
    """Bins pairs by confidence, with equally many pairs per bin.

    Equal scores stay together in the bin of the first of them, so the order of the input is irrelevant.

    Args:
        confidences: ``(n,)`` floats, probability of class 0.
        positive: ``(n,)`` bool.
        n_bins: Number of bins, at most.

    Returns:
        The table, from the least confident bin up; bins without pairs are left out.

    Raises:
        MetricInputError: Other shapes or values.

    Example:
        >>> reliability_table([0.1, 0.3, 0.6, 0.8], [False, False, True, False], n_bins=2).positive_rate.tolist()
        [0.0, 0.5]
    """
    p, y = _checked(confidences, positive)
    n_bins = min(check_count(n_bins, "n_bins", "a whole number of at least 1", smallest=1), len(p))
    order = np.argsort(p, kind="stable")
    p, y = p[order], y[order]
    # Every pair takes the rank of the first of its equals; that rank decides the bin.
    starts = np.concatenate(([True], p[1:] != p[:-1]))
    rank = np.flatnonzero(starts)[np.cumsum(starts) - 1]
    bins = rank * n_bins // len(p)
    count = np.bincount(bins, minlength=n_bins)
    filled = count > 0
    first = np.concatenate(([0], np.cumsum(count)))[:-1]
    return ReliabilityTable(
        count=count[filled],
        mean_confidence=np.bincount(bins, weights=p, minlength=n_bins)[filled] / count[filled],
        positive_rate=np.bincount(bins, weights=y, minlength=n_bins)[filled] / count[filled],
        lowest=p[first[filled]],
        highest=p[(first + count - 1)[filled]],
    )


def _checked(confidences: ArrayLike, positive: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    p, y = number_column(confidences, "confidences"), as_array(positive, "gold flags", "pair")
    if p.ndim != 1 or p.shape != y.shape or not len(p):
        raise MetricInputError(
            f"Calibration needs one probability and one gold flag per pair, at least one pair; found shapes {p.shape} "
            f"and {y.shape}."
        )
    check_gold_flags(y)
    return clipped_probabilities(p), y.astype(np.float64)
