"""Confusion matrices, one per system."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from iemomecp_dataset.benchmark.board import Board
from iemomecp_dataset.benchmark.plots.confusion import FEW_CLASSES, draw_confusion, gold_shares, short_class_names
from iemomecp_dataset.benchmark.report.svg import NARROW, Picture, page_figure, svg_picture, with_narrow_layout

__all__ = ["confusion_matrices", "confusions_picture"]

_MAX_SYSTEMS = 4
_LETTERS = 9.5
"""Letters of a title on an inch."""
_ROOM = 9.0
"""Width for matrices beside each other, inches."""


def confusions_picture(board: Board, split: str) -> Picture | None:
    """Draws mean confusion matrices of the best systems, as shares of each gold role.

    Args:
        board: Comparable runs.
        split: The split.

    Returns:
        The picture, or None for two classes, whose confusions follow from precision and recall.
    """
    names = short_class_names(board.key.class_names)
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
    few = len(names) <= FEW_CLASSES
    side = 2.75 if few else 0.9 + 0.36 * len(names)
    room = _MAX_SYSTEMS if few else max(1, int(_ROOM / side))
    rows = [
        row
        for row in board.trained[::-1]  # the best systems first
        if all("confusion_matrix" in run.results.metrics.get(split, {}) for run in row.runs)
    ]
    shown = rows[:room]
    if not shown:
        return None

    caption = f"Percent of the gold {class_word}, mean over seeds."
    if len(rows) > len(shown):
        best = f"{len(shown)} systems" if len(shown) > 1 else "system"
        caption += f" Shown {'are' if len(shown) > 1 else 'is'} the {best} with the best {score}, of {len(rows)}."
    without = len(board.trained) - len(rows)
    if without:
        caption += f" Of {without} further system{'s' if without > 1 else ''} the results hold no confusion matrix."
    caption = f"{caption} {board.labels.sentence}".strip()

    def drawn(narrow: bool) -> Picture:
        per_line = (2 if few else 1) if narrow else max(len(shown), 2 if few else 1)
        n_lines = -(-len(shown) // per_line)
        width = NARROW if narrow else side * per_line + (0 if few else 0.6)
        headings = [board.labels.keyed(row.name, width=int(_LETTERS * width / per_line) - 3) for row in shown]
        of_title = 0.17 * max(heading.count("\n") for heading in headings)
        height = (2.55 if narrow and few else 3.5 if few else side + 1.3) + of_title
        with page_figure(width, height * n_lines) as figure:
            grid = figure.subplots(n_lines, per_line, squeeze=False, sharey=True)
            for axes in grid.flat[len(shown) :]:
                axes.set_visible(False)
            for axes, row, heading in zip(grid.flat, shown, headings, strict=False):
                counts = np.array([run.results.metrics[split]["confusion_matrix"] for run in row.runs])
                draw_confusion(axes, gold_shares(counts), names)
                axes.set_title(heading)
            for of_line in grid:
                of_line[0].set_ylabel("gold")
            return svg_picture(figure, title, caption)

    # Beside another figure, the numbers of many classes would be too small to read.
    return replace(with_narrow_layout(drawn), wide=len(shown) > (2 if few else 1))
