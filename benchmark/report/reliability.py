"""Reliability diagrams: the share that is right against mean confidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.benchmark.board import Board
from iemomecp_dataset.benchmark.figures.style import legend_above
from iemomecp_dataset.benchmark.report.board_predictions import predicted_systems
from iemomecp_dataset.benchmark.report.svg import GRID, Picture, page_figure, svg_picture
from iemomecp_dataset.metrics.calibration import expected_calibration_error, reliability_table
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
        (row.name, [(run.probabilities[:, 0], run.labels == 0) for run in runs], style)
        for row, runs, style in predicted_systems(board, predictions)
    ]
    return reliability_diagram(
        systems,
        f"Reliability on {split}",
        f"mean P({board.key.class_names[0]}) in the bin",
        "share of gold pairs in the bin",
        "pairs",
        _BINS,
    )


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
    with page_figure(6.4, 4.6) as figure:
        axes = figure.subplots()
        highest = 0.0
        for name, of_runs, style in systems:
            errors = [expected_calibration_error(*of_run, n_bins=n_bins) for of_run in of_runs]
            together = [np.concatenate(column) for column in zip(*of_runs, strict=True)]
            table = reliability_table(*together, n_bins=n_bins)
            label = f"{name} (ECE {100 * np.mean(errors):.1f})"
            axes.plot(table.mean_confidence, table.positive_rate, label=label, linewidth=1.4, **style)
            highest = max(highest, table.mean_confidence.max(), table.positive_rate.max())
        axes.plot([0, highest], [0, highest], color=GRID, linewidth=1.5, zorder=0)
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        legend_above(figure, axes, side="left")
        return svg_picture(
            figure,
            title,
            f"{items.capitalize()} in {n_bins} bins of equal size by confidence. On the straight line, confidence "
            f"equals the {y_label.removesuffix(' in the bin')}; below it, the system is overconfident. ECE: expected "
            "calibration error in percent, mean over seeds.",
        )
