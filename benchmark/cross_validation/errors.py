"""Standard errors of means over folds and seeds."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["crossed_mean_and_error"]


def crossed_mean_and_error(scores: ArrayLike) -> tuple[float, float]:
    r"""Averages scores that were computed on every fold with every seed.

    Folds and seeds are crossed: all scores of a fold share its dialogues, all of a seed its random numbers, so that
    :math:`F S` scores are fewer than so many independent ones. By the two-way analysis of variance without repetition,
    the variance of the mean is estimated by

    .. math:: (MS_{folds} + MS_{seeds} - MS_{rest}) / (F S)

    and by :math:`MS_{rest} / (F S)` where that is smaller. With one seed it is the variance over folds by their number.

    Args:
        scores: ``(F, S)`` numbers.

    Returns:
        Mean and standard error. NaN where a score is NaN; the error also where there is one fold.

    Example:
        >>> mean, error = crossed_mean_and_error([[0.5], [0.6], [0.7]])
        >>> round(mean, 4), round(error, 4)
        (0.6, 0.0577)
        >>> mean, error = crossed_mean_and_error([[0.5, 0.5], [0.6, 0.6], [0.7, 0.7]])
        >>> round(error, 4)  # a second seed that repeats the first tells nothing
        0.0577
    """
    values = np.asarray(scores, dtype=np.float64)
    n_folds, n_seeds = values.shape
    if not values.size or np.isnan(values).any():
        return float("nan"), float("nan")
    mean = float(values.mean())
    if n_folds < 2:
        return mean, float("nan")
    of_folds, of_seeds = values.mean(axis=1), values.mean(axis=0)
    between_folds = n_seeds * float(((of_folds - mean) ** 2).sum()) / (n_folds - 1)
    if n_seeds < 2:
        return mean, float(np.sqrt(between_folds / n_folds))
    between_seeds = n_folds * float(((of_seeds - mean) ** 2).sum()) / (n_seeds - 1)
    left = values - of_folds[:, None] - of_seeds[None, :] + mean
    rest = float((left**2).sum()) / ((n_folds - 1) * (n_seeds - 1))
    variance = max(between_folds + between_seeds - rest, rest)
    return mean, float(np.sqrt(variance / (n_folds * n_seeds)))
