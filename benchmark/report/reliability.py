"""Reliability diagrams: the share that is right against mean confidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.benchmark.board import Board
from iemomecp_dataset.benchmark.figures.style import legend_above
from iemomecp_dataset.benchmark.plots.reliability import draw_reliability
from iemomecp_dataset.benchmark.report.board_predictions import predicted_systems
from iemomecp_dataset.benchmark.report.svg import NARROW, Picture, page_figure, svg_picture, with_narrow_layout
from iemomecp_dataset.metrics.evaluation.predictions import Predictions

__all__ = ["reliability_diagram", "reliability_picture"]

_BINS = 20


def reliability_picture(board: Board, split: str, predictions: Mapping[str, Predictions]) -> Picture:
    """Draws one reliability curve per system, with the pairs of its seeds pooled.

    Args:
        board: Comparable runs.
        split: The split.
        predictions: By run name, all on the same pairs.
    """
    systems = [
        (board.labels.keyed(row.name), [(run.probabilities[:, 0], run.labels == 0) for run in runs], style)
        for row, runs, style in predicted_systems(board, predictions)
    ]
    found = reliability_diagram(
        systems,
        f"Reliability on {split}",
        f"mean P({board.key.class_names[0]}) in the bin",
        "share of gold pairs in the bin",
        "pairs",
        _BINS,
    )
    return replace(found, caption=f"{found.caption} {board.labels.sentence}".strip())


def reliability_diagram(
    systems: Sequence[tuple[str, Sequence[tuple[NDArray[np.float64], NDArray[np.bool_]]], dict[str, Any]]],
    title: str,
    x_label: str,
    y_label: str,
    items: str,
    n_bins: int,
) -> Picture:
    """Draws one curve per system.

    Args:
        systems: Name; of each seed the confidences ``(n,)`` and whether they are right ``(n,)``; plot style.
        title: Subject.
        x_label: The confidence in words.
        y_label: What its share should equal.
        items: What is scored, in the plural.
        n_bins: Bins of equal size.

    Returns:
        The picture.
    """

    def drawn(narrow: bool) -> Picture:
        with page_figure(*(NARROW, 3.8) if narrow else (6.4, 4.6)) as figure:
            axes = figure.subplots()
            for name, of_runs, style in systems:
                draw_reliability(axes, of_runs, n_bins=n_bins, label=name, style=style)
            axes.set_xlabel(x_label)
            axes.set_ylabel(y_label)
            legend_above(figure, axes, columns=2, side="left", reverse=True)
            return svg_picture(
                figure,
                title,
                f"{items.capitalize()} in {n_bins} bins of equal size by confidence. On the straight line, confidence "
                f"equals the {y_label.removesuffix(' in the bin')}; below it, the system is overconfident. ECE: "
                "expected calibration error in percent, mean over seeds.",
            )

    return with_narrow_layout(drawn)
