"""Pair F1 within each turn distance, against the best score that a rule of distance alone can reach."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from iemomecp_dataset.benchmark.baselines.structural import DISTANCE_BUCKETS, distance_buckets
from iemomecp_dataset.benchmark.plots.inputs import check_has_gold, decided_pairs, plotted_pairs
from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.metrics.arguments.argument_checks import as_array
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

__all__ = ["best_distance_f1", "draw_distance_bars", "draw_distance_system", "f1_by_distance", "plot_distance"]

_SHIFT, _ROOM = 0.12, 0.72
"""Largest distance of the markers of two systems, and the room that all of a bucket share, in buckets."""


def plot_distance(
    probabilities: ArrayLike,
    labels: ArrayLike,
    target_turns: ArrayLike,
    cause_turns: ArrayLike,
    *,
    threshold: float | None = None,
    label: str | None = None,
    style: Mapping[str, Any] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Plots Pair F1 by turn distance in percent, as the report does.

    A bar is the F1 of predicting every candidate at that distance as a pair, the best that a rule of distance alone can
    reach there: what a system scores above the bar does not come from distance. Distances without gold pairs are left
    out. Called again with the same axes and pairs, it adds a system in the next colour.

    Args:
        probabilities: ``(n, C)`` probabilities; ``(n,)`` floats, P(class 0), with a threshold; or ``(n,)`` ints, hard
            class ids. Lists, arrays or tensors.
        labels: ``(n,)`` ints, class ids; class 0 is the positive one.
        target_turns: ``(n,)`` ints, turn of the target.
        cause_turns: ``(n,)`` ints, turn of the candidate cause.
        threshold: A pair iff P(class 0) is at least this; by default the most probable class.
        label: Name of the system in the legend.
        style: ``color``, ``marker`` and ``linestyle`` in place of those that the system gets, any of them.
        ax: Axes to draw in; by default a new figure's. The legend stands below them: make their figure with
            ``layout="constrained"``, so that it has its place.

    Returns:
        The axes.

    Raises:
        MetricInputError: The arrays do not fit, are no probabilities, class ids or turns, no label is 0, or the axes
            show other gold pairs.
        UsageError: ``ax`` or ``style`` is something else than said above.
        MissingDependencyError: matplotlib is not installed.

    Example:
        >>> import matplotlib; matplotlib.use("agg")
        >>> axes = plot_distance([0, 1, 0, 1], [0, 1, 0, 0], [1, 2, 2, 3], [1, 1, 2, 2])
        >>> axes.lines[0].get_ydata().round(1).tolist(), [round(float(bar.get_height()), 1) for bar in axes.patches]
        ([100.0, 0.0], [100.0, 66.7])
    """
    pairs = plotted_pairs(probabilities, labels, threshold=threshold)
    decided = decided_pairs(pairs, "F1 by distance")
    check_has_gold(pairs, "F1 by distance")
    distances = _checked_turns(target_turns, "target_turns", pairs.labels) - _checked_turns(
        cause_turns, "cause_turns", pairs.labels
    )
    axes = axes_or_new(ax, 6.4, 4.6)
    chosen = next_style(axes, style)
    apply_look(axes)
    shown = draw_distance_bars(axes, distances, pairs.gold)
    draw_distance_system(axes, 100 * f1_by_distance(distances, pairs.gold, decided == 0)[np.newaxis, shown],
                         label=label, style=chosen)  # fmt: skip
    system_legend(axes, below=True)
    return axes


