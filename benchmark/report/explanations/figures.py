"""Figures of explanations: content against whole texts, and the distribution of scores over items."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from iemomecp_dataset.benchmark.baselines.explanation_rows import MEDOID
from iemomecp_dataset.benchmark.board import Board
from iemomecp_dataset.benchmark.figures.style import legend_above
from iemomecp_dataset.benchmark.report.board_predictions import predicted_systems
from iemomecp_dataset.benchmark.report.svg import (
    MUTED,
    NARROW,
    STRUCTURAL_MARK,
    Picture,
    page_figure,
    series_style,
    svg_picture,
    with_narrow_layout,
)
from iemomecp_dataset.metrics.evaluation.explanations.predictions import ExplanationPredictions
from iemomecp_dataset.metrics.explanations.scoring import scores_of_sums, text_statistics

__all__ = ["content_picture", "distribution_picture"]

_MAX_SYSTEMS = 6
_SIZES = {False: (5.4, 4.4), True: (NARROW, 3.8)}
_STEPS = np.linspace(0.0, 1.0, 101)


def content_picture(board: Board, split: str) -> Picture | None:
    """Draws CIDEr of whole texts against CIDEr of their content, one mark per row.

    Args:
        board: Comparable runs that explain emotions.
        split: The split.

    Returns:
        The picture; None where no row has both scores.
    """
    found = [(row, row.score(split, "cider"), row.score(split, "content_cider")) for row in board.rows]
    known = [(row, whole.mean, content.mean) for row, whole, content in found if whole and content]
    if not known:
        return None
    caption = (
        "Diamonds: structural rows. A row high up at the left, as the medoid is where references open alike, scores by "
        f"the opening alone. {board.labels.sentence}"
    )

    def drawn(narrow: bool) -> Picture:
        with page_figure(*_SIZES[narrow]) as figure:
            axes = figure.subplots()
            for row, whole, content in known:
                if row.kind == "structural":
                    axes.plot([content], [whole], **STRUCTURAL_MARK)
                else:
                    style = series_style(board.trained.index(row))
                    axes.plot([content], [whole], linestyle="none", marker=style["marker"], color=style["color"],
                              markersize=7, label=board.labels.keyed(row.name))  # fmt: skip
                if row.key == MEDOID:
                    axes.annotate("medoid", (content, whole), xytext=(7, 4), textcoords="offset points", fontsize=9,
                                  color=MUTED)  # fmt: skip
            axes.set_xlabel(f"content CIDEr on {split}")
            axes.set_ylabel(f"CIDEr of whole texts on {split}")
            axes.set_xlim(left=0)
            axes.set_ylim(bottom=0)
            axes.margins(x=0.2)
            legend_above(figure, axes, columns=2, side="left", reverse=True)
            return svg_picture(figure, f"Content against whole texts, {split}", caption.strip())

    return with_narrow_layout(drawn)


def distribution_picture(board: Board, split: str, predictions: Mapping[str, ExplanationPredictions]) -> Picture | None:
    """Draws which share of items reaches a content ROUGE-L, for the best systems.

    Args:
        board: Comparable runs that explain emotions.
        split: The split.
        predictions: By run name.

    Returns:
        The picture; None without predictions.
    """
    every = predicted_systems(board, predictions)
    systems = every[-_MAX_SYSTEMS:]
    if not systems:
        return None
    caption = (
        "Mean over seeds. A line that falls early and then runs flat is of a system that is right on few items and "
        "says something else on most."
    )
    if len(systems) < len(every):
        caption += f" Shown are the best {len(systems)} of {len(every)} systems."

    def drawn(narrow: bool) -> Picture:
        with page_figure(*_SIZES[narrow]) as figure:
            axes = figure.subplots()
            for row, runs, style in systems:
                reached = np.mean([_reached(one) for one in runs], axis=0)
                axes.plot(100 * _STEPS, 100 * reached, color=style["color"], linestyle=style["linestyle"],
                          label=board.labels.keyed(row.name))  # fmt: skip
            axes.set_xlabel("content ROUGE-L of an item, %")
            axes.set_ylabel("items that reach it, %")
            axes.set_xlim(0, 100)
            axes.set_ylim(0, 100)
            legend_above(figure, axes, columns=2, side="left", reverse=True)
            title = f"Distribution of scores over items, {split}"
            return svg_picture(figure, title, f"{caption} {board.labels.sentence}".strip())

    return with_narrow_layout(drawn)


def _reached(predictions: ExplanationPredictions) -> np.ndarray:
    items = text_statistics(predictions.predictions, predictions.references or ()).sums
    scores = scores_of_sums(items)["content_rouge_l"]
    return np.asarray((scores[:, None] >= _STEPS[None, :] - 1e-12).mean(axis=0))
