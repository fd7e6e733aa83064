"""Reliability diagrams: the share that is right against mean confidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from iemomecp_dataset.benchmark.plots.inputs import plotted_pairs, ranked_pairs
from iemomecp_dataset.metrics.calibration import expected_calibration_error, reliability_table
from iemomecp_dataset.pictures.axes_look import (
    apply_look,
    axes_or_new,
    axes_palette,
    mark_system,
    next_style,
    system_legend,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_reliability", "plot_reliability"]


def plot_reliability(
    probabilities: ArrayLike,
    labels: ArrayLike,
    *,
    n_bins: int = 20,
    label: str | None = None,
    style: Mapping[str, Any] | None = None,
    ax: Axes | None = None,
) -> Axes:
    r"""Plots the share of gold pairs against mean confidence, as the report does.

    Pairs are in bins of equal size by P(class 0). On the straight line confidence equals the share; below it, the
    system is overconfident. Called again with the same axes, it adds a system in the next colour.

    Args:
        probabilities: ``(n, C)`` probabilities, or ``(n,)`` floats, P(class 0). Lists, arrays or tensors.
        labels: ``(n,)`` ints, class ids; class 0 is the positive one.
        n_bins: Number of bins, at most; fewer where equal scores cannot be told apart.
        label: Name of the system in the legend, where its expected calibration error in percent follows.
        style: ``color``, ``marker`` and ``linestyle`` in place of those that the system gets, any of them.
        ax: Axes to draw in; by default a new figure's.

    Returns:
        The axes.

    Raises:
        MetricInputError: The arrays do not fit, are no probabilities or class ids, no label is 0, or ``n_bins`` is
            below 1.
        UsageError: ``ax`` or ``style`` is something else than said above.
        MissingDependencyError: matplotlib is not installed.

    Example:
        >>> import matplotlib; matplotlib.use("agg")
        >>> axes = plot_reliability([0.1, 0.3, 0.6, 0.8], [1, 1, 0, 1], n_bins=2, label="ours")
        >>> axes.lines[0].get_xydata().round(2).tolist(), axes.lines[0].get_label()
        ([[0.2, 0.0], [0.7, 0.5]], 'ours (ECE\xa020.0)')
    """
    pairs = plotted_pairs(probabilities, labels)
    confidences = ranked_pairs(pairs, "A reliability diagram")
    reliability_table(confidences, pairs.gold, n_bins=n_bins)  # what it refuses shall leave no empty figure behind
    axes = axes_or_new(ax, 6.0, 4.4)
    chosen = next_style(axes, style)
    apply_look(axes)
    draw_reliability(axes, [(confidences, pairs.gold)], n_bins=n_bins, label=label, style=chosen)
    axes.set_xlabel("mean P(class 0) in the bin")
    axes.set_ylabel("share of gold pairs in the bin")
    system_legend(axes)
    return axes


def draw_reliability(
    axes: Axes,
    runs: Sequence[tuple[NDArray[np.float64], NDArray[np.bool_]]],
    *,
    n_bins: int,
    label: str | None,
    style: Mapping[str, Any],
) -> None:
    """Draws one curve, with the items of the runs of a system pooled, and the straight line as far as it is needed.

    Args:
        axes: The axes.
        runs: Of each run the confidences ``(n,)`` and whether they are right ``(n,)``.
        n_bins: Bins of equal size.
        label: Name in the legend, where the expected calibration error follows, mean over the runs, in percent.
        style: Of :func:`~iemomecp_dataset.pictures.axes_look.series_style`.
    """
    error = np.mean([expected_calibration_error(*run, n_bins=n_bins) for run in runs])
    confidences, right = (np.concatenate(column) for column in zip(*runs, strict=True))
    table = reliability_table(confidences, right, n_bins=n_bins)
    (line,) = axes.plot(table.mean_confidence, table.positive_rate, linewidth=1.4, **style,
                        label=f"{label} (ECE\N{NO-BREAK SPACE}{100 * error:.1f})" if label else
                        f"ECE {100 * error:.1f}")  # fmt: skip
    mark_system(line)
    highest = max(table.mean_confidence.max(), table.positive_rate.max())
    for diagonal in axes.lines:
        if getattr(diagonal, _DIAGONAL, False):
            end = max(highest, *np.asarray(diagonal.get_xdata()))
            diagonal.set_data([0, end], [0, end])
            return
    (diagonal,) = axes.plot([0, highest], [0, highest], color=axes_palette(axes)["grid"], linewidth=1.5, zorder=0)
    setattr(diagonal, _DIAGONAL, True)


_DIAGONAL = "_iemomecp_diagonal"
