"""Reliability diagram: share of gold pairs against mean confidence."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from iemomecp_dataset.benchmark.board import Board
from iemomecp_dataset.benchmark.figures.style import legend_above
from iemomecp_dataset.benchmark.report.board_predictions import predicted_systems
from iemomecp_dataset.benchmark.report.svg import GRID, Picture, page_figure, svg_picture
from iemomecp_dataset.metrics.calibration import expected_calibration_error, reliability_table
from iemomecp_dataset.metrics.evaluation.predictions import Predictions

__all__ = ["reliability_picture"]

_BINS = 20


def reliability_picture(board: Board, split: str, predictions: Mapping[str, Predictions]) -> Picture:
    """Draws one reliability curve per system, with the pairs of its seeds pooled.

    Args:
        board: Comparable runs.
        split: The split.
        predictions: By run name, all on the same pairs.
    """
    with page_figure(6.4, 4.6) as figure:
        axes = figure.subplots()
        highest = 0.0
        for row, runs, style in predicted_systems(board, predictions):
            of_runs = [(run.probabilities[:, 0], run.labels == 0) for run in runs]
            errors = [expected_calibration_error(*of_run, n_bins=_BINS) for of_run in of_runs]
            together = [np.concatenate(column) for column in zip(*of_runs, strict=True)]
            table = reliability_table(*together, n_bins=_BINS)
            label = f"{row.name} (ECE {100 * np.mean(errors):.1f})"
            axes.plot(table.mean_confidence, table.positive_rate, label=label, linewidth=1.4, **style)
            highest = max(highest, table.mean_confidence.max(), table.positive_rate.max())
        axes.plot([0, highest], [0, highest], color=GRID, linewidth=1.5, zorder=0)
        axes.set_xlabel(f"mean P({board.key.class_names[0]}) in the bin")
        axes.set_ylabel("share of gold pairs in the bin")
        legend_above(figure, axes, side="left")
        return svg_picture(
            figure,
            f"Reliability on {split}",
            f"Pairs in {_BINS} bins of equal size by confidence. On the straight line, confidence equals the share of "
            "gold pairs; below it, the system is overconfident. ECE: expected calibration error in percent, mean over "
            "seeds.",
        )
