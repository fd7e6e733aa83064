"""Pair F1 within each turn distance, against the best score that a rule of distance alone can reach."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.benchmark.baselines.structural import DISTANCE_BUCKETS, distance_buckets
from iemomecp_dataset.benchmark.board import Board
from iemomecp_dataset.benchmark.figures.style import legend_above
from iemomecp_dataset.benchmark.report.board_predictions import predicted_systems
from iemomecp_dataset.benchmark.report.svg import MUTED, STRUCTURAL, Picture, page_figure, svg_picture
from iemomecp_dataset.metrics.evaluation.predictions import Predictions
from iemomecp_dataset.metrics.scoring import precision_recall_f1

__all__ = ["best_distance_f1", "distance_profile_picture", "f1_by_distance"]


def f1_by_distance(
    distances: NDArray[np.int64], gold: NDArray[np.bool_], predicted: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Computes Pair F1 among the candidates of each distance bucket.

    Args:
        distances: ``(n,)`` signed distances ``target - cause``, in turns.
        gold: ``(n,)`` bool, whether a candidate is a gold pair.
        predicted: ``(n,)`` bool, whether it is predicted as a pair.

    Returns:
        ``(8,)`` floats in the order of :data:`DISTANCE_BUCKETS`; NaN in a bucket without gold pairs.

    Example:
        >>> gold, predicted = np.array([True, True, False]), np.array([True, False, False])
        >>> f1_by_distance(np.array([0, 0, 1]), gold, predicted)[:3].round(2)
        array([ nan, 0.67,  nan])
    """
    buckets = distance_buckets(distances)
    both, of_gold, of_predicted = (
        np.bincount(buckets[keep], minlength=len(DISTANCE_BUCKETS)) for keep in (gold & predicted, gold, predicted)
    )
    _, _, f1 = precision_recall_f1(both, of_predicted, of_gold)
    return np.where(of_gold > 0, f1, np.nan)


def best_distance_f1(distances: NDArray[np.int64], gold: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Computes the best F1 of a rule of distance alone in each bucket: predict every candidate as a pair.

    With a share r of gold pairs in the bucket this is ``2 r / (1 + r)``.

    Args:
        distances: As in :func:`f1_by_distance`.
        gold: As in :func:`f1_by_distance`.

    Returns:
        ``(8,)`` floats as in :func:`f1_by_distance`.
    """
    return f1_by_distance(distances, gold, np.ones_like(gold))


def distance_profile_picture(board: Board, split: str, predictions: Mapping[str, Predictions]) -> Picture:
    """Draws Pair F1 by distance for every system that has predictions.

    Args:
        board: Comparable runs.
        split: The split.
        predictions: By run name, at least one, all on the same pairs.
    """
    first = next(iter(predictions.values()))
    gold = first.labels == 0
    buckets = distance_buckets(first.distances)
    n_gold = np.bincount(buckets[gold], minlength=len(DISTANCE_BUCKETS))
    shown = np.flatnonzero(n_gold)
    where = np.arange(len(shown))
    with page_figure(6.4, 5.2) as figure:
        axes = figure.subplots()
        axes.bar(where, 100 * best_distance_f1(first.distances, gold)[shown], width=0.78, color=STRUCTURAL, alpha=0.22,
                 label="every candidate at that distance as a pair", linewidth=0)  # fmt: skip
        systems = predicted_systems(board, predictions)
        for number, (row, runs, style) in enumerate(systems):
            profiles = 100 * np.array([f1_by_distance(run.distances, gold, run.decided == 0)[shown] for run in runs])
            shift = 0.12 * (number - (len(systems) - 1) / 2)
            axes.plot(where + shift, profiles.mean(axis=0), label=row.name, markersize=6, linewidth=1.5,
                      color=style["color"], marker=style["marker"], linestyle=style["linestyle"])  # fmt: skip
            axes.vlines(where + shift, profiles.min(axis=0), profiles.max(axis=0), color=style["color"], linewidth=1.2)
        axes.set_xticks(where, [f"{DISTANCE_BUCKETS[i]}\n{n_gold[i]:,}" for i in shown])
        axes.tick_params(axis="x", length=0)
        axes.grid(axis="x", visible=False)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("turns from cause to target, with the number of gold pairs", color=MUTED)
        axes.set_ylabel("Pair F1 at that distance, %")
        legend_above(figure, axes, side="left")
        return svg_picture(
            figure,
            f"Pair F1 by turn distance on {split}",
            "Markers: mean over seeds, with the range over seeds. Bars: F1 of predicting every candidate at that "
            "distance as a pair, the best that turns alone can reach there: an upper bound, and not the row distance "
            "only. Whatever a system scores above the bar does not come from distance.",
        )
