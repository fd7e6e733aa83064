"""Names of systems in the figures: on an axis, above a panel, above the whole figure; wrapped, never cut."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from iemomecp_dataset.pictures import axes_look

__all__ = ["LONGEST_LINE", "name_one_system", "names_on_axis", "wrapped"]

LONGEST_LINE = 34
"""Characters after which a name goes on in a second line."""

_POINTS_PER_CHARACTER = 0.58
"""Width of a character of the figures' font, as a share of the font size; most texts are narrower."""


def wrapped(name: str, width: int = LONGEST_LINE) -> str:
    """Wraps a name at its spaces and, where one word is longer, within the word.

    Example:
        >>> wrapped("utterance dropout T dialogue trained", 20).split(chr(10))
        ['utterance dropout T', 'dialogue trained']
    """
    return axes_look.wrapped([name], width)[0]


def names_on_axis(figure: Any, axes: Any, names: Sequence[str]) -> None:
    """Names the rows of a plot on its y axis, and makes the figure as much wider and higher as the names need.

    Args:
        figure: The figure, whose size fits short names.
        axes: Axes with one row per name, from 0 up.
        names: The names.
    """
    texts = [wrapped(name) for name in names]
    axes.set_yticks(range(len(texts)), texts)
    axes.tick_params(axis="y", length=0)
    widest = max((label.get_window_extent().width for label in axes.get_yticklabels()), default=0.0) / figure.dpi
    further_lines = sum(text.count("\n") for text in texts)
    # Names of up to an inch have their place in the sizes that the figures have.
    figure.set_size_inches(
        figure.get_figwidth() + max(0.0, widest - 1.0), figure.get_figheight() + 0.12 * further_lines
    )


def name_one_system(figure: Any, axes: Any, name: str, reason: str = "", pad: float = 6.0) -> None:
    """Writes above a plot which one system it shows, and why this one.

    Args:
        figure: The figure.
        axes: The axes.
        name: The system.
        reason: Why it is this one; may be empty.
        pad: Points between plot and text.
    """
    # The title begins above the axes, which take no less than this share of the figure.
    characters = int(0.74 * 72 * figure.get_figwidth() / (_POINTS_PER_CHARACTER * 8.5))
    lines = [line for text in (name, reason) if text for line in wrapped(text, characters).split("\n")]
    axes.set_title("\n".join(lines), pad=pad)
    figure.set_figheight(figure.get_figheight() + 0.14 * (len(lines) - 1))
