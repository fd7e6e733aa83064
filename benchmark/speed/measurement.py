"""One speed measurement: our implementation against a named alternative."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

__all__ = ["SpeedRow", "best_seconds"]


class SpeedRow(NamedTuple):
    """One measurement; times in seconds unless the names state another unit.

    Attributes:
        name: What our implementation did.
        ours_seconds: Its time.
        alternative_name: What it is compared with.
        alternative_seconds: The time of the alternative.
    """

    name: str
    ours_seconds: float
    alternative_name: str
    alternative_seconds: float

    @property
    def ratio(self) -> float:
        """Alternative over ours: how many times faster ours is."""
        return self.alternative_seconds / self.ours_seconds


def best_seconds(action: Callable[[], object], repeats: int) -> float:
    """Measures the shortest wall time of several calls.

    Args:
        action: What to measure.
        repeats: Number of calls.

    Returns:
        Seconds.
    """
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        action()
        times.append(time.perf_counter() - started)
    return min(times)
