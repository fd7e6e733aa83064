"""Pair F1 of every system on one line each: how far apart systems are, beside how far apart seeds are."""

from __future__ import annotations

import math

from iemomecp_dataset.benchmark.leaderboard import Board
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
    """Draws Pair F1 of all rows.

    Args:
        board: Comparable runs.
        split: The split.

    Returns:
        The picture.
    """
    rows = [row for row in board.rows if row.score(split, "pair_f1") is not None]
    with new_figure(11.0, 0.9 + 0.34 * len(rows)) as figure:
        axes = figure.subplots()
        for height, row in enumerate(reversed(rows)):
            score = row.score(split, "pair_f1")
            assert score is not None
            values = [100 * value for value in score.values]
            if row.kind == "structural":
                axes.plot(values, [height], **STRUCTURAL_MARK)
            else:
                style = series(board.trained.index(row))
                mean = 100 * score.mean
                if not math.isnan(score.sd):
                    band = [mean - 100 * score.sd, mean + 100 * score.sd]
                    axes.plot(band, [height, height], color=style["color"], linewidth=6, alpha=0.25)
                axes.plot(values, [height] * len(values), linestyle="none", marker=style["marker"], markersize=5,
                          color=style["color"], alpha=0.75, markeredgewidth=0)  # fmt: skip
                axes.plot([mean, mean], [height - 0.3, height + 0.3], color=style["color"], linewidth=2.4)
            axes.annotate(
                f"{100 * score.mean:.1f}",
                (max(*values, 100 * (score.mean + score.sd)) if len(values) > 1 else values[0], height),
                xytext=(9, 0),
                textcoords="offset points",
                va="center",
                fontsize=9,
                color=MUTED if row.kind == "structural" else INK,
            )
        bar = next((row.score(split, "pair_f1") for row in rows if row.name == "distance only"), None)
        if bar is not None:
            axes.axvline(100 * bar.mean, color=STRUCTURAL, linewidth=1.2, linestyle=(0, (4, 3)), zorder=0)
        axes.set_yticks(range(len(rows)), [row.name for row in reversed(rows)])
        for label, row in zip(axes.get_yticklabels(), reversed(rows), strict=True):
            label.set_color(MUTED if row.kind == "structural" else INK)
            label.set_fontweight("normal" if row.kind == "structural" else "bold")
        axes.tick_params(axis="y", length=0, pad=10)
        axes.grid(axis="y", visible=False)
        axes.spines["left"].set_visible(False)
        axes.set_ylim(-0.6, len(rows) - 0.4)
        axes.set_xlim(left=0)
        axes.margins(x=0.08)
        axes.set_xlabel(f"Pair F1 on {split}, %")
        axes.tick_params(color=GRID)
        return picture(
            figure,
            f"Pair F1 on {split}",
            "Diamonds are structural baselines; the dashed line is the distance-only one. For trained systems a point "
            "is a seed, the bar across is the mean, and the band is one standard deviation (ddof 1) either way.",
        )
