"""Training loss and validation scores by epoch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from iemomecp_dataset.benchmark.board import Board
from iemomecp_dataset.benchmark.board_rows import BoardRow
from iemomecp_dataset.benchmark.figures.style import legend_above
from iemomecp_dataset.benchmark.report.headline import PAIR_F1, Headline
from iemomecp_dataset.benchmark.report.svg import (
    NARROW,
    STRUCTURAL,
    Picture,
    page_figure,
    series_style,
    svg_picture,
    with_narrow_layout,
)
from iemomecp_dataset.benchmark.runs.index import Run
from iemomecp_dataset.benchmark.runs.log import Epoch, read_epochs

__all__ = ["learning_curves_picture"]


@dataclass(frozen=True)
class _Panel:
    """One quantity over epochs: its title, its name among the validation scores (empty: training loss), its scale."""

    title: str
    key: str = ""
    scale: float = 1

    def value(self, epoch: Epoch) -> float:
        return self.scale * (epoch.validation.get(self.key, math.nan) if self.key else epoch.train_loss)


_Log = tuple[int, BoardRow, Run, list[Epoch]]
"""Place of a system on the board, its row, a run and the epochs of its log."""

_LOSS = _Panel("Training loss")
_PANELS = {
    "pair_f1": (
        _LOSS,
        _Panel("Validation Pair F1, %", "pair_f1", 100),
        _Panel("Validation AUPRC, %", "pair_auprc", 100),
    ),
    "weighted_f1": (
        _LOSS,
        _Panel("Validation loss", "loss"),
        _Panel("Validation weighted F1, %", "weighted_f1", 100),
    ),
    "content_cider": (_LOSS, _Panel("Validation loss per token", "token_loss")),
}
"""By headline score; of emotions, the training also watches the loss on validation; texts are written at its end."""


def learning_curves_picture(board: Board, headline: Headline = PAIR_F1) -> Picture | None:
    """Draws the loss and the scores on validation against epochs.

    Args:
        board: Comparable runs.
        headline: The score of the task.

    Returns:
        The picture, or None if no run has a log with epochs.
    """
    of_runs = [(number, row, run) for number, row in enumerate(board.trained) for run in row.runs]
    logs = [(*of_run, epochs) for of_run in of_runs if (epochs := read_epochs(of_run[2].log_path))]
    if not logs:
        return None
    panels = [
        panel
        for panel in _PANELS[headline.key]
        if any(not math.isnan(panel.value(epoch)) for *_, epochs in logs for epoch in epochs)
    ]
    caption = f"One line per run. Markers: the epoch whose model was kept; dashed line: {headline.baseline_name}."

    def drawn(narrow: bool) -> Picture:
        size = (NARROW, 0.4 + 2.5 * len(panels)) if narrow else (11.0, 3.2)
        with page_figure(*size) as figure:
            grid = figure.subplots(*((len(panels), 1) if narrow else (1, len(panels))), squeeze=False)
            for axes, panel in zip(grid.flat, panels, strict=True):
                _lines(axes, board, panel, logs, headline)
            legend_above(figure, grid.flat[0], columns=4, side="left", reverse=True)
            return svg_picture(figure, "Learning curves", f"{caption} {board.labels.sentence}".strip())

    return with_narrow_layout(drawn)


def _lines(axes: Any, board: Board, panel: _Panel, logs: Sequence[_Log], headline: Headline) -> None:
    """Draws one quantity of all runs; the runs of a system share one entry of the legend."""
    labeled: set[int] = set()
    for number, row, run, epochs in logs:
        style = series_style(number)
        numbers = [epoch.number for epoch in epochs]
        values = [panel.value(epoch) for epoch in epochs]
        axes.plot(numbers, values, color=style["color"], linestyle=style["linestyle"], linewidth=1.5, alpha=0.8,
                  label=None if number in labeled else board.labels.keyed(row.name))  # fmt: skip
        labeled.add(number)
        kept = [i for i, n in enumerate(numbers) if n == run.results.best_epoch]
        if kept and panel.key:
            axes.plot(numbers[kept[0]], values[kept[0]], marker=style["marker"], color=style["color"], markersize=6,
                      linestyle="none", markeredgewidth=0)  # fmt: skip
    baseline = board.baseline(headline.baseline)
    bar = None if baseline is None else baseline.score("validation", panel.key)
    if panel.key and bar is not None and not math.isnan(bar.mean):
        axes.axhline(100 * bar.mean, color=STRUCTURAL, linewidth=1.2, linestyle=(0, (4, 3)), zorder=0)
    axes.set_title(panel.title)
    axes.set_xlabel("epoch")
    axes.xaxis.get_major_locator().set_params(integer=True)
