"""Precision against recall of the runs of a board, with the structural baselines as points."""

from __future__ import annotations

from iemomecp_dataset.benchmark.board import Board
from iemomecp_dataset.benchmark.figures.style import legend_above
from iemomecp_dataset.benchmark.plots.precision_recall import (
    draw_baselines,
    draw_plane,
    draw_system,
    precision_recall_curve,
)
from iemomecp_dataset.benchmark.report.board_predictions import predicted_systems
from iemomecp_dataset.benchmark.report.svg import NARROW, Picture, page_figure, svg_picture, with_narrow_layout
from iemomecp_dataset.metrics.evaluation.predictions import Predictions

__all__ = ["precision_recall_picture"]


def precision_recall_picture(board: Board, split: str, predictions: dict[str, Predictions]) -> Picture:
    """Draws the precision-recall curves of all runs that have predictions.

    Args:
        board: Comparable runs.
        split: The split.
        predictions: By run name.
    """
    return with_narrow_layout(lambda narrow: _drawn(board, split, predictions, narrow))


def _drawn(board: Board, split: str, predictions: dict[str, Predictions], narrow: bool) -> Picture:
    with page_figure(*(NARROW, 4.4) if narrow else (6.4, 5.2)) as figure:
        axes = figure.subplots()
        draw_plane(axes)
        for row, _, style in predicted_systems(board, predictions):
            label: str | None = board.labels.keyed(row.name)
            for run in row.runs:
                if run.results.run_name not in predictions:
                    continue
                of_run = predictions[run.results.run_name]
                scores = run.results.metrics[split]
                curve = precision_recall_curve(of_run.probabilities[:, 0], of_run.labels == 0, of_run.missed_positives)
                operating_point = (scores["pair_recall"], scores["pair_precision"])
                draw_system(axes, curve, operating_point, label=label, style=style)
                label = None
        points = [
            (row.name, recall.mean, precision.mean)
            for row in board.structural
            if (recall := row.score(split, "pair_recall")) is not None
            and (precision := row.score(split, "pair_precision")) is not None
            and recall.mean > 0
        ]
        named = "; ".join(f"{letter} {name}" for letter, name in draw_baselines(axes, points))
        legend_above(figure, axes, side="left", reverse=True)
        caption = (
            "One curve per run, from the most to the least confident pair; the marker is its operating point. "
            f"Diamonds: structural baselines{named and f' ({named})'}. Faint lines join points of equal F1. "
            f"{board.labels.sentence}"
        )
        return svg_picture(figure, f"Precision and recall on {split}", caption.strip())
