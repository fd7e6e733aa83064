"""Confidence of each system on gold pairs and on the other candidates, with the gap within targets."""

from __future__ import annotations

import math
from collections.abc import Mapping

from iemomecp_dataset.benchmark.board import Board
from iemomecp_dataset.benchmark.diagnostics.pair_confidence import pair_confidence
from iemomecp_dataset.benchmark.report.board_predictions import predicted_systems
from iemomecp_dataset.benchmark.report.svg import GRID, INK, MUTED, PAPER, Picture, page_figure, svg_picture
from iemomecp_dataset.metrics.evaluation.predictions import Predictions

__all__ = ["confidence_picture"]


def confidence_picture(board: Board, split: str, predictions: Mapping[str, Predictions]) -> Picture | None:
    """Draws mean confidence on gold pairs and on other candidates, with the mean gap within targets.

    Args:
        board: Comparable runs.
        split: The split.
        predictions: By run name, at least one, all on the same pairs.

    Returns:
        The picture, or None if the split has no gold pair.
    """
    found = predicted_systems(board, predictions)[::-1]  # best system on top, as in the table
    systems = {row.name: runs for row, runs, _ in found}
    if not any((run.labels == 0).any() for runs in systems.values() for run in runs):
        return None
    table = pair_confidence(systems).set_index(["system", "quantity"])
    with page_figure(6.4, 4.6) as figure:
        axes = figure.subplots()
        for place, (row, _, style) in enumerate(found):
            gold, rest, gap, mrr = (
                table.loc[(row.name, quantity)]
                for quantity in ("gold_confidence", "negative_confidence", "gold_negative_gap", "mrr")
            )
            axes.plot([rest["mean"], gold["mean"]], [place, place], color=GRID, linewidth=3, zorder=1)
            axes.plot(gold["mean"], place, marker=style["marker"], color=style["color"], markersize=9, zorder=2)
            axes.plot(rest["mean"], place, marker=style["marker"], color=PAPER, markersize=8, zorder=2,
                      markeredgecolor=style["color"], markeredgewidth=1.6)  # fmt: skip
            spread = "" if math.isnan(gap["sd"]) else f" ± {100 * gap['sd']:.1f}"
            axes.annotate(f"gap {100 * gap['mean']:.1f}{spread} · MRR {100 * mrr['mean']:.1f}", (gold["mean"], place),
                          xytext=(0, 10), textcoords="offset points", ha="right", fontsize=9, color=MUTED)  # fmt: skip
        axes.set_yticks(range(len(systems)), list(systems))
        for label in axes.get_yticklabels():
            label.set_color(INK)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="y", visible=False)
        axes.margins(x=0.08, y=0.35)
        axes.invert_yaxis()
        axes.set_xlim(left=0)
        axes.set_xlabel(f"mean P({board.key.class_names[0]})")
        return svg_picture(
            figure,
            f"Confidence on gold pairs and on other candidates, {split}",
            "Filled: mean over gold pairs; hollow: mean over the other candidates. Gap: gold minus other confidence "
            "within a target, mean over targets, in points (± standard deviation over seeds, ddof 1). MRR: mean "
            "reciprocal rank of the best-ranked gold cause of each target. A larger gap alone does not mean better "
            "pairs.",
        )
