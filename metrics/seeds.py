"""Summaries over seeds, with the kind of standard deviation named."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from iemomecp_dataset.errors import MetricInputError

__all__ = ["SeedSummary", "seed_summary"]


@dataclass(frozen=True)
class SeedSummary:
    """Mean and spread of one score over runs that differ in their seed alone.

    Attributes:
        mean: Arithmetic mean.
        sd: Standard deviation, NaN where ``n <= ddof``.
        ddof: What is subtracted from ``n`` in its denominator: 1 estimates the spread of runs (our default), 0
            describes these runs. Published tables mix the two.
        n: Number of runs.
    """

    mean: float
    sd: float
    ddof: int
    n: int

    def __str__(self) -> str:
        spread = f" ± {self.sd:.4f} (sd, ddof={self.ddof})" if not math.isnan(self.sd) else ""
        return f"{self.mean:.4f}{spread}, n={self.n}"


def seed_summary(values: Sequence[float], *, ddof: int = 1) -> SeedSummary:
    """Summarises one score over seeds.

    Args:
        values: One score a run.
        ddof: 1 or 0.

    Returns:
        The summary.

    Raises:
        MetricInputError: No runs, a score that is not finite, or another ``ddof``.

    Example:
        >>> print(seed_summary([0.5, 0.6, 0.7]))
        0.6000 ± 0.1000 (sd, ddof=1), n=3
    """
    if ddof not in (0, 1):
        raise MetricInputError(f"ddof is 0 or 1; found {ddof}.")
    if not values or not all(math.isfinite(value) for value in values):
        raise MetricInputError(f"A summary over seeds needs at least one finite score; found {list(values)}.")
    n = len(values)
    mean = math.fsum(values) / n
    squares = math.fsum((value - mean) ** 2 for value in values)
    return SeedSummary(mean, math.sqrt(squares / (n - ddof)) if n > ddof else float("nan"), ddof, n)
