"""F1 of every emotion, with intervals over dialogues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from iemomecp_dataset.benchmark.board import Board
from iemomecp_dataset.benchmark.board_rows import BoardRow
from iemomecp_dataset.benchmark.figures.style import legend_above
from iemomecp_dataset.benchmark.report.headline import WEIGHTED_F1
from iemomecp_dataset.benchmark.report.svg import (
    INK,
    STRUCTURAL_MARK,
    Picture,
    page_figure,
    series_style,
    svg_picture,
)
from iemomecp_dataset.metrics.significance.bootstrap import Interval

__all__ = ["class_bars_picture"]

_MAX_SYSTEMS = 4
_GROUP = 0.8
"""Share of the room of an emotion that its bars take."""


def class_bars_picture(
    board: Board, split: str, intervals: Mapping[str, Mapping[str, Interval]] | None = None
) -> Picture | None:
    """Draws F1 by emotion of the best systems, and of the best structural baseline.

    Args:
        board: Comparable runs that recognise emotions.
        split: The split.
        intervals: By system and score, ``<class>_f1`` among them; None for none.

    Returns:
        The picture, lying bars for narrow windows included; None without a trained system.
    """
    rows = list(board.trained[: -_MAX_SYSTEMS - 1 : -1])
    if not rows:
        return None
    bar = max(board.structural, key=lambda row: WEIGHTED_F1.of(row, split), default=None)
    title = f"F1 by emotion, {split}"
    caption = "Bars: mean over seeds. " + (
        "Lines: 95 % intervals over dialogues (bootstrap). " if intervals else "Intervals were not computed. "
    )
    if bar is not None:
        caption += f"Diamonds: the best structural baseline, {bar.name}. "
    if len(board.trained) > _MAX_SYSTEMS:
        caption += f"Shown are the {_MAX_SYSTEMS} systems with the best weighted F1, of {len(board.trained)}. "
    caption += f"The number of gold utterances is below each emotion. {board.labels.sentence}"
    pictures = []
    for upright in (True, False):
        size = (11.0, 3.6) if upright else (4.2, 1.0 + len(board.key.class_names) * (0.2 + 0.17 * len(rows)))
        with page_figure(*size) as figure:
            axes = figure.subplots()
            _bars(axes, board, split, rows, bar, intervals or {}, upright)
            legend_above(figure, axes, columns=4 if upright else 1, side="left")
            pictures.append(svg_picture(figure, title, caption.strip()))
    wide, narrow = pictures
    return replace(wide, narrow_svg=narrow.svg)


def _bars(
    axes: Any,
    board: Board,
    split: str,
    rows: Sequence[BoardRow],
    bar: BoardRow | None,
    intervals: Mapping[str, Mapping[str, Interval]],
    upright: bool,
) -> None:
    names = board.key.class_names
    thickness = _GROUP / len(rows)
    for number, row in enumerate(rows):
        style = series_style(board.trained.index(row))
        means = [_percent_of(row, split, f"{name}_f1") for name in names]
        places = [place - _GROUP / 2 + (number + 0.5) * thickness for place in range(len(names))]
        draw = axes.bar if upright else axes.barh
        draw(places, means, 0.86 * thickness, color=style["color"], alpha=0.8, label=board.labels.keyed(row.name))
        for place, name in zip(places, names, strict=True):
            interval = intervals.get(row.name, {}).get(f"{name}_f1")
            if interval is not None:
                ends, here = [100 * interval.low, 100 * interval.high], [place, place]
                axes.plot(*((here, ends) if upright else (ends, here)), color=INK, linewidth=1.1)
    if bar is not None:
        values, groups = [_percent_of(bar, split, f"{name}_f1") for name in names], range(len(names))
        axes.plot(*((groups, values) if upright else (values, groups)), **STRUCTURAL_MARK, label=bar.name, zorder=3)
    labels = [f"{name}\n{_support(board, split, name)}" for name in names]
    if upright:
        axes.set_xticks(range(len(names)), labels)
        axes.set_ylabel("F1, %")
        axes.set_ylim(bottom=0)
    else:
        axes.set_yticks(range(len(names)), labels)
        axes.set_xlabel("F1, %")
        axes.set_xlim(left=0)
        axes.invert_yaxis()
    axes.tick_params(axis="x" if upright else "y", length=0, pad=8)
    axes.grid(axis="x" if upright else "y", visible=False)


def _percent_of(row: BoardRow, split: str, key: str) -> float:
    score = row.score(split, key)
    return float("nan") if score is None else 100 * score.mean


def _support(board: Board, split: str, name: str) -> str:
    score = next((score for row in board.rows if (score := row.score(split, f"{name}_support")) is not None), None)
    return "" if score is None else f"{score.mean:,.0f}"
