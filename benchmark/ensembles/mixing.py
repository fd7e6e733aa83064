"""The mean of several systems' probabilities, and weights of systems that are fitted on a split with gold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from iemomecp_dataset.errors import MetricInputError, UsageError
from iemomecp_dataset.excerpts import shown

__all__ = ["checked_weights", "fitted_weights", "mixed_probabilities"]

_SMALLEST = 1e-12
"""Probability below which a system that excludes the gold class is not punished further: its logarithm is finite."""


def mixed_probabilities(probabilities: Sequence[ArrayLike], weights: ArrayLike | None = None) -> NDArray[np.float64]:
    r"""Averages the probabilities of systems on the same items, the linear opinion pool (Stone, 1961).

    .. math:: p = \sum_k w_k p_k, \qquad w_k \ge 0, \; \sum_k w_k = 1

    Args:
        probabilities: Of each of ``K`` systems ``(n, C)`` floats.
        weights: ``(K,)`` floats, as :func:`checked_weights` gives them; ``None``: all systems alike.

    Returns:
        ``(n, C)``; rows sum to one where those of every system do.

    Raises:
        MetricInputError: There is no system, or they have different shapes.
        UsageError: The weights cannot be used, see :func:`checked_weights`.

    Example:
        >>> mixed_probabilities([[[0.75, 0.25]], [[0.25, 0.75]]]).tolist()
        [[0.5, 0.5]]
        >>> mixed_probabilities([[[0.75, 0.25]], [[0.25, 0.75]]], [3, 1]).tolist()
        [[0.625, 0.375]]
    """
    stacked = _stacked(probabilities)
    given = np.full(len(stacked), 1 / len(stacked)) if weights is None else checked_weights(weights, len(stacked))
    mixed: NDArray[np.float64] = np.tensordot(given, stacked, axes=1)
    return mixed


def checked_weights(weights: ArrayLike, count: int) -> NDArray[np.float64]:
    """Checks weights of systems, and scales them so that they sum to one.

    Args:
        weights: ``(count,)`` numbers, none negative and not all 0.
        count: Number of systems.

    Returns:
        ``(count,)`` floats that sum to one.

    Raises:
        UsageError: There is another number of them, one is negative or no number, or all are 0.

    Example:
        >>> checked_weights([2, 1, 1], 3).tolist()
        [0.5, 0.25, 0.25]
    """
    given = np.asarray(weights, dtype=np.float64)
    if given.shape != (count,):
        raise UsageError(f"There are {count} runs and {given.size} weights. Give one weight for each run, in order.")
    unusable = [value for value in given.tolist() if not (np.isfinite(value) and value >= 0)]
    if unusable or not given.sum() > 0:
        found = f"one is {shown(unusable[0])}" if unusable else "all are 0"
        raise UsageError(f"Weights are numbers of at least 0, and not all of them 0; {found}.")
    scaled: NDArray[np.float64] = given / given.sum()
    return scaled


def fitted_weights(
    probabilities: Sequence[ArrayLike], labels: ArrayLike, *, rounds: int = 10_000, tolerance: float = 1e-6
) -> NDArray[np.float64]:
    r"""Fits the weights of systems to a split with gold: those whose mean gives the gold the largest likelihood.

    .. math:: \max_w \; \frac{1}{n} \sum_{i=1}^n \log \sum_k w_k \, p_k(y_i) \quad (w_k \ge 0, \; \sum_k w_k = 1)

    It is found by expectation maximisation for the weights of a mixture (Dempster, Laird and Rubin, 1977), which begins
    at equal weights and never lowers the likelihood. A round multiplies each weight by the slope of the likelihood in
    it. As the problem is concave, the largest slope less 1 bounds what any other weights could gain.

    Args:
        probabilities: Of each of ``K`` systems ``(n, C)`` floats.
        labels: ``(n,)`` ints, gold class ids.
        rounds: Most rounds.
        tolerance: It ends where no weights have a mean log-likelihood that is larger by more than this.

    Returns:
        ``(K,)`` floats of at least 0 that sum to one. Systems that predict alike get equal weights.

    Raises:
        MetricInputError: There is no system or no item, shapes differ, or a label is no class.

    Example:
        >>> good, poor = [[0.9, 0.1], [0.2, 0.8]], [[0.5, 0.5], [0.5, 0.5]]
        >>> fitted_weights([good, poor], [0, 1]).round(3).tolist()
        [1.0, 0.0]
    """
    stacked, gold = _stacked(probabilities), np.asarray(labels)
    n, classes = stacked.shape[1:]
    if gold.shape != (n,) or not n or gold.dtype.kind not in "iu" or gold.min() < 0 or gold.max() >= classes:
        raise MetricInputError(
            f"Weights are fitted to one gold class id per item, of {classes} classes; found {n} items and labels of "
            f"shape {gold.shape} and type {gold.dtype}."
        )
    of_gold = np.maximum(stacked[:, np.arange(n), gold], _SMALLEST)
    weights = np.full(len(of_gold), 1 / len(of_gold))
    for _ in range(rounds):
        slopes = (of_gold / (weights @ of_gold)).mean(axis=1)
        if slopes.max() - 1 < tolerance:
            break
        weights = weights * slopes
    # The products sum to one but for rounding.
    return checked_weights(weights, len(weights))


def _stacked(probabilities: Sequence[ArrayLike]) -> NDArray[np.float64]:
    """``(K, n, C)`` of systems on the same items."""
    arrays = [np.asarray(one, dtype=np.float64) for one in probabilities]
    shapes = list(dict.fromkeys(array.shape for array in arrays))
    if len(shapes) != 1 or len(shapes[0]) != 2:
        found = ", ".join(map(str, shapes)) or "no system"
        raise MetricInputError(f"Systems are averaged over (n, C) probabilities of the same n items; found {found}.")
    return np.stack(arrays)
