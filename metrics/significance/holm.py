"""Holm's correction of p-values for testing several differences."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["holm"]


def holm(p_values: Sequence[float]) -> list[float]:
    r"""Corrects p-values by Holm's step-down method (1979): bounds the chance of any false alarm among several tests.

    With the :math:`m` p-values in ascending order:

    .. math:: \tilde p_{(i)} = \max_{j \le i} \min(1,\; (m - j + 1)\, p_{(j)})

    Args:
        p_values: One per test; NaN where a test is undefined, which does not count as a test.

    Returns:
        Corrected p-values, in the same order.

    Example:
        >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
        [0.03, 0.06, 0.06]
    """
    order = sorted((i for i, p in enumerate(p_values) if not math.isnan(p)), key=lambda i: p_values[i])
    corrected = [math.nan] * len(p_values)
    running = 0.0
    for rank, i in enumerate(order):
        running = max(running, min(1.0, (len(order) - rank) * p_values[i]))
        corrected[i] = running
    return corrected
