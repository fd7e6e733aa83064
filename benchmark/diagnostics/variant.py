"""Variants of a diagnostic, and the checks and means that all diagnostics share."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.schema import ROLE_LABELS

__all__ = ["CAUSE", "CONTEXT", "NON_PAIR", "Variant", "per_role", "per_seed", "pooled_sd"]

Variant = Literal["as_published", "corrected"]
"""``as_published`` repeats the paper's analysis with its flaws, ``corrected`` avoids them."""

CAUSE, CONTEXT, NON_PAIR = range(3)
"""Ids of the three roles."""


def per_seed(values: ArrayLike, n_pairs: int, what: str) -> NDArray[Any]:
    """Checks ``(S, n)`` values, or makes them of ``(n,)``.

    Args:
        values: One row per seed.
        n_pairs: ``n``.
        what: Their name for the message.

    Returns:
        ``(S, n)``.

    Raises:
        MetricInputError: Another shape, or a value that is not finite.
    """
    array = np.atleast_2d(np.asarray(values))
    if array.ndim != 2 or array.shape[1] != n_pairs or not len(array) or not n_pairs:
        raise MetricInputError(
            f"The {what} must have shape (seeds, {n_pairs}), one column for each pair; found {np.shape(values)}."
        )
    if np.issubdtype(array.dtype, np.floating) and not np.isfinite(array).all():
        seed, pair = np.argwhere(~np.isfinite(array))[0]
        raise MetricInputError(f"The {what} hold {array[seed, pair]} at seed {seed}, pair {pair}; expected a number.")
    return array


def per_role(values: NDArray[Any], roles: ArrayLike) -> NDArray[np.float64]:
    """Averages values by gold role.

    Args:
        values: ``(S, n)``.
        roles: ``(n,)`` ids of the three roles.

    Returns:
        ``(S, 3)``; NaN for a role without pairs.
    """
    gold = np.asarray(roles)
    means = np.full((len(values), len(ROLE_LABELS)), np.nan)
    for role in range(len(ROLE_LABELS)):
        if (gold == role).any():
            means[:, role] = values[:, gold == role].mean(axis=1)
    return means


def pooled_sd(values: NDArray[Any]) -> float:
    """Computes the standard deviation of the pairs of all seeds together, ddof 1.

    Args:
        values: ``(S, n)``.

    Returns:
        The deviation; NaN for fewer than two values.

    Example:
        >>> round(pooled_sd(np.array([[0.2, 0.4], [0.6, 0.8]])), 3)
        0.258
    """
    return float(values.std(ddof=1)) if values.size > 1 else float("nan")
