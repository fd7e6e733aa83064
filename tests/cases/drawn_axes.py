"""Matplotlib without windows, and what axes show."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
import pytest


@pytest.fixture
def _no_windows() -> Iterator[None]:
    """Draws without a screen, leaves no figure open, and sees that global settings stay as they are."""
    mpl.use("agg")
    from matplotlib import pyplot as plt

    before = dict(mpl.rcParams)
    yield
    plt.close("all")
    assert dict(mpl.rcParams) == before


def legend_texts(axes: Any) -> list[str]:
    """Entries of the legend of axes, on one line each."""
    return [text.get_text().replace("\n", " ") for text in axes.get_legend().get_texts()]


def assert_inside(figure: Any, *artists: Any) -> None:
    """Nothing of the artists is cut off at the border of the figure."""
    figure.canvas.draw()
    for artist in artists:
        box = artist.get_window_extent()
        assert box.x0 >= -2, artist
        assert box.y0 >= -2, artist
        assert box.x1 <= figure.bbox.width + 2, artist
        assert box.y1 <= figure.bbox.height + 2, artist
