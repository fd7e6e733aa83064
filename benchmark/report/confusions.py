"""Confusion matrices, one per system."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from iemomecp_dataset.benchmark.board import Board
from iemomecp_dataset.benchmark.report.svg import INK, MUTED, SERIES, Picture, page_figure, svg_picture

__all__ = ["confusion_matrices", "confusions_picture"]

_MAX_SYSTEMS = 4
_ROOM = 9.0
"""Width for matrices beside each other, inches."""
_DARKEST = 0.6
"""Opacity at 100 %, chosen so that the number stays legible on the light and on the dark page."""


def confusions_picture(board: Board, split: str) -> Picture | None:
    """Draws mean confusion matrices of the best systems, as shares of each gold role.

    Args:
        board: Comparable runs.
        split: The split.

    Returns:
        The picture, or None for two classes, whose confusions follow from precision and recall.
    """
    names = [name.removeprefix("emo_").replace("_", "-") for name in board.key.class_names]
    if len(names) < 3:
        return None
    return confusion_matrices(board, split, names, f"Confusion of roles, {split}", "role", "Pair F1")


def confusion_matrices(
    board: Board, split: str, names: Sequence[str], title: str, class_word: str, score: str
) -> Picture | None:
    """Draws mean confusion matrices of the best systems, as shares of each gold class.

    Args:
        board: Comparable runs.
        split: The split.
        names: Classes in words, by id.
        title: Subject.
        class_word: What a class is called.
        score: What the systems are ranked by, in words.

    Returns:
        The picture, or None if no system has a confusion matrix.
    """
    from matplotlib.patches import Rectangle

    few = len(names) <= 4
    side = 2.75 if few else 0.9 + 0.36 * len(names)
    room = _MAX_SYSTEMS if few else max(1, int(_ROOM / side))
    rows = [
        row
        for row in board.trained[: -room - 1 : -1]  # the best systems, best first
        if all("confusion_matrix" in run.results.metrics.get(split, {}) for run in row.runs)
    ]
    if not rows:
        return None
    panels = max(len(rows), 2 if few else 1)
    with page_figure(side * panels + (0 if few else 0.6), 3.5 if few else side + 1.3) as figure:
        all_axes = figure.subplots(1, panels, squeeze=False, sharey=True)[0]
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
            if not few:
                axes.tick_params(axis="x", labelrotation=90)
            axes.set_yticks(range(len(names)), names)
            axes.tick_params(length=0, labelcolor=MUTED)
            axes.grid(visible=False)
            axes.set_xlabel("predicted")
            for spine in axes.spines.values():
                spine.set_visible(False)
        all_axes[0].set_ylabel("gold")
        caption = f"Percent of the gold {class_word}, mean over seeds."
        if len(board.trained) > room:
            shown = f"{room} systems" if room > 1 else "system"
            caption += f" Shown {'are' if room > 1 else 'is'} the {shown} with the best {score}."
        # Beside another figure, the numbers of many classes would be too small to read.
        return replace(svg_picture(figure, title, caption), wide=not few and panels > 1)
