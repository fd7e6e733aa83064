"""Precision against recall for the positive class, with the structural baselines as points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.benchmark.board import Board
from iemomecp_dataset.benchmark.figures.style import legend_above
from iemomecp_dataset.benchmark.report.svg import (
    GRID,
    INK,
    MUTED,
    PAPER,
    STRUCTURAL_MARK,
    Picture,
    page_figure,
    series_style,
    svg_picture,
)
from iemomecp_dataset.metrics.evaluation.predictions import Predictions

__all__ = ["precision_recall_curve", "precision_recall_picture"]

_MAX_POINTS = 400
"""Largest number of points of a drawn curve; more would be invisible and enlarge the page."""


def precision_recall_curve(
    scores: NDArray[np.float64], positive: NDArray[np.bool_], missed_positives: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Computes precision and recall of "score >= t" for every distinct score t, in descending order of t.

    Args:
        scores: ``(n,)`` floats.
        positive: ``(n,)`` bool.
        missed_positives: Number of positives without a score; they count in the denominator of every recall.

    Returns:
        Recall and precision, ``(k,)`` each, for the ``k`` distinct scores.

    Example:
        >>> recall, precision = precision_recall_curve(np.array([0.9, 0.5, 0.5]), np.array([True, False, True]))
        >>> recall.tolist(), precision.round(2).tolist()
        ([0.5, 1.0], [1.0, 0.67])
    """
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True)) if len(scores) else np.zeros(0, dtype=np.int64)
    found = np.cumsum(positive[order])[ends]
    total = int(positive.sum()) + missed_positives
    return found / max(total, 1), found / (ends + 1)


def precision_recall_picture(board: Board, split: str, predictions: dict[str, Predictions]) -> Picture:
    """Draws the precision-recall curves of all runs that have predictions.

    Args:
        board: Comparable runs.
        split: The split.
        predictions: By run name.
    """
    with page_figure(6.4, 5.2) as figure:
        axes = figure.subplots()
        _equal_f1_lines(axes)
        for number, row in enumerate(board.trained):
            style = series_style(number)
            label: str | None = row.name
            for run in row.runs:
                if run.results.run_name not in predictions:
                    continue
                of_run = predictions[run.results.run_name]
                recall, precision = precision_recall_curve(
                    of_run.probabilities[:, 0], of_run.labels == 0, of_run.missed_positives
                )
                keep = _visible(recall, precision)
                axes.plot(recall[keep], precision[keep], color=style["color"], linestyle=style["linestyle"],
                          linewidth=1.4, alpha=0.8, label=label)  # fmt: skip
                label = None
                scores = run.results.metrics[split]
                axes.plot(scores["pair_recall"], scores["pair_precision"], marker=style["marker"], markersize=7,
                          color=style["color"], markeredgecolor=PAPER, linestyle="none", zorder=4)  # fmt: skip
        points = [
            (row.name, recall_.mean, precision_.mean)
            for row in board.structural
            if (recall_ := row.score(split, "pair_recall")) is not None
            and (precision_ := row.score(split, "pair_precision")) is not None
            and recall_.mean > 0
        ]
        for _, x, y in points:
            axes.plot(x, y, **STRUCTURAL_MARK, zorder=3)
        letters = "abcdefghijklmnopqrstuvwxyz"[: len(points)]
        # Names would overlap each other and the curves, so letters stand in and the caption explains them.
        for letter, (x, y) in zip(letters, _letter_places([(x, y) for _, x, y in points]), strict=True):
            axes.text(x, y, letter, ha="center", va="center", fontsize=9.5, fontweight="bold", color=INK, zorder=5)
        axes.set_xlim(0, 1.005)
        axes.set_ylim(0, 1.02)
        axes.set_xlabel("recall")
        axes.set_ylabel("precision")
        legend_above(figure, axes, side="left")
        named = ", ".join(f"{letter} {name}" for letter, (name, *_) in zip(letters, points, strict=True))
        return svg_picture(
            figure,
            f"Precision and recall on {split}",
            "One curve per run, from the most to the least confident pair; the marker is its operating point. "
            f"Diamonds: structural baselines{named and f' ({named})'}. Faint lines join points of equal F1.",
        )


def _equal_f1_lines(axes: object) -> None:
    for f1 in (0.2, 0.4, 0.6, 0.8):
        recall = np.linspace(f1 / (2 - f1), 1, 60)
        axes.plot(recall, f1 * recall / (2 * recall - f1), color=GRID, linewidth=0.9, zorder=0)  # type: ignore[attr-defined]
        axes.annotate(f"F1 {100 * f1:.0f}", (1.0, f1 / (2 - f1)), xytext=(-3, 2), textcoords="offset points",  # type: ignore[attr-defined]
                      ha="right", va="bottom", fontsize=8, color=MUTED)  # fmt: skip


def _letter_places(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Chooses a place for a letter beside each point of the unit square, away from other points and letters."""
    around = [(0.028 * np.cos(turn), 0.034 * np.sin(turn)) for turn in np.arange(1, 16, 2) * np.pi / 8]
    places: list[tuple[float, float]] = []
    for number, (x, y) in enumerate(points):
        others = [*(point for i, point in enumerate(points) if i != number), *places]
        free = [(x + dx, y + dy) for dx, dy in around]
        room = [min((np.hypot(fx - ox, fy - oy) for ox, oy in others), default=1.0) for fx, fy in free]
        # The first free place rather than the freest, so that isolated letters all stand on the same side.
        places.append(next((f for f, r in zip(free, room, strict=True) if r > 0.04), free[int(np.argmax(room))]))
    return places


def _visible(recall: NDArray[np.float64], precision: NDArray[np.float64]) -> NDArray[np.int64]:
    """Selects indices of a thinned curve, evenly along its drawn length and with both ends."""
    if len(recall) <= _MAX_POINTS:
        return np.arange(len(recall))
    along = np.concatenate([[0], np.cumsum(np.hypot(np.diff(recall), np.diff(precision)))])
    return np.unique(np.searchsorted(along, np.linspace(0, along[-1], _MAX_POINTS)).clip(max=len(recall) - 1))
