"""Structural baselines, results of runs, leaderboards, significance and the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iemomecp_dataset.lazy import attach

if TYPE_CHECKING:
    from iemomecp_dataset.benchmark.board import leaderboard
    from iemomecp_dataset.benchmark.comparison import compare
    from iemomecp_dataset.benchmark.runs.results import read_results

__all__ = ["compare", "leaderboard", "read_results"]

attach(
    __name__,
    {
        "compare": "iemomecp_dataset.benchmark.comparison",
        "leaderboard": "iemomecp_dataset.benchmark.board",
        "read_results": "iemomecp_dataset.benchmark.runs.results",
    },
)
