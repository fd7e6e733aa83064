"""One measurement of speed: ours against a named alternative, in the same run."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["SpeedRow"]


class SpeedRow(NamedTuple):
    """One measurement.

    Attributes:
        name: What ours did.
        ours_seconds: How long it took.
        alternative_name: What it is compared with.
        alternative_seconds: How long that took.
        ratio: Alternative over ours: how many times faster ours is.
    """

    name: str
    ours_seconds: float
    alternative_name: str
    alternative_seconds: float
    ratio: float
