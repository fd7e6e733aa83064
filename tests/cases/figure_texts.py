"""Measures the texts of a matplotlib figure: each inside the figure, none on another."""

from __future__ import annotations

import itertools
from typing import Any

__all__ = ["texts_that_collide"]

_TOUCH = 1.0
"""Pixels by which extents may overlap or leave the figure: they are wider than the letters."""


def texts_that_collide(figure: Any) -> list[str]:
    """Lists texts that leave the figure and pairs of texts that overlap, by their window extents after drawing.

    Args:
        figure: The figure, with its final layout engine.

    Returns:
        One line each; empty for a figure in which everything can be read. Of two slanted texts, whose extents are much
        larger than they are, nothing is said.
    """
    from matplotlib.text import Text

    figure.draw_without_rendering()
    page = figure.bbox
    hidden = _hidden(figure)
    extents = [
        (text, text.get_window_extent())
        for text in figure.findobj(Text)
        if text.get_text().strip() and text.get_visible() and id(text) not in hidden
    ]
    found = [
        f"leaves the figure: {text.get_text()!r}"
        for text, extent in extents
        if extent.x0 < page.x0 - _TOUCH or extent.x1 > page.x1 + _TOUCH or extent.y0 < page.y0 - _TOUCH
        or extent.y1 > page.y1 + _TOUCH
    ]  # fmt: skip
    for (one, a), (other, b) in itertools.combinations(extents, 2):
        if one.get_rotation() % 90 and other.get_rotation() % 90:
            continue
        width, height = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        if width > _TOUCH and height > _TOUCH:
            found.append(f"overlap: {one.get_text()!r} and {other.get_text()!r}")
    return found


def _hidden(figure: Any) -> set[int]:
    """Ids of texts that are not drawn: those of invisible axes, and labels of ticks beyond the limits of an axis."""
    from matplotlib.text import Text

    hidden = set()
    for axes in figure.axes:
        if not axes.get_visible():
            hidden |= {id(text) for text in axes.findobj(Text)}
        for axis in (axes.xaxis, axes.yaxis):
            drawn = axis._update_ticks()
            hidden |= {
                id(label)
                for tick in (*axis.majorTicks, *axis.minorTicks)
                if tick not in drawn
                for label in (tick.label1, tick.label2)
            }
    return hidden
