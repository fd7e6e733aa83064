"""The look of this package's matplotlib plots, given to the axes of a plot and to nothing else."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from iemomecp_dataset.errors import UsageError, missing_extra
from iemomecp_dataset.pictures.palette import DARK, LIGHT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "N_SERIES",
    "apply_look",
    "as_written",
    "axes_or_new",
    "axes_palette",
    "drawn_systems",
    "fitted_legend",
    "mark_system",
    "next_style",
    "series_style",
    "system_legend",
    "wrapped",
]

N_SERIES = sum(name.startswith("series-") for name in LIGHT)
"""Number of colours that tell systems apart; with more systems, marker and line style do, too."""

_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_LINES = ("-", (0, (6, 2)), (0, (2, 1.5)), (0, (6, 2, 1.5, 2)))
_INSIDE = 8
"""Largest number of entries of a legend inside the axes; with more it would cover the curves."""
_COLUMN = 20
"""Entries of one column of a legend beside the axes."""
_LINE_OF_LEGEND = 40
"""Characters after which an entry goes on in a second line."""
_HALF_LINE = 24
"""The same where two columns, or a narrow plot, have less room."""
_OWN_SIZE = "_iemomecp_size"


def axes_or_new(ax: Axes | None, width: float, height: float) -> Axes:
    """Takes the axes of the caller, or makes a figure for one plot.

    Args:
        ax: Axes, or None.
        width: Of a new figure, inches.
        height: Of a new figure, inches.

    Returns:
        The axes. A new figure has constrained layout, so that labels and a legend beside the axes fit into it.

    Raises:
        MissingDependencyError: matplotlib is not installed.
        UsageError: ``ax`` is something else, such as a figure or an array of axes.
    """
    try:
        from matplotlib import pyplot as plt
        from matplotlib.axes import Axes as MatplotlibAxes
    except ImportError as error:
        raise missing_extra("matplotlib", "report") from error
    if ax is None:
        made: Axes
        figure, made = plt.subplots(figsize=(width, height), layout="constrained")
        figure.get_layout_engine().set(w_pad=0.08, h_pad=0.08)
        setattr(figure, _OWN_SIZE, (width, height))
        return made
    if not isinstance(ax, MatplotlibAxes):
        raise UsageError(
            f"ax is the axes to draw in, as plt.subplots() returns for one plot; found {type(ax).__name__}. "
            "Of an array of axes give one element, of a figure figure.gca()."
        )
    return ax


def axes_palette(axes: Axes) -> Mapping[str, str]:
    """Chooses the colours that can be seen on the paper of some axes: those for dark paper where it is dark."""
    from matplotlib.colors import to_rgba

    red, green, blue, alpha = to_rgba(axes.get_facecolor())
    if alpha < 0.5:
        red, green, blue, alpha = to_rgba(axes.figure.get_facecolor())
    return DARK if alpha >= 0.5 and 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.4 else LIGHT


def apply_look(axes: Axes, *, grid: bool = True) -> None:
    """Gives axes the look of the report; fonts and their sizes stay those of the caller's style.

    Args:
        axes: The axes.
        grid: Whether there are grid lines; without, there is no frame either, as around a matrix.
    """
    colors = axes_palette(axes)
    for side, spine in axes.spines.items():
        spine.set_color(colors["grid"])
        spine.set_visible(grid and side in ("left", "bottom"))
    axes.set_axisbelow(True)
    axes.grid(visible=False)
    if grid:
        axes.grid(visible=True, color=colors["grid"], linewidth=0.8)
    axes.tick_params(color=colors["grid"], labelcolor=colors["muted"])
    for axis in (axes.xaxis, axes.yaxis):
        axis.label.set_color(colors["muted"])
    axes.title.set_color(colors["ink"])


def as_written(*texts: Any) -> None:
    """Shows dollar signs in texts of a plot as they are, where matplotlib would read what is between two as a formula.

    Names of speakers, systems and classes are the user's; every text of matplotlib that holds one goes through here.
    Figures that this package makes whole have the setting ``text.parse_math`` instead.
    """
    for text in texts:
        if "$" in text.get_text():
            text.set_parse_math(False)


def series_style(number: int, colors: Mapping[str, str] = LIGHT) -> dict[str, Any]:
    """Returns colour, marker and line style of the n-th system, so that systems never differ in colour alone.

    Example:
        >>> series_style(0)
        {'color': '#0072b2', 'marker': 'o', 'linestyle': '-'}
        >>> len({str(series_style(number)) for number in range(64)})
        64
    """
    turn = number // N_SERIES
    return {
        "color": colors[f"series-{number % N_SERIES}"],
        "marker": _MARKERS[(number + turn) % len(_MARKERS)],
        "linestyle": _LINES[(number + turn) % len(_LINES)],
    }


_SYSTEM = "_iemomecp_system"


def drawn_systems(axes: Axes) -> list[Any]:
    """Lists the lines of the systems that this package has drawn into some axes; cleared axes have none."""
    return [line for line in axes.lines if getattr(line, _SYSTEM, False)]


def mark_system(line: Any) -> None:
    """Marks the line of a system for :func:`drawn_systems`, so that the next one takes the next colour."""
    setattr(line, _SYSTEM, True)


def next_style(axes: Axes, style: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Chooses how the next system in some axes is drawn.

    Args:
        axes: The axes.
        style: ``color``, ``marker`` and ``linestyle`` that the caller wants, any of them.

    Returns:
        All three.

    Raises:
        UsageError: ``style`` holds something else.
    """
    chosen = series_style(len(drawn_systems(axes)), axes_palette(axes))
    unknown = set(style or ()) - chosen.keys()
    if unknown:
        raise UsageError(f"style holds color, marker and linestyle; found {', '.join(sorted(map(str, unknown)))}.")
    return chosen | dict(style or {})


