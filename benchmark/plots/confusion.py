"""Confusion matrices, as shares of each gold class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from iemomecp_dataset.benchmark.plots.inputs import decided_pairs, plotted_pairs
from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.metrics.scoring import confusion_matrix
from iemomecp_dataset.pictures.axes_look import apply_look, as_written, axes_or_new, axes_palette, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_confusion", "gold_shares", "plot_confusion", "short_class_names"]

FEW_CLASSES = 4
"""With more, cells are small and the names of the predicted classes stand upright."""
_DARKEST = 0.6
"""Opacity at 100 %, chosen so that the number stays legible on light and on dark paper."""


def plot_confusion(
    probabilities: ArrayLike,
    labels: ArrayLike,
    *,
    class_names: Sequence[str] | None = None,
    threshold: float | None = None,
    label: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Plots a confusion matrix, as the report does: percent of each gold class, rows gold, columns predicted.

    Args:
        probabilities: ``(n, C)`` probabilities; ``(n,)`` floats, P(class 0), with a threshold; or ``(n,)`` ints, hard
            class ids. Lists, arrays or tensors.
        labels: ``(n,)`` ints, class ids.
        class_names: Names by id; by default ``class 0`` and so on. Emotions are as good as roles of pairs.
        threshold: Class 0 iff P(class 0) is at least this, else the most probable of the other classes. By default the
            most probable class.
        label: Name of the system, above the matrix.
        ax: Axes to draw in, which should be empty; by default a new figure's.

    Returns:
        The axes.

    Raises:
        MetricInputError: The arrays do not fit, or are no probabilities or class ids.
        UsageError: ``ax`` is no axes.
        MissingDependencyError: matplotlib is not installed.

    Example:
        >>> import matplotlib; matplotlib.use("agg")
        >>> axes = plot_confusion([0, 1, 1, 1], [0, 0, 1, 1], class_names=["pair", "non_pair"])
        >>> [text.get_text() for text in axes.texts]  # row by row
        ['50', '50', '0', '100']
    """
    if class_names is not None and not isinstance(class_names, str):
        class_names = [str(name) if isinstance(name, str) else name for name in class_names]  # those of NumPy, too
    if class_names is not None and (isinstance(class_names, str) or len(class_names) < 2):
        raise MetricInputError(f"class_names must be a list of names, one per class; found {class_names!r}.")
    pairs = plotted_pairs(probabilities, labels, threshold=threshold, class_names=class_names)
    decided = decided_pairs(pairs, "A confusion matrix")
    if pairs.of_pair_alone and pairs.n_classes > 2:
        raise MetricInputError(
            f"A confusion matrix of {pairs.n_classes} classes needs (n, {pairs.n_classes}) probabilities or hard class "
            "ids: P(class 0) alone does not tell the others apart."
        )
    names = short_class_names(class_names or [f"class {number}" for number in range(pairs.n_classes)])
    counts = confusion_matrix(pairs.labels, decided, len(names))
    side = 3.2 if len(names) <= FEW_CLASSES else 1.6 + 0.36 * len(names)
    axes = axes_or_new(ax, side + 0.8, side)
    apply_look(axes, grid=False)
    draw_confusion(axes, gold_shares(counts[np.newaxis]), names)
    axes.set_ylabel("gold")
    for row, total in enumerate(counts.sum(axis=1)):
        if not total:
            for column, text in enumerate(axes.texts[len(names) * row : len(names) * (row + 1)]):
                text.set_text("" if column else "none")  # a share of no pair is not 0
    if label:
        as_written(axes.set_title("\n".join(wrapped([label]))))
    return axes


def gold_shares(counts: NDArray[Any]) -> NDArray[np.float64]:
    """Computes shares of each gold class, mean over runs.

    Args:
        counts: ``(S, C, C)`` confusion matrices of the runs of a system, rows gold.

    Returns:
        ``(C, C)`` shares; 0 in the row of a class without gold.

    Example:
        >>> gold_shares(np.array([[[3, 1], [0, 0]], [[1, 3], [0, 0]]])).tolist()
        [[0.5, 0.5], [0.0, 0.0]]
    """
    shares: NDArray[np.float64] = (counts / counts.sum(axis=2, keepdims=True).clip(min=1)).mean(axis=0)
    return shares


def short_class_names(names: Sequence[str]) -> list[str]:
    """Writes classes as the report does.

    Example:
        >>> short_class_names(["emo_cause", "non_pair"])
        ['cause', 'non-pair']
    """
    return [str(name).removeprefix("emo_").replace("_", "-") for name in names]


def draw_confusion(axes: Axes, shares: NDArray[np.float64], names: Sequence[str]) -> None:
    """Draws a matrix of shares as percents.

    Args:
        axes: Empty axes.
        shares: ``(C, C)``, rows gold.
        names: Names of the classes.
    """
    from matplotlib.patches import Rectangle

    colors = axes_palette(axes)
    for i in range(len(names)):
        for j in range(len(names)):
            share = float(shares[i, j])
            look: dict[str, Any] = {"facecolor": colors["series-0"], "alpha": _DARKEST * share, "linewidth": 0}
            axes.add_patch(Rectangle((j - 0.47, i - 0.47), 0.94, 0.94, **look))
            axes.text(j, i, f"{100 * share:.0f}", ha="center", va="center", color=colors["ink"])
    axes.set_xlim(-0.55, len(names) - 0.45)
    axes.set_ylim(len(names) - 0.45, -0.55)
    axes.set_aspect("equal")
    axes.set_xticks(range(len(names)), names)
    if len(names) > FEW_CLASSES:
        axes.tick_params(axis="x", labelrotation=90)
    axes.set_yticks(range(len(names)), names)
    as_written(*axes.get_xticklabels(), *axes.get_yticklabels())
    axes.tick_params(length=0, labelcolor=colors["muted"])
    axes.grid(visible=False)
    axes.set_xlabel("predicted")
    for spine in axes.spines.values():
        spine.set_visible(False)
