"""Pair F1 of the systems of a board within each turn distance."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from iemomecp_dataset.benchmark.board import Board
from iemomecp_dataset.benchmark.figures.style import legend_above
from iemomecp_dataset.benchmark.plots.distance import draw_distance_bars, draw_distance_system, f1_by_distance
from iemomecp_dataset.benchmark.report.board_predictions import predicted_systems
from iemomecp_dataset.benchmark.report.svg import NARROW, Picture, page_figure, svg_picture, with_narrow_layout
from iemomecp_dataset.metrics.evaluation.predictions import Predictions

__all__ = ["distance_profile_picture"]


def distance_profile_picture(board: Board, split: str, predictions: Mapping[str, Predictions]) -> Picture:
    """Draws Pair F1 by distance for every system that has predictions.

    Args:
        board: Comparable runs.
        split: The split.
        predictions: By run name, at least one, all on the same pairs.
    """
    return with_narrow_layout(lambda narrow: _drawn(board, split, predictions, narrow))


def _drawn(board: Board, split: str, predictions: Mapping[str, Predictions], narrow: bool) -> Picture:
    first = next(iter(predictions.values()))
    gold = first.labels == 0
    with page_figure(*(NARROW, 4.4) if narrow else (6.4, 5.2)) as figure:
        axes = figure.subplots()
        shown = draw_distance_bars(axes, first.distances, gold)
        for row, runs, style in predicted_systems(board, predictions):
            profiles = 100 * np.array([f1_by_distance(run.distances, gold, run.decided == 0)[shown] for run in runs])
            draw_distance_system(axes, profiles, label=board.labels.keyed(row.name), style=style)
        legend_above(figure, axes, side="left", reverse=True)
        caption = (
            "Markers: mean over seeds, with the range over seeds. Bars: F1 of predicting every candidate at that "
            "distance as a pair, the best that a rule of distance alone can reach there. Whatever a system scores "
            f"above the bar does not come from distance. {board.labels.sentence}"
        )
        return svg_picture(figure, f"Pair F1 by turn distance on {split}", caption.strip())
