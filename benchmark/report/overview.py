"""The headline score of every system, one line each, with the spread over seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from iemomecp_dataset.benchmark.board import Board
from iemomecp_dataset.benchmark.board_rows import BoardRow
from iemomecp_dataset.benchmark.report.headline import PAIR_F1, Headline
from iemomecp_dataset.benchmark.report.svg import (
    GRID,
    INK,
    MUTED,
    STRUCTURAL,
    STRUCTURAL_MARK,
    Picture,
    page_figure,
    series_style,
    svg_picture,
)

__all__ = ["overview_picture"]


def overview_picture(board: Board, split: str, headline: Headline = PAIR_F1) -> Picture:
    """Draws the headline score of all rows, best on top; a second layout, names above the lines, is for narrow windows.

    Args:
        board: Comparable runs.
        split: The split.
        headline: The score.

    Returns:
        The picture.
    """
    rows = [row for row in board.rows if row.score(split, headline.key) is not None]
    rows.sort(key=lambda row: -headline.of(row, split))
    title = f"{headline.name} on {split}"
    caption = (
        f"Diamonds: structural baselines; dashed line: {headline.baseline_name}. Trained systems: one point per seed, "
        "a vertical bar at the mean, and a band of one standard deviation (ddof 1) on either side."
    )
    labels = [board.labels.keyed(row.name, 44) for row in rows]
    lines = max((label.count("\n") + 1 for label in labels), default=1)
    with page_figure(11.0, 0.9 + (0.34 + 0.1 * (lines - 1)) * len(rows)) as figure:
        axes = figure.subplots()
        _lines(axes, board, rows, split, headline)
        axes.set_yticks(range(len(rows)), labels)
        for label, row in zip(axes.get_yticklabels(), rows, strict=True):
            label.set_color(MUTED if row.kind == "structural" else INK)
            label.set_fontweight("normal" if row.kind == "structural" else "bold")
        axes.tick_params(axis="y", pad=10)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        wide = svg_picture(figure, title, caption)
    step = 0.5 + 0.15 * (lines - 1)
    with page_figure(4.2, 0.9 + step * len(rows)) as figure:
        axes = figure.subplots()
        _lines(axes, board, rows, split, headline)
        axes.set_yticks([])
        for place, (row, label) in enumerate(zip(rows, labels, strict=True)):
            axes.text(0, place - 0.13 / step, label, transform=axes.get_yaxis_transform(), va="bottom", fontsize=9,
                      color=MUTED if row.kind == "structural" else INK,
                      fontweight="normal" if row.kind == "structural" else "bold")  # fmt: skip
        axes.set_ylim(len(rows) - 0.5, -0.5 - 0.15 * lines / step)
        narrow = svg_picture(figure, title, caption)
    return replace(wide, narrow_svg=narrow.svg)


def _lines(axes: Any, board: Board, rows: Sequence[BoardRow], split: str, headline: Headline) -> None:
    for place, row in enumerate(rows):
        score = row.score(split, headline.key)
        assert score is not None
        scale = headline.scale
        mean, values = scale * score.mean, [scale * value for value in score.values]
        if row.kind == "structural":
            axes.plot(values, [place], **STRUCTURAL_MARK)
        else:
            style = series_style(board.trained.index(row))
            if not math.isnan(score.sd):
                band = [mean - scale * score.sd, mean + scale * score.sd]
                axes.plot(band, [place, place], color=style["color"], linewidth=6, alpha=0.25)
            axes.plot(values, [place] * len(values), linestyle="none", marker=style["marker"], markersize=5,
                      color=style["color"], alpha=0.75, markeredgewidth=0)  # fmt: skip
            axes.plot([mean, mean], [place - 0.3, place + 0.3], color=style["color"], linewidth=2.4)
        # At the right edge, where no marker or line overlaps the numbers.
        number = f"{mean:.1f}" if scale == 100.0 else f"{mean:.2f}"
        axes.annotate(number, (1, place), xycoords=axes.get_yaxis_transform(), xytext=(4, 0), ha="left",
                      textcoords="offset points", va="center", fontsize=9,
                      color=MUTED if row.kind == "structural" else INK)  # fmt: skip
    baseline = board.baseline(headline.baseline)
    bar = None if baseline is None else baseline.score(split, headline.key)
    if bar is not None:
        axes.axvline(headline.scale * bar.mean, color=STRUCTURAL, linewidth=1.2, linestyle=(0, (4, 3)), zorder=0)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    axes.spines["left"].set_visible(False)
    axes.margins(x=0.05)
    axes.set_xlim(left=0)
    axes.set_xlabel(f"{headline.name} on {split}{headline.unit}")
    axes.tick_params(color=GRID)
