"""Structural baselines, results of runs, leaderboards, significance and the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iemomecp_dataset.lazy import attach

if TYPE_CHECKING:
    from iemomecp_dataset.benchmark.board import leaderboard
    from iemomecp_dataset.benchmark.comparison import compare
    from iemomecp_dataset.benchmark.plots.confusion import plot_confusion
    from iemomecp_dataset.benchmark.plots.distance import plot_distance
    from iemomecp_dataset.benchmark.plots.precision_recall import plot_precision_recall
    from iemomecp_dataset.benchmark.plots.reliability import plot_reliability
    from iemomecp_dataset.benchmark.runs.results import read_results

__all__ = [
    "compare",
    "leaderboard",
    "plot_confusion",
    "plot_distance",
    "plot_precision_recall",
    "plot_reliability",
    "read_results",
]

attach(
    __name__,
    {
        "compare": "iemomecp_dataset.benchmark.comparison",
        "leaderboard": "iemomecp_dataset.benchmark.board",
        "plot_confusion": "iemomecp_dataset.benchmark.plots.confusion",
        "plot_distance": "iemomecp_dataset.benchmark.plots.distance",
        "plot_precision_recall": "iemomecp_dataset.benchmark.plots.precision_recall",
        "plot_reliability": "iemomecp_dataset.benchmark.plots.reliability",
        "read_results": "iemomecp_dataset.benchmark.runs.results",
    },
)
