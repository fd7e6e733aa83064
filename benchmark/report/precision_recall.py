"""Precision against recall for the positive class, with every structural baseline in its place."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.benchmark.leaderboard import Board
from iemomecp_dataset.benchmark.predictions import Predictions
from iemomecp_dataset.benchmark.report.svg import (
    GRID,
    MUTED,
    PAPER,
    STRUCTURAL_MARK,
    Picture,
    new_figure,
    picture,
    series,
)

__all__ = ["precision_recall_curve", "precision_recall_picture"]

_MOST_POINTS = 400
"""Points of a drawn curve; more cannot be seen and make the page heavy."""


def precision_recall_curve(
    scores: NDArray[np.float64], positive: NDArray[np.bool_], missed_positives: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Precision and recall of "score >= t" for every distinct score t, from the largest down.

    Args:
        scores: ``(n,)`` floats.
        positive: ``(n,)`` bool.
        missed_positives: Positives without a score, in the denominator of every recall.

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


def precision_recall_picture(board: Board, split: str, predictions: dict[str, Predictions]) -> Picture | None:
    """Draws the curves of all runs that have predictions.

    Args:
        board: Comparable runs.
        split: The split.
        predictions: By run name.

    Returns:
        The picture, or None when there are no predictions.
    """
    if not any(run.results.run_name in predictions for run in board.runs):
        return None
    with new_figure(6.4, 5.2) as figure:
        axes = figure.subplots()
        _equal_f1_lines(axes)
        for number, row in enumerate(board.trained):
            style = series(number)
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
        for (name, *_), (x, y) in zip(points, _label_places([(len(n), x, y) for n, x, y in points]), strict=True):
            axes.text(x, y, name, ha="right", va="center", fontsize=8.5, color=MUTED)
        axes.set_xlim(0, 1.005)
        axes.set_ylim(0, 1.02)
        axes.set_xlabel("recall")
        axes.set_ylabel("precision")
        handles, labels = axes.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=min(3, len(labels)))
        return picture(
            figure,
            f"Precision and recall on {split}",
            "One curve a run, from the surest pair to the least sure; its marker is the operating point. Diamonds are "
            "the structural baselines. The faint lines join points of equal F1.",
        )


def _equal_f1_lines(axes: object) -> None:
    for f1 in (0.2, 0.4, 0.6, 0.8):
        recall = np.linspace(f1 / (2 - f1), 1, 60)
        axes.plot(recall, f1 * recall / (2 * recall - f1), color=GRID, linewidth=0.9, zorder=0)  # type: ignore[attr-defined]
        axes.annotate(f"F1 {100 * f1:.0f}", (1.0, f1 / (2 - f1)), xytext=(-3, 2), textcoords="offset points",  # type: ignore[attr-defined]
                      ha="right", va="bottom", fontsize=8, color=MUTED)  # fmt: skip


def _label_places(points: list[tuple[int, float, float]]) -> list[tuple[float, float]]:
    """Right ends of labels to the left below their points, each moved down until it lies on no other.

    ``points`` are (letters, x, y) in a unit square; a letter is about 0.0145 wide, a line 0.035 high.
    """
    places: list[tuple[float, float]] = []
    boxes: list[tuple[float, float, float]] = []
    marks = [(x, y) for _, x, y in points]
    for letters, x, y in points:
        right, width = x - 0.018, 0.0145 * letters
        middle = y - 0.012
        while any(
            abs(middle - other) < 0.036 and right - width < other_right and other_left < right
            for other_left, other_right, other in boxes
        ) or any(abs(middle - my) < 0.026 and right - width < mx + 0.012 and mx - 0.012 < right for mx, my in marks):
            middle -= 0.006
        places.append((right, middle))
        boxes.append((right - width, right, middle))
    return places


def _visible(recall: NDArray[np.float64], precision: NDArray[np.float64]) -> NDArray[np.int64]:
    """Indices of a thinned curve: evenly along its drawn length, ends kept."""
    if len(recall) <= _MOST_POINTS:
        return np.arange(len(recall))
    along = np.concatenate([[0], np.cumsum(np.hypot(np.diff(recall), np.diff(precision)))])
    return np.unique(np.searchsorted(along, np.linspace(0, along[-1], _MOST_POINTS)).clip(max=len(recall) - 1))
