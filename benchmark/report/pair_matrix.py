"""One dialogue as a matrix of pairs: gold roles beside the predictions of each system."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.benchmark.report.svg import (
    INK,
    MUTED,
    NARROW,
    SERIES,
    Picture,
    page_figure,
    svg_picture,
    with_narrow_layout,
)
from iemomecp_dataset.metrics.evaluation.predictions import Predictions
from iemomecp_dataset.pictures.axes_look import fitted_legend, wrapped
from iemomecp_dataset.pictures.pair_squares import DARKEST, draw_context_bar, draw_frame, draw_squares

__all__ = ["choose_dialogue", "pair_matrix_picture"]

_LETTERS = 9.5
"""Letters of a title on an inch."""

_MODERATE = (6, 16)
"""Smallest and largest number of turns of a dialogue whose matrix is both informative and legible."""


def choose_dialogue(predictions: Predictions) -> str:
    """Chooses the dialogue to show: the one with the most gold pairs among those of moderate length.

    Args:
        predictions: Predictions with at least one pair.

    Returns:
        Its id. Ties go to the first id; if no dialogue has moderate length, all dialogues are considered.
    """
    names, inverse = np.unique(predictions.dialogue_ids, return_inverse=True)
    lengths = np.zeros(len(names), dtype=np.int64)
    np.maximum.at(lengths, inverse, np.maximum(predictions.target_turns, predictions.cause_turns))
    gold = np.bincount(inverse, weights=predictions.labels == 0, minlength=len(names))
    moderate = (lengths >= _MODERATE[0]) & (lengths <= _MODERATE[1])
    if moderate.any():
        gold = np.where(moderate, gold, -1)
    return str(names[int(np.argmax(gold))])


def pair_matrix_picture(dialogue_id: str, systems: Sequence[tuple[str, Predictions]], left_out: str = "") -> Picture:
    """Draws the gold matrix and one matrix per system; for narrow windows, two beside each other.

    Args:
        dialogue_id: The dialogue.
        systems: Names and predictions, at least one, all on the same pairs.
        left_out: A sentence on systems that are not among these; may be empty.
    """
    first = systems[0][1]
    here = first.dialogue_ids == dialogue_id
    n = int(max(first.target_turns[here].max(), first.cause_turns[here].max()))
    class_names = first.class_names
    caption = (
        "Rows are target turns, columns candidate cause turns; self pairs are on the diagonal. In a system's "
        f"matrix the shade is P({class_names[0]}); a ring marks a correctly predicted pair, a cross a false alarm, "
        "and a hollow square a missed gold pair. "
        + ("A bar marks context. " if len(class_names) > 2 else "")
        + "Shown is the dialogue with the most gold pairs among those of moderate length "
        f"({_MODERATE[0]} to {_MODERATE[1]} turns). {left_out}"
    )

    def drawn(narrow: bool) -> Picture:
        columns = 2 if narrow else 1 + len(systems)
        rows = -(-(1 + len(systems)) // columns)
        width = NARROW if narrow else 2.85 * columns + 0.4
        titles = wrapped([name for name, _ in systems], int(_LETTERS * width / columns) - 3)
        of_titles = 0.17 * max(title.count("\n") for title in titles)
        size = (width, rows * (2.45 + of_titles) + 0.8) if narrow else (width, 4.1 + of_titles)
        with page_figure(*size) as figure:
            grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
            for axes in grid.flat[1 + len(systems) :]:
                axes.set_visible(False)
            shown = grid.flat[: 1 + len(systems)]
            for axes in shown:
                _frame(axes, n, first.target_turns[here], first.cause_turns[here], few_ticks=narrow)
            for of_row in grid:
                of_row[0].set_ylabel("target turn (emotion)" if not narrow else "target turn")
            shown[0].set_title("Gold")
            _roles(shown[0], first.target_turns[here], first.cause_turns[here], first.labels[here], class_names)
            for axes, title, (_, predictions) in zip(shown[1:], titles, systems, strict=True):
                axes.set_title(title)
                _predicted(axes, predictions, dialogue_id)
            _key(figure, class_names)
            return svg_picture(figure, f"Gold and predicted pairs of dialogue {dialogue_id}", caption.strip())

    return with_narrow_layout(drawn)


def _frame(
    axes: Any, n: int, targets: NDArray[np.int64], causes: NDArray[np.int64], *, few_ticks: bool = False
) -> None:
    """Sets up axes with a light square for every candidate pair; other pairs stay empty."""
    draw_frame(axes, n)
    draw_squares(axes, targets, causes)
    most = 8 if few_ticks else 16
    step = next((step for step in (1, 2, 5, 10) if n <= step * most), 20)
    ticks = [turn for turn in range(1, n + 1) if (turn - 1) % step == 0]
    axes.set_xticks(ticks)
    axes.set_yticks(ticks)
    axes.set_xlabel("cause turn")


def _roles(
    axes: Any,
    targets: NDArray[np.int64],
    causes: NDArray[np.int64],
    labels: NDArray[np.int64],
    class_names: Sequence[str],
) -> None:
    draw_squares(axes, targets[labels == 0], causes[labels == 0], "series-0", 1.0)
    context = (labels > 0) & (labels < len(class_names) - 1)
    for target, cause in zip(targets[context], causes[context], strict=True):
        draw_context_bar(axes, target, cause)


def _predicted(axes: Any, predictions: Predictions, dialogue_id: str) -> None:
    from matplotlib.patches import Rectangle

    here = predictions.dialogue_ids == dialogue_id
    decided = predictions.decided[here]
    last = len(predictions.class_names) - 1
    targets, causes = predictions.target_turns[here], predictions.cause_turns[here]
    draw_squares(axes, targets, causes, "series-0", DARKEST * predictions.probabilities[here, 0])
    for target, cause, gold, answer in zip(targets, causes, predictions.labels[here], decided, strict=True):
        if answer == 0:
            marker = "o" if gold == 0 else "x"
            axes.plot(cause, target, marker, color=INK, fillstyle="none", markersize=6, markeredgewidth=1.5)
        elif gold == 0:
            axes.add_patch(
                Rectangle((cause - 0.4, target - 0.4), 0.8, 0.8, fill=False, edgecolor=SERIES[1], linewidth=1.8)
            )
        if 0 < answer < last:
            draw_context_bar(axes, target, cause)


def _key(figure: Any, class_names: Sequence[str]) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    def mark(marker: str, color: str, label: str) -> Line2D:
        return Line2D(
            [], [], marker=marker, color=color, fillstyle="none", linestyle="none", markeredgewidth=1.6, label=label
        )

    entries: list[Any] = [Patch(facecolor=SERIES[0], linewidth=0, label=f"{class_names[0]} (shade: P)")]
    if len(class_names) > 2:
        entries.append(Patch(facecolor=SERIES[4], linewidth=0, label=class_names[1]))
    entries += [
        mark("o", INK, "found"),
        mark("x", INK, "false alarm"),
        mark("s", SERIES[1], "missed"),
    ]

    def make(columns: int) -> Any:
        return figure.legend(handles=entries, loc="outside lower left", ncols=columns, labelcolor=MUTED,
                             handlelength=1.2)  # fmt: skip

    fitted_legend(make, figure.bbox.width, len(entries))
