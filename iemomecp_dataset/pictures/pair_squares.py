"""Parts of a matrix of pairs in matplotlib axes, as plots and the report draw it: targets down, causes across."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iemomecp_dataset.pictures.axes_look import apply_look, axes_palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

__all__ = ["DARKEST", "draw_context_bar", "draw_frame", "draw_ring", "draw_squares"]

DARKEST = 0.85
"""Opacity of the square of a pair with P = 1, so that marks on it are seen."""
_CANDIDATE = 0.45
_MARGIN = 0.55
_WITH_GAPS = 60
"""Largest number of turns between whose squares there are gaps."""


def draw_frame(axes: Axes, n: int) -> None:
    """Sets up empty axes for the pairs of ``n`` turns; turn 1 is at the top and left."""
    apply_look(axes, grid=False)
    axes.set_xlim(1 - _MARGIN, n + _MARGIN)
    axes.set_ylim(n + _MARGIN, 1 - _MARGIN)
    axes.set_aspect("equal")
    axes.tick_params(length=0)


def draw_squares(
    axes: Axes, targets: ArrayLike, causes: ArrayLike, color: str = "grid", opacity: Any = _CANDIDATE, label: str = ""
) -> None:
    """Draws a square for each of some pairs, by default a light one, for a candidate.

    Args:
        axes: Axes with a frame.
        targets: ``(n,)`` turns of the targets.
        causes: ``(n,)`` turns of the causes.
        color: Name of a colour of the palette.
        opacity: Of all squares, or ``(n,)`` of each, between 0 and 1.
        label: Name of the squares.
    """
    import numpy as np
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import to_rgba_array

    places = np.column_stack([np.asarray(causes), np.asarray(targets)])
    if not len(places):
        return
    half = 0.46 if axes.get_ylim()[0] < _WITH_GAPS + 1 else 0.5
    squares: Any = places[:, np.newaxis] + half * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    faces = to_rgba_array([axes_palette(axes)[color]] * len(places), np.broadcast_to(opacity, len(places)))
    axes.add_collection(PolyCollection(squares, facecolors=faces, linewidths=0, zorder=1, snap=True, label=label))


def draw_context_bar(axes: Axes, target: float, cause: float) -> None:
    """Marks a pair of another role than class 0."""
    from matplotlib.patches import Rectangle

    color = axes_palette(axes)["series-4"]
    axes.add_patch(Rectangle((cause - 0.4, target - 0.14), 0.8, 0.28, facecolor=color, linewidth=0, zorder=3))


def draw_ring(axes: Axes, target: float, cause: float, *, width: float = 1.5, dashed: bool = False) -> None:
    """Marks a pair of class 0 with a ring of some line width, points."""
    from matplotlib.patches import Circle

    line = (0, (1.5, 1)) if dashed else "-"
    color = axes_palette(axes)["ink"]
    axes.add_patch(
        Circle((cause, target), 0.27, fill=False, edgecolor=color, linewidth=width, zorder=3, linestyle=line)
    )
