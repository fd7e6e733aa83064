"""Print style of the figures: colour-blind safe, legible in greyscale, and reproducible byte for byte."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from iemomecp_dataset.errors import UsageError, missing_extra
from iemomecp_dataset.files import atomic_write, make_folder
from iemomecp_dataset.pictures.axes_look import fitted_legend, wrapped

__all__ = [
    "FORMATS",
    "GRAY",
    "INK",
    "MARKERS",
    "ROLE_COLORS",
    "ROLE_NAMES",
    "SERIES",
    "legend_above",
    "paper_figure",
    "role_bar",
    "save",
    "styled_figure",
]

FORMATS = ("pdf", "svg", "png")

INK = "#1a1a1a"
GRAY = "#8a8f98"
SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""The palette of Okabe and Ito, distinguishable under the common kinds of colour blindness."""

_MOST_LINES = 3
"""A legend of more lines would move the plot far below its title, and take its height."""

_MANY = 12
"""Entries that stand close to each other are more than these."""

MARKERS = ("o", "s", "^", "D", "v", "P")

ROLE_COLORS = {"emo_cause": "#0072b2", "emo_context": "#e69f00", "non_pair": "#b8bcc4"}
ROLE_NAMES = {"emo_cause": "cause", "emo_context": "context", "non_pair": "non-pair"}
_ROLE_HATCHES = {"emo_cause": "", "emo_context": "///", "non_pair": "..."}

_STYLE: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.titlelocation": "left",
    "axes.labelsize": 8,
    "axes.linewidth": 0.6,
    "axes.edgecolor": GRAY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "#e2e4e8",
    "grid.linewidth": 0.6,
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": GRAY,
    "ytick.color": GRAY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "hatch.linewidth": 0.5,
    "hatch.color": "#ffffff",
    "lines.linewidth": 1.3,
    "lines.markersize": 4.5,
    "pdf.fonttype": 42,  # TrueType, so that text in the PDF can be selected and searched
    "svg.fonttype": "none",
    "svg.hashsalt": "iemomecp",
    "text.parse_math": False,  # a dollar sign in the name of a system begins no formula
}


def paper_figure(width: float, height: float) -> AbstractContextManager[Any]:
    """Makes an empty figure in the print style; sizes in inches (one column of a paper: 3.3 wide, a full page: 7)."""
    return styled_figure(width, height, _STYLE)


@contextmanager
def styled_figure(width: float, height: float, style: Mapping[str, Any]) -> Iterator[Any]:
    """Makes an empty figure and applies matplotlib settings to everything drawn inside the ``with`` block.

    Args:
        width: In inches.
        height: In inches.
        style: Values of ``matplotlib.rcParams``.

    Yields:
        The figure, with constrained layout.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as error:
        raise missing_extra("matplotlib", "report") from error
    with mpl.rc_context(dict(style)):
        yield Figure(figsize=(width, height), layout="constrained")


def legend_above(figure: Any, axes: Any, columns: int = 3, side: str = "center", *, reverse: bool = False) -> None:
    """Places the legend of one plot above the axes, where it covers no data; every entry is shown, and none is cut.

    It has as many columns as the figure has room for, and entries that are wider than the figure are wrapped. Where
    it would have many lines, it stands below the axes, and the figure grows by them.

    Args:
        figure: The figure.
        axes: The axes whose entries it has.
        columns: Largest number of columns.
        side: ``center`` or ``left``.
        reverse: Whether what was drawn last, the best system of a board, stands first.
    """
    handles, labels = axes.get_legend_handles_labels()
    if not labels:
        return
    room = 0.95 * figure.bbox.width  # a page that brings its own font may write letters a little wider
    dense = {"columnspacing": 0.8, "handletextpad": 0.5, "borderaxespad": 0.2} if len(labels) > _MANY else {}

    def make(n_columns: int, place: str = "upper") -> Any:
        loc = f"outside {place} {side}"
        return figure.legend(handles, labels, loc=loc, ncols=n_columns, reverse=reverse, **dense)

    legend = fitted_legend(make, room, min(columns, len(labels)))
    width = legend.get_window_extent().width
    if width > room:
        longest = max(map(len, labels))
        labels = wrapped(labels, max(10, int(longest * room / width) - 2))
        legend.remove()
        legend = make(1)
    n_lines = sum(label.count("\n") + 1 for label in labels) / legend._ncols
    if n_lines > _MOST_LINES:
        n_columns = legend._ncols
        legend.remove()
        legend = make(n_columns, "lower")
        figure.set_figheight(figure.get_figheight() + legend.get_window_extent().height / figure.dpi)


def role_bar(role: str) -> dict[str, Any]:
    """Returns colour and hatch of a role's bars."""
    return {"color": ROLE_COLORS[role], "hatch": _ROLE_HATCHES[role], "edgecolor": "white", "linewidth": 0.5}


def save(figure: Any, folder: Path, name: str, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Writes a figure; equal figures give equal bytes.

    Args:
        figure: A figure made by :func:`paper_figure`.
        folder: Output folder; created if it does not exist.
        name: File name without extension.
        formats: Any of :data:`FORMATS`.

    Returns:
        Paths of the files, one per format.

    Raises:
        UsageError: A format is unknown, or the folder cannot be written to.
    """
    import matplotlib as mpl

    unknown = [form for form in formats if form not in FORMATS]
    if unknown:
        raise UsageError(f"Figures are written as {', '.join(FORMATS)}; found {', '.join(unknown)}.")
    make_folder(folder)
    paths = []
    no_date = {"pdf": {"CreationDate": None, "Producer": None}, "svg": {"Date": None}, "png": {"Software": None}}
    with mpl.rc_context(_STYLE):
        for form in formats:
            path = folder / f"{name}.{form}"
            with atomic_write(path) as partial:
                figure.savefig(partial, format=form, dpi=300, metadata=no_date[form])
            paths.append(path)
    return paths
