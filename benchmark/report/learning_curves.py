"""Training loss and validation scores by epoch."""

from __future__ import annotations

import math
from collections.abc import Callable

from iemomecp_dataset.benchmark.baselines.structural import DISTANCE_ONLY
from iemomecp_dataset.benchmark.board import Board
from iemomecp_dataset.benchmark.figures.style import legend_above
from iemomecp_dataset.benchmark.report.svg import STRUCTURAL, Picture, page_figure, series_style, svg_picture
from iemomecp_dataset.benchmark.runs.log import Epoch, read_epochs

__all__ = ["learning_curves_picture"]

_PANELS: tuple[tuple[str, str, Callable[[Epoch], float], float], ...] = (
    ("Training loss", "", lambda epoch: epoch.train_loss, 1),
    ("Validation Pair F1, %", "pair_f1", lambda epoch: epoch.validation.get("pair_f1", math.nan), 100),
    ("Validation AUPRC, %", "pair_auprc", lambda epoch: epoch.validation.get("pair_auprc", math.nan), 100),
)


def learning_curves_picture(board: Board) -> Picture | None:
    """Draws loss, Pair F1 and AUPRC against epochs.

    Args:
        board: Comparable runs.

    Returns:
        The picture, or None if no run has a log with epochs.
    """
    of_runs = [(number, row, run) for number, row in enumerate(board.trained) for run in row.runs]
    logs = [(*of_run, epochs) for of_run in of_runs if (epochs := read_epochs(of_run[2].log_path))]
    if not logs:
        return None
    panels = [
        panel for panel in _PANELS if any(not math.isnan(panel[2](epoch)) for *_, epochs in logs for epoch in epochs)
    ]
    baseline = board.baseline(DISTANCE_ONLY)
    with page_figure(11.0, 3.2) as figure:
        all_axes = figure.subplots(1, len(panels), squeeze=False)[0]
        for axes, (title, key, value, scale) in zip(all_axes, panels, strict=True):
            labeled: set[int] = set()
            for number, row, run, epochs in logs:
                style = series_style(number)
                numbers = [epoch.number for epoch in epochs]
                values = [scale * value(epoch) for epoch in epochs]
                axes.plot(numbers, values, color=style["color"], linestyle=style["linestyle"], linewidth=1.5, alpha=0.8,
                          label=None if number in labeled else row.name)  # fmt: skip
                labeled.add(number)
                kept = [i for i, n in enumerate(numbers) if n == run.results.best_epoch]
                if kept and key:
                    axes.plot(numbers[kept[0]], values[kept[0]], marker=style["marker"], color=style["color"],
                              markersize=6, linestyle="none", markeredgewidth=0)  # fmt: skip
            bar = None if baseline is None else baseline.score("validation", key)
            if key and bar is not None and not math.isnan(bar.mean):
                axes.axhline(100 * bar.mean, color=STRUCTURAL, linewidth=1.2, linestyle=(0, (4, 3)), zorder=0)
            axes.set_title(title)
            axes.set_xlabel("epoch")
            axes.xaxis.get_major_locator().set_params(integer=True)
        legend_above(figure, all_axes[0], columns=4, side="left")
        return svg_picture(
            figure,
            "Learning curves",
            "One line per run. Markers: the epoch whose model was kept; dashed line: the distance-only baseline.",
        )
