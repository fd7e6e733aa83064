"""Pages without what takes long and most tests do not look at: resampling and the inside of the drawings."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any
from unittest import mock

from iemomecp_dataset.benchmark.report import render_report

__all__ = ["render_quickly", "undrawn"]


def _empty_drawing(figure: Any, file: Any, **options: Any) -> None:
    file.write('<svg width="1pt" height="1pt" viewBox="0 0 1 1" version="1.1"></svg>')


def undrawn(function: Callable[..., Any]) -> Callable[..., Any]:
    """Gives the function with figures that are made, named and placed as ever, and then saved as empty drawings.

    Saving takes two thirds of the time of a page. What is in the drawings is tested where they are not replaced.
    """

    @functools.wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        with mock.patch("matplotlib.figure.Figure.savefig", _empty_drawing):
            return function(*arguments, **options)

    return call


render_quickly = undrawn(functools.partial(render_report, n_resamples=0))
"""``render_report`` without resampling and with empty drawings."""