def fitted_legend(make: Callable[[int], Any], width: float, most: int) -> Any:
    """Makes a legend in as many columns as there is room for, so that no entry is cut.

    Args:
        make: Makes it with a number of columns.
        width: Room, pixels of the figure.
        most: Largest number of columns.

    Returns:
        The legend; with a single column if even that is wider.
    """
    for columns in range(max(most, 1), 0, -1):
        legend = make(columns)
        as_written(*legend.get_texts())
        if columns == 1 or legend.get_window_extent().width <= width:
            return legend
        legend.remove()
    raise AssertionError("one column is always accepted")


def system_legend(axes: Axes, *, below: bool = False) -> None:
    """Makes, or makes again, the legend of some axes: systems first, inside, or beside them where there are many.

    Long names go on in a second line; no name is cut. A figure that :func:`axes_or_new` made grows by what a legend
    outside the axes takes; one of the caller should be made with ``layout="constrained"``, so that it has its place.

    Args:
        axes: The axes.
        below: Whether it stands below the axes and not inside, where bars leave no room. A title stands above them.
    """
    systems = drawn_systems(axes)
    # The sort is stable: what is no system keeps its order.
    entries = sorted(zip(*axes.get_legend_handles_labels(), strict=True), key=lambda entry: entry[0] not in systems)
    if not entries:
        return
    handles, labels = [handle for handle, _ in entries], wrapped([label for _, label in entries])
    look: dict[str, Any] = {"frameon": False, "fontsize": "small", "labelcolor": axes_palette(axes)["ink"]}
    if len(labels) > _INSIDE:
        columns = -(-len(labels) // _COLUMN)
        legend = axes.legend(handles, labels, loc="upper left", bbox_to_anchor=(1.01, 1.0), ncols=columns, **look)
        box, dpi = legend.get_window_extent(), axes.figure.dpi
        _grow(axes, lambda width, height: (width + box.width / dpi, max(height, box.height / dpi + 0.6)))
    elif below:
        legend = _legend_below(axes, handles, labels, look)
        higher = legend.get_window_extent().height / axes.figure.dpi
        _grow(axes, lambda width, height: (width, height + higher))
    else:
        legend = axes.legend(handles, labels, loc="best", **look)
    as_written(*legend.get_texts())


def _legend_below(axes: Axes, handles: Sequence[Any], labels: Sequence[str], look: Mapping[str, Any]) -> Any:
    """Makes a legend under the label of the horizontal axis, as wide as the axes."""
    from matplotlib.transforms import ScaledTranslation

    ticks = axes.xaxis.get_tightbbox()
    depth = 0.0 if ticks is None else (axes.bbox.y0 - ticks.y0) / axes.figure.dpi
    place = axes.transAxes + ScaledTranslation(0, -depth, axes.figure.dpi_scale_trans)

    for columns, width in ((2, _LINE_OF_LEGEND), (2, _HALF_LINE), (1, _LINE_OF_LEGEND), (1, _HALF_LINE)):
        legend = axes.legend(handles, wrapped(labels, width), loc="upper left", bbox_to_anchor=(0, 0),
                             bbox_transform=place, ncols=columns, **look)  # fmt: skip
        if legend.get_window_extent().width <= axes.bbox.width:
            break
    return legend


def _grow(axes: Axes, sizes: Callable[[float, float], tuple[float, float]]) -> None:
    """Gives a figure of :func:`axes_or_new` a size that follows from its first one, inches."""
    own_size = getattr(axes.figure, _OWN_SIZE, None)
    if own_size is not None:
        figure: Any = axes.figure
        figure.set_size_inches(*sizes(*own_size))


def wrapped(labels: Sequence[str], width: int = _LINE_OF_LEGEND) -> list[str]:
    r"""Breaks long names at blanks.

    Example:
        >>> wrapped(["Base T", "RPCL T dialogue trained"], 12)
        ['Base T', 'RPCL T\ndialogue\ntrained']
    """
    return ["\n".join(textwrap.wrap(label, width, break_on_hyphens=False)) or label for label in labels]
