"""Confusion matrices of the three roles, one per system."""

from __future__ import annotations

import numpy as np

from iemomecp_dataset.benchmark.board import Board
from iemomecp_dataset.benchmark.report.svg import INK, MUTED, SERIES, Picture, page_figure, svg_picture

__all__ = ["confusions_picture"]

_MAX_SYSTEMS = 4
_DARKEST = 0.6
"""Opacity at 100 %, chosen so that the number stays legible on the light and on the dark page."""


def confusions_picture(board: Board, split: str) -> Picture | None:
    """Draws mean confusion matrices of the best systems, as shares of each gold class.

    Args:
        board: Comparable runs.
        split: The split.

    Returns:
        The picture, or None for two classes, whose confusions follow from precision and recall.
    """
    from matplotlib.patches import Rectangle

    names = [name.removeprefix("emo_").replace("_", "-") for name in board.key.class_names]
    rows = [
        row
        for row in board.trained[: -_MAX_SYSTEMS - 1 : -1]  # the best systems, best first
        if all("confusion_matrix" in run.results.metrics.get(split, {}) for run in row.runs)
    ]
    if len(names) < 3 or not rows:
        return None
    with page_figure(2.75 * max(len(rows), 2), 3.5) as figure:
        all_axes = figure.subplots(1, max(len(rows), 2), squeeze=False, sharey=True)[0]
        for axes in all_axes[len(rows) :]:
            axes.set_visible(False)
        for axes, row in zip(all_axes, rows, strict=False):
            counts = np.array([run.results.metrics[split]["confusion_matrix"] for run in row.runs], dtype=np.float64)
            shares = (counts / counts.sum(axis=2, keepdims=True).clip(min=1)).mean(axis=0)
            for i in range(len(names)):
                for j in range(len(names)):
                    corner, share = (j - 0.47, i - 0.47), shares[i, j]
                    look = {"facecolor": SERIES[0], "alpha": _DARKEST * share, "linewidth": 0}
                    axes.add_patch(Rectangle(corner, 0.94, 0.94, **look))
                    axes.text(j, i, f"{100 * share:.0f}", ha="center", va="center", color=INK)
            axes.set_title(row.name)
            axes.set_xlim(-0.55, len(names) - 0.45)
            axes.set_ylim(len(names) - 0.45, -0.55)
            axes.set_aspect("equal")
            axes.set_xticks(range(len(names)), names)
            axes.set_yticks(range(len(names)), names)
            axes.tick_params(length=0, labelcolor=MUTED)
            axes.grid(visible=False)
            axes.set_xlabel("predicted")
            for spine in axes.spines.values():
                spine.set_visible(False)
        all_axes[0].set_ylabel("gold")
        caption = "Percent of the gold role, mean over seeds."
        if len(board.trained) > _MAX_SYSTEMS:
            caption += f" Shown are the {_MAX_SYSTEMS} systems with the best Pair F1."
        return svg_picture(figure, f"Confusion of roles, {split}", caption)
