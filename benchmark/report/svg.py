"""Matplotlib figures as inline SVG that takes fonts and light or dark colours from the page."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

from iemomecp_dataset.benchmark.figures import style
from iemomecp_dataset.pictures.axes_look import N_SERIES, series_style
from iemomecp_dataset.pictures.palette import LIGHT

__all__ = [
    "GRID",
    "INK",
    "MUTED",
    "NARROW",
    "PAPER",
    "SERIES",
    "STRUCTURAL",
    "STRUCTURAL_MARK",
    "Picture",
    "page_figure",
    "series_style",
    "svg_picture",
    "with_narrow_layout",
]

# Each colour stands for a variable of the style sheet, which defines the light value for it and a dark one.
INK, MUTED, GRID, PAPER, STRUCTURAL = (LIGHT[name] for name in ("ink", "muted", "grid", "paper", "structural"))
SERIES = tuple(LIGHT[f"series-{number}"] for number in range(N_SERIES))

NARROW = 4.2
"""Width of a figure for narrow windows, inches."""

STRUCTURAL_MARK: dict[str, Any] = {
    "marker": "D",
    "markersize": 6,
    "color": PAPER,
    "markeredgecolor": STRUCTURAL,
    "markeredgewidth": 1.6,
    "linestyle": "none",
    "clip_on": False,
}
"""Plot style of a structural baseline that is drawn as a single point."""

_VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    GRID: "--grid",
    PAPER: "--paper",
    STRUCTURAL: "--structural",
    **{color: f"--series-{i}" for i, color in enumerate(SERIES)},
}


@dataclass(frozen=True)
class Picture:
    """One figure of the page.

    Attributes:
        svg: The drawing as markup that is inserted into the page unescaped.
        title: Subject of the figure.
        caption: Sentences that explain how to read it.
        wide: Whether it takes the full width of the page.
        narrow_svg: A second layout for narrow windows; empty if the first one fits.
    """

    svg: str
    title: str
    caption: str
    wide: bool = False
    narrow_svg: str = ""


def page_figure(width: float, height: float) -> AbstractContextManager[Any]:
    """Makes an empty figure in the style of the page; sizes in inches, at 100 px per inch."""
    return style.styled_figure(width, height, _STYLE)


def svg_picture(figure: Any, title: str, caption: str) -> Picture:
    """Converts a figure to SVG for the page.

    Args:
        figure: A matplotlib figure, still inside the ``with`` block of :func:`page_figure`.
        title: Subject of the figure; screen readers read it out.
        caption: Sentences that explain how to read it.

    Returns:
        The picture.
    """
    import matplotlib as mpl

    buffer = io.StringIO()
    # One salt per drawing, so that ids are reproducible and unique within the page.
    salt = f"{title} {figure.get_figwidth()}"
    with mpl.rc_context({"svg.hashsalt": salt, "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    opening = _svg_tag(title, figure.get_figwidth())
    svg = re.sub(r'<svg [^>]*?viewBox="([^"]*)"[^>]*>', opening, svg, count=1, flags=re.DOTALL)
    svg = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", svg)
    svg = re.sub(r"font: (\d+|bold) ([\d.]+)px [^;\"]*", r"font-weight: \1; font-size: \2px", svg)
    for color, variable in _VARIABLES.items():
        svg = svg.replace(color, f"var({variable})")
    return Picture(svg, title, caption, wide=figure.get_figwidth() > 8)


def with_narrow_layout(draw: Callable[[bool], Picture]) -> Picture:
    """Draws a figure twice, the second time for windows so narrow that the letters of the first would be too small.

    Args:
        draw: Draws it; its argument tells whether for a narrow window, with room for :data:`NARROW` inches.

    Returns:
        The picture with both layouts.
    """
    return replace(draw(False), narrow_svg=draw(True).svg)


def _svg_tag(title: str, inches: float) -> str:
    import html

    # The width limit keeps the font size equal in all drawings.
    label = html.escape(title, quote=True).replace("\\", "")
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        rf'viewBox="\1" role="img" aria-label="{label}" style="max-width: {108 * inches:.0f}px">'
    )


_STYLE: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.labelsize": 10,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": GRID,
    "axes.linewidth": 1.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.facecolor": "none",
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "svg.fonttype": "none",
    "text.parse_math": False,  # a dollar sign in the name of a system begins no formula
}
