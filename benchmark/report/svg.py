"""Matplotlib figures as SVG that belongs to the page: its font, its colours, light or dark, at any width."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from iemomecp_dataset.errors import missing_extra

__all__ = [
    "GRID",
    "INK",
    "MUTED",
    "PAPER",
    "SERIES",
    "STRUCTURAL",
    "STRUCTURAL_MARK",
    "Picture",
    "legend_above",
    "new_figure",
    "picture",
    "series",
]

# Every colour that a figure uses stands for a variable of the style sheet, which has a light and a dark value for it.
INK = "#101113"
MUTED = "#5f6471"
GRID = "#dcdee3"
PAPER = "#fefefd"
STRUCTURAL = "#767b86"
SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8f5fbf", "#a0522d")
"""Okabe and Ito's colours, apart under every common colour blindness, and two more."""

STRUCTURAL_MARK: dict[str, Any] = {
    "marker": "D",
    "markersize": 6,
    "color": PAPER,
    "markeredgecolor": STRUCTURAL,
    "markeredgewidth": 1.6,
    "linestyle": "none",
    "clip_on": False,
}
"""How a structural baseline is drawn wherever it is one point."""

_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
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
        svg: The drawing, to be set into HTML as it is.
        title: What it shows, in a few words.
        caption: How to read it, in sentences.
        wide: Whether it needs the whole width of the page.
        narrow_svg: The same for a narrow window, where the drawing would be too small; empty where it need not.
    """

    svg: str
    title: str
    caption: str
    wide: bool = False
    narrow_svg: str = ""


def series(number: int) -> dict[str, Any]:
    """Colour, marker and line style of the n-th system: told apart by all three, so that colour is never alone."""
    return {
        "color": SERIES[number % len(SERIES)],
        "marker": _MARKERS[number % len(_MARKERS)],
        "linestyle": _LINES[number % len(_LINES)],
    }


def legend_above(figure: Any, axes: Any, columns: int = 3) -> None:
    """Puts the legend of one plot above it, where it hides nothing."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=min(columns, len(labels)))


@contextmanager
def new_figure(width: float, height: float) -> Iterator[Any]:
    """An empty figure in the report's style, in inches at 100 px an inch; drawn upon inside the ``with``."""
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as error:
        raise missing_extra("matplotlib", "report") from error
    with mpl.rc_context(_STYLE):
        yield Figure(figsize=(width, height), layout="constrained")


def picture(figure: Any, title: str, caption: str) -> Picture:
    """Turns a figure into SVG for the page.

    Args:
        figure: A matplotlib figure made by :func:`new_figure`, still inside its ``with``.
        title: What it shows; read out by screen readers.
        caption: How to read it.

    Returns:
        The picture.
    """
    import matplotlib as mpl

    buffer = io.StringIO()
    # One salt a drawing: ids are the same in every build of the page, and differ between its figures.
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

    # No drawing grows beyond a little over its own size, so that letters are equally large in all of them.
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