def f1_by_distance(
    distances: NDArray[np.int64], gold: NDArray[np.bool_], predicted: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Computes Pair F1 among the candidates of each distance bucket.

    Args:
        distances: ``(n,)`` signed distances ``target - cause``, in turns.
        gold: ``(n,)`` bool, whether a candidate is a gold pair.
        predicted: ``(n,)`` bool, whether it is predicted as a pair.

    Returns:
        ``(8,)`` floats in the order of :data:`DISTANCE_BUCKETS`; NaN in a bucket without gold pairs.

    Example:
        >>> gold, predicted = np.array([True, True, False]), np.array([True, False, False])
        >>> f1_by_distance(np.array([0, 0, 1]), gold, predicted)[:3].round(2)
        array([ nan, 0.67,  nan])
    """
    buckets = distance_buckets(distances)
    both, of_gold, of_predicted = (
        np.bincount(buckets[keep], minlength=len(DISTANCE_BUCKETS)) for keep in (gold & predicted, gold, predicted)
    )
    _, _, f1 = precision_recall_f1(both, of_predicted, of_gold)
    return np.where(of_gold > 0, f1, np.nan)


def best_distance_f1(distances: NDArray[np.int64], gold: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Computes the best F1 of a rule of distance alone in each bucket: predict every candidate as a pair.

    With a share r of gold pairs in the bucket this is ``2 r / (1 + r)``.

    Args:
        distances: As in :func:`f1_by_distance`.
        gold: As in :func:`f1_by_distance`.

    Returns:
        ``(8,)`` floats as in :func:`f1_by_distance`.
    """
    return f1_by_distance(distances, gold, np.ones_like(gold))


def draw_distance_bars(axes: Axes, distances: NDArray[np.int64], gold: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Draws what all systems share: the bars, and the number of gold pairs at each distance.

    Args:
        axes: The axes; those that show the bars of the same gold pairs are left as they are.
        distances: As in :func:`f1_by_distance`.
        gold: As there.

    Returns:
        Indices of the buckets that are shown: those with gold pairs.

    Raises:
        MetricInputError: The axes show other gold pairs.
    """
    n_gold = np.bincount(distance_buckets(distances)[gold], minlength=len(DISTANCE_BUCKETS))
    shown = np.flatnonzero(n_gold)
    names = [f"{DISTANCE_BUCKETS[i]}\n{n_gold[i]:,}" for i in shown]
    if drawn_systems(axes):
        if [text.get_text() for text in axes.get_xticklabels()] != names:
            raise MetricInputError(
                "The axes show F1 by distance of other gold pairs. Draw systems on the same pairs into one plot, and "
                "others into axes of their own."
            )
        return shown
    colors = axes_palette(axes)
    axes.bar(np.arange(len(shown)), 100 * best_distance_f1(distances, gold)[shown], width=0.78, linewidth=0,
             color=colors["structural"], alpha=0.22, label="every candidate at that distance as a pair")  # fmt: skip
    axes.set_xticks(np.arange(len(shown)), names)
    axes.tick_params(axis="x", length=0)
    axes.grid(axis="x", visible=False)
    axes.set_xlabel("turns from cause to target,\nwith the number of gold pairs", color=colors["muted"])
    axes.set_ylabel("Pair F1 at\nthat distance, %")
    return shown


def draw_distance_system(
    axes: Axes, profiles: NDArray[np.float64], *, label: str | None, style: Mapping[str, Any]
) -> None:
    """Draws a system: markers at the mean over its runs, and the range over them.

    Args:
        axes: Axes with the bars.
        profiles: ``(S, k)`` Pair F1 in percent of the runs, at the distances that are shown.
        label: Name in the legend.
        style: Of :func:`~iemomecp_dataset.pictures.axes_look.series_style`.
    """
    where = np.arange(profiles.shape[1])
    (line,) = axes.plot(where, profiles.mean(axis=0), label=label, markersize=6, linewidth=1.5, **style)
    mark_system(line)
    if len(profiles) > 1:
        ranges = axes.vlines(where, profiles.min(axis=0), profiles.max(axis=0), color=style["color"], linewidth=1.2)
        setattr(line, _RANGES, ranges)
    _stand_beside_each_other(axes)
    bars: list[Any] = list(axes.patches)
    heights = [bar.get_height() for bar in bars] + [np.max(line.get_ydata()) for line in drawn_systems(axes)]
    axes.set_ylim(0, 1.05 * max(*heights, float(profiles.max())))


_RANGES = "_iemomecp_ranges"


def _stand_beside_each_other(axes: Axes) -> None:
    """Moves the markers of all systems so that those of one distance do not cover each other."""
    lines = drawn_systems(axes)
    step = min(_SHIFT, _ROOM / len(lines))
    for number, line in enumerate(lines):
        where = np.arange(len(line.get_ydata())) + step * (number - (len(lines) - 1) / 2)
        line.set_xdata(where)
        ranges = getattr(line, _RANGES, None)
        if ranges is not None:
            heights = [segment[:, 1] for segment in ranges.get_segments()]
            ranges.set_segments([np.column_stack([[x, x], y]) for x, y in zip(where, heights, strict=True)])


def _checked_turns(turns: ArrayLike, name: str, labels: NDArray[np.int64]) -> NDArray[np.int64]:
    found = as_array(turns, name, "pair")
    if found.shape != labels.shape or not np.issubdtype(found.dtype, np.integer):
        raise MetricInputError(
            f"{name} must be one whole number per pair, shape {labels.shape}; found shape {found.shape}, dtype "
            f"{found.dtype}."
        )
    return found.astype(np.int64)
