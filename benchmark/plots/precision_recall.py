"""Precision against recall for the positive class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from iemomecp_dataset.benchmark.plots.inputs import plotted_pairs, ranked_pairs
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.metrics.scoring import precision_recall_f1
from iemomecp_dataset.pictures.axes_look import (
    apply_look,
    axes_or_new,
    axes_palette,
    drawn_systems,
    mark_system,
    next_style,
    system_legend,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_baselines", "draw_plane", "draw_system", "plot_precision_recall", "precision_recall_curve"]

_MAX_POINTS = 400
"""Largest number of points of a drawn curve; more would be invisible and enlarge a page."""


def plot_precision_recall(
    probabilities: ArrayLike,
    labels: ArrayLike,
    *,
    threshold: float | None = None,
    missed_positives: int = 0,
    baselines: Mapping[str, tuple[float, float]] | None = None,
    label: str | None = None,
    style: Mapping[str, Any] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Plots precision against recall of the positive class, as the report does.

    The curve goes from the most to the least confident pair, the marker is the operating point of the decision rule,
    faint lines join points of equal F1. Called again with the same axes, it adds a system in the next colour.

    Args:
        probabilities: ``(n, C)`` probabilities, or ``(n,)`` floats, P(class 0). Lists, arrays or tensors.
        labels: ``(n,)`` ints, class ids; class 0 is the positive one.
        threshold: Decision rule of the marker: a pair iff P(class 0) is at least this. By default the most probable
            class; of P(class 0) alone there is no marker without a threshold.
        missed_positives: Gold pairs that were no candidates; they count in every recall.
        baselines: Systems that are points, structural baselines say: name to ``(recall, precision)``, between 0 and 1.
            They are lettered diamonds.
        label: Name of the system in the legend.
        style: ``color``, ``marker`` and ``linestyle`` in place of those that the system gets, any of them.
        ax: Axes to draw in; by default a new figure's.

    Returns:
        The axes.

    Raises:
        MetricInputError: The arrays do not fit, are no probabilities or class ids, or no label is 0.
        UsageError: ``ax``, ``style`` or ``baselines`` is something else than said above.
        MissingDependencyError: matplotlib is not installed.

    Example:
        >>> import matplotlib; matplotlib.use("agg")
        >>> axes = plot_precision_recall([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]], [0, 1, 0], label="ours")
        >>> axes.lines[-2].get_xydata().round(2).tolist()  # recall and precision
        [[0.5, 1.0], [0.5, 0.5], [1.0, 0.67]]
    """
    pairs = plotted_pairs(probabilities, labels, threshold=threshold, missed_positives=missed_positives)
    confidences = ranked_pairs(pairs, "A precision-recall curve")
    points = _checked_points(baselines)
    axes = axes_or_new(ax, 6.0, 4.8)
    chosen = next_style(axes, style)
    apply_look(axes)
    draw_plane(axes)
    operating_point = None
    if pairs.decided is not None:
        found, n_gold = pairs.decided == 0, int(pairs.gold.sum()) + missed_positives
        precision, recall, _ = precision_recall_f1(int((found & pairs.gold).sum()), int(found.sum()), n_gold)
        operating_point = (recall, precision)
    curve = precision_recall_curve(confidences, pairs.gold, missed_positives)
    draw_system(axes, curve, operating_point, label=label, style=chosen)
    for letter, name in draw_baselines(axes, points):
        axes.plot([], [], marker=rf"$\mathbf{{{letter}}}$", markeredgewidth=0, linestyle="none", label=name,
                  color=axes_palette(axes)["ink"])  # fmt: skip
    system_legend(axes)
    return axes


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


def draw_plane(axes: Axes) -> None:
    """Draws what all systems share: labels, limits and lines of equal F1; nothing in axes that have a system."""
    if drawn_systems(axes):
        return
    colors = axes_palette(axes)
    for f1 in (0.2, 0.4, 0.6, 0.8):
        recall = np.linspace(f1 / (2 - f1), 1, 60)
        axes.plot(recall, f1 * recall / (2 * recall - f1), color=colors["grid"], linewidth=0.9, zorder=0)
        axes.annotate(f"F1 {100 * f1:.0f}", (1.0, f1 / (2 - f1)), xytext=(-3, 2), textcoords="offset points",
                      ha="right", va="bottom", fontsize=8, color=colors["muted"])  # fmt: skip
    axes.set_xlim(0, 1.005)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("recall")
    axes.set_ylabel("precision")


