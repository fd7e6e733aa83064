"""Matplotlib figures as inline SVG that takes fonts and light or dark colours from the page."""

from __future__ import annotations

import io
import re
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from iemomecp_dataset.benchmark.figures import style

__all__ = [
    "GRID",
    "INK",
    "MUTED",
    "PAPER",
    "SERIES",
    "STRUCTURAL",
    "STRUCTURAL_MARK",
    "Picture",
    "page_figure",
    "series_style",
    "svg_picture",
]

# Each colour stands for a variable of the style sheet, which defines a light and a dark value for it.
INK = "#101113"
MUTED = "#5f6471"
GRID = "#dcdee3"
PAPER = "#fefefd"
STRUCTURAL = "#767b86"
SERIES = (*style.SERIES, "#8f5fbf", "#a0522d")
"""The palette of the paper figures and two further colours."""

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

_MARKERS = (*style.MARKERS, "X", "*")
_LINES = ("-", (0, (6, 2)), (0, (2, 1.5)), (0, (6, 2, 1.5, 2)))

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


def series_style(number: int) -> dict[str, Any]:
    """Returns colour, marker and line style of the n-th system, so that systems never differ in colour alone."""
    return {
        "color": SERIES[number % len(SERIES)],
        "marker": _MARKERS[number % len(_MARKERS)],
        "linestyle": _LINES[number % len(_LINES)],
    }


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
}
