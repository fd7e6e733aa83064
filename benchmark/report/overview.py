"""Pair F1 of every system on one line each: how far apart systems are, beside how far apart seeds are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from iemomecp_dataset.benchmark.baselines.structural import DISTANCE_ONLY
from iemomecp_dataset.benchmark.board import Board, BoardRow
from iemomecp_dataset.benchmark.report.svg import (
    GRID,
    INK,
    MUTED,
    STRUCTURAL,
    STRUCTURAL_MARK,
    Picture,
    new_figure,
    picture,
    series,
)

__all__ = ["overview_picture"]


def overview_picture(board: Board, split: str) -> Picture:
    """Draws Pair F1 of all rows, the best one on top; once more for narrow windows, names above their lines.

    Args:
        board: Comparable runs.
        split: The split.

    Returns:
        The picture.
    """
    rows = [row for row in board.rows if row.score(split, "pair_f1") is not None]
    rows.sort(key=lambda row: -_mean(row, split))
    title = f"Pair F1 on {split}"
    caption = (
        "Diamonds are structural baselines; the dashed line is the distance-only one. For trained systems a point "
        "is a seed, the bar across is the mean, and the band is one standard deviation (ddof 1) either way."
    )
    with new_figure(11.0, 0.9 + 0.34 * len(rows)) as figure:
        axes = figure.subplots()
        _lines(axes, board, rows, split)
        axes.set_yticks(range(len(rows)), [row.name for row in rows])
        for label, row in zip(axes.get_yticklabels(), rows, strict=True):
            label.set_color(MUTED if row.kind == "structural" else INK)
            label.set_fontweight("normal" if row.kind == "structural" else "bold")
        axes.tick_params(axis="y", pad=10)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        wide = picture(figure, title, caption)
    with new_figure(4.2, 0.9 + 0.5 * len(rows)) as figure:
        axes = figure.subplots()
        _lines(axes, board, rows, split)
        axes.set_yticks([])
        for place, row in enumerate(rows):
            axes.text(0, place - 0.36, row.name, transform=axes.get_yaxis_transform(), va="center", fontsize=9,
                      color=MUTED if row.kind == "structural" else INK,
                      fontweight="normal" if row.kind == "structural" else "bold")  # fmt: skip
        axes.set_ylim(len(rows) - 0.5, -0.8)
        narrow = picture(figure, title, caption)
    return replace(wide, narrow_svg=narrow.svg)


def _mean(row: BoardRow, split: str) -> float:
    score = row.score(split, "pair_f1")
    return -1.0 if score is None or math.isnan(score.mean) else score.mean


def _lines(axes: Any, board: Board, rows: Sequence[BoardRow], split: str) -> None:
    for place, row in enumerate(rows):
        score = row.score(split, "pair_f1")
        assert score is not None
        mean, values = 100 * score.mean, [100 * value for value in score.values]
        if row.kind == "structural":
            axes.plot(values, [place], **STRUCTURAL_MARK)
        else:
            style = series(board.trained.index(row))
            if not math.isnan(score.sd):
                band = [mean - 100 * score.sd, mean + 100 * score.sd]
                axes.plot(band, [place, place], color=style["color"], linewidth=6, alpha=0.25)
            axes.plot(values, [place] * len(values), linestyle="none", marker=style["marker"], markersize=5,
                      color=style["color"], alpha=0.75, markeredgewidth=0)  # fmt: skip
            axes.plot([mean, mean], [place - 0.3, place + 0.3], color=style["color"], linewidth=2.4)
        # All at the right end, so that no mark or line runs through them.
        axes.annotate(f"{mean:.1f}", (1, place), xycoords=axes.get_yaxis_transform(), xytext=(4, 0), ha="left",
                      textcoords="offset points", va="center", fontsize=9,
                      color=MUTED if row.kind == "structural" else INK)  # fmt: skip
    baseline = board.baseline(DISTANCE_ONLY)
    bar = None if baseline is None else baseline.score(split, "pair_f1")
    if bar is not None:
        axes.axvline(100 * bar.mean, color=STRUCTURAL, linewidth=1.2, linestyle=(0, (4, 3)), zorder=0)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    axes.spines["left"].set_visible(False)
    axes.margins(x=0.05)
    axes.set_xlim(left=0)
    axes.set_xlabel(f"Pair F1 on {split}, %")
    axes.tick_params(color=GRID)
