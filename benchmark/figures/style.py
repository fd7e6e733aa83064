"""How figures look on paper: one style, colours that survive every eye and a grey printer, files that never change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from iemomecp_dataset.errors import UsageError, missing_extra
from iemomecp_dataset.files import atomic_write

__all__ = ["FORMATS", "GREY", "INK", "ROLE_COLORS", "ROLE_NAMES", "SERIES", "new_figure", "role_bar", "save"]

FORMATS = ("pdf", "svg", "png")

INK = "#1a1a1a"
GREY = "#8a8f98"
SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe and Ito's colours."""

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
    "axes.edgecolor": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.prop_cycle": None,
    "grid.color": "#e2e4e8",
    "grid.linewidth": 0.6,
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": GREY,
    "ytick.color": GREY,
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
    "pdf.fonttype": 42,  # text stays text
    "svg.fonttype": "none",
    "svg.hashsalt": "iemomecp",
}


@contextmanager
def new_figure(width: float, height: float) -> Iterator[Any]:
    """An empty figure in the style, in inches; a column of a paper is 3.3 wide, a page 7."""
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as error:
        raise missing_extra("matplotlib", "report") from error
    with mpl.rc_context({key: value for key, value in _STYLE.items() if value is not None}):
        yield Figure(figsize=(width, height), layout="constrained")


def role_bar(role: str) -> dict[str, Any]:
    """Colour and hatch of a role's bars."""
    return {"color": ROLE_COLORS[role], "hatch": _ROLE_HATCHES[role], "edgecolor": "white", "linewidth": 0.5}


def save(figure: Any, folder: Path, name: str, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Writes a figure; the same figure gives the same bytes.

    Args:
        figure: A figure of :func:`new_figure`.
        folder: Where to; made when it is not there.
        name: File name without ending.
        formats: Some of :data:`FORMATS`.

    Returns:
        The files.

    Raises:
        UsageError: A format that is not known.
    """
    import matplotlib as mpl

    unknown = [form for form in formats if form not in FORMATS]
    if unknown:
        raise UsageError(f"Figures are written as {', '.join(FORMATS)}; found {', '.join(unknown)}.")
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    no_date = {"pdf": {"CreationDate": None, "Producer": None}, "svg": {"Date": None}, "png": {"Software": None}}
    with mpl.rc_context({key: value for key, value in _STYLE.items() if value is not None}):
        for form in formats:
            path = folder / f"{name}.{form}"
            with atomic_write(path) as partial:
                figure.savefig(partial, format=form, dpi=300, metadata=no_date[form])
            paths.append(path)
    return paths