def draw_system(
    axes: Axes,
    curve: tuple[NDArray[np.float64], NDArray[np.float64]],
    operating_point: tuple[float, float] | None,
    *,
    label: str | None,
    style: Mapping[str, Any],
) -> None:
    """Draws one curve and its operating point.

    Args:
        axes: The axes.
        curve: Recall and precision, as :func:`precision_recall_curve` gives them.
        operating_point: Recall and precision of the decisions; None to draw no marker.
        label: Name in the legend.
        style: Of :func:`~iemomecp_dataset.pictures.axes_look.series_style`.
    """
    recall, precision = curve
    keep = _visible(recall, precision)
    # No marker along the curve, but in the legend: of many systems some have the same colour and line.
    marker = {"marker": style["marker"], "markevery": []} if operating_point is not None else {}
    (line,) = axes.plot(recall[keep], precision[keep], color=style["color"], linestyle=style["linestyle"],
                        linewidth=1.4, alpha=0.8, label=label, **marker)  # fmt: skip
    mark_system(line)
    if operating_point is not None:
        axes.plot(*operating_point, marker=style["marker"], markersize=7, color=style["color"],
                  markeredgecolor=axes_palette(axes)["paper"], linestyle="none", zorder=4)  # fmt: skip


def draw_baselines(axes: Axes, points: Sequence[tuple[str, float, float]]) -> list[tuple[str, str]]:
    """Draws systems that are points as diamonds with letters, since names would overlap each other and the curves.

    Args:
        axes: The axes.
        points: Name, recall and precision.

    Returns:
        Letter and name of each.
    """
    colors = axes_palette(axes)
    for _, recall, precision in points:
        axes.plot(recall, precision, marker="D", markersize=6, color=colors["paper"], linestyle="none", zorder=3,
                  markeredgecolor=colors["structural"], markeredgewidth=1.6, clip_on=False)  # fmt: skip
    letters = "abcdefghijklmnopqrstuvwxyz"[: len(points)]
    places = letter_places([(recall, precision) for _, recall, precision in points])
    for letter, (x, y) in zip(letters, places, strict=True):
        axes.text(x, y, letter, ha="center", va="center", fontsize=9.5, fontweight="bold", color=colors["ink"],
                  zorder=5)  # fmt: skip
    return [(letter, name) for letter, (name, *_) in zip(letters, points, strict=True)]


def letter_places(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
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


def _checked_points(baselines: Mapping[str, tuple[float, float]] | None) -> list[tuple[str, float, float]]:
    points = []
    for name, point in (baselines or {}).items():
        try:
            recall, precision = map(float, point)
        except (TypeError, ValueError):
            recall = precision = float("nan")
        if not (0 <= recall <= 1 and 0 <= precision <= 1):
            raise UsageError(
                f"A baseline is a pair (recall, precision) of numbers between 0 and 1; found {_plain(point)!r} "
                f"for {str(name)!r}."
            )
        points.append((str(name), recall, precision))
    if len(points) > 26:
        raise UsageError(f"Baselines are named by letters, of which there are 26; found {len(points)}. Leave some out.")
    return points


def _plain(value: object) -> object:
    """What was given, for a message, with numbers of Python where NumPy's are."""
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    if isinstance(value, (tuple, list)):
        items = [_plain(item) for item in value]
        return tuple(items) if isinstance(value, tuple) else items
    return value


def _visible(recall: NDArray[np.float64], precision: NDArray[np.float64]) -> NDArray[np.int64]:
    """Selects indices of a thinned curve, evenly along its drawn length and with both ends."""
    if len(recall) <= _MAX_POINTS:
        return np.arange(len(recall))
    along = np.concatenate([[0], np.cumsum(np.hypot(np.diff(recall), np.diff(precision)))])
    return np.unique(np.searchsorted(along, np.linspace(0, along[-1], _MAX_POINTS)).clip(max=len(recall) - 1))
