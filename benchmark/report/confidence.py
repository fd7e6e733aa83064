"""Confidence of each system on gold pairs and on the other candidates, with the gap within targets."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from iemomecp_dataset.benchmark.board import Board
from iemomecp_dataset.benchmark.diagnostics.pair_confidence import pair_confidence
from iemomecp_dataset.benchmark.report.board_predictions import predicted_systems
from iemomecp_dataset.benchmark.report.svg import (
    GRID,
    INK,
    MUTED,
    NARROW,
    PAPER,
    Picture,
    page_figure,
    svg_picture,
    with_narrow_layout,
)
from iemomecp_dataset.benchmark.row_labels import MAX_DRAWN
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
    every = predicted_systems(board, predictions)
    found = every[: -MAX_DRAWN - 1 : -1]  # best system on top, as in the table
    systems = {row.name: runs for row, runs, _ in found}
    if not any((run.labels == 0).any() for runs in systems.values() for run in runs):
        return None
    table = pair_confidence(systems).set_index(["system", "quantity"])
    caption = (
        "Filled: mean over gold pairs; hollow: mean over the other candidates. Gap: gold minus other confidence "
        "within a target, mean over targets, in points (± standard deviation over seeds, ddof 1). MRR: mean "
        "reciprocal rank of the best-ranked gold cause of each target. A larger gap alone does not mean better pairs."
    )
    if len(found) < len(every):
        caption += f" Shown are the best {len(found)} of {len(every)} systems."

    def drawn(narrow: bool) -> Picture:
        names = [board.labels.keyed(row.name, 44 if narrow else 24) for row, *_ in found]
        lines = max(name.count("\n") for name in names) + 1
        step = 0.62 + 0.16 * lines if narrow else max(0.48, 0.1 + 0.16 * lines)
        size = (NARROW, 0.7 + step * len(found)) if narrow else (6.4, max(3.0, 0.9 + step * len(found)))
        with page_figure(*size) as figure:
            axes = figure.subplots()
            for place, ((row, _, style), name) in enumerate(zip(found, names, strict=True)):
                _system(axes, place, table.loc[row.name], style, below=narrow)
                if narrow:
                    axes.text(0, place - 0.13 / step, name, transform=axes.get_yaxis_transform(), va="bottom",
                              fontsize=9, color=INK)  # fmt: skip
            axes.set_yticks(range(len(names)), [] if narrow else names)
            for label in axes.get_yticklabels():
                label.set_color(INK)
            axes.tick_params(axis="y", length=0)
            axes.grid(axis="y", visible=False)
            axes.margins(x=0.08)
            above = 0.13 + 0.16 * lines if narrow else 0.4
            axes.set_ylim(len(found) - 1 + (0.35 if narrow else 0.2) / step, -above / step)
            axes.set_xlim(left=0)
            axes.set_xlabel(f"mean P({board.key.class_names[0]})")
            title = f"Confidence on gold pairs and on other candidates, {split}"
            return svg_picture(figure, title, f"{caption} {board.labels.sentence}".strip())

    return with_narrow_layout(drawn)


def _system(axes: Any, place: int, numbers: Any, style: Mapping[str, Any], *, below: bool) -> None:
    """Draws one system: two marks, the line between them, and its numbers above or below."""
    gold, rest, gap, mrr = (
        numbers.loc[quantity] for quantity in ("gold_confidence", "negative_confidence", "gold_negative_gap", "mrr")
    )
    axes.plot([rest["mean"], gold["mean"]], [place, place], color=GRID, linewidth=3, zorder=1)
    axes.plot(gold["mean"], place, marker=style["marker"], color=style["color"], markersize=9, zorder=2)
    axes.plot(rest["mean"], place, marker=style["marker"], color=PAPER, markersize=8, zorder=2,
              markeredgecolor=style["color"], markeredgewidth=1.6)  # fmt: skip
    spread = "" if math.isnan(gap["sd"]) else f" ± {100 * gap['sd']:.1f}"
    axes.annotate(f"gap {100 * gap['mean']:.1f}{spread} · MRR {100 * mrr['mean']:.1f}", (1, place),
                  xycoords=axes.get_yaxis_transform(), xytext=(0, -10 if below else 9), textcoords="offset points",
                  ha="right", va="top" if below else "bottom", fontsize=9, color=MUTED)  # fmt: skip
