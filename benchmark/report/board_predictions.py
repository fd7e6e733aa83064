"""Reads the predictions behind a board's figures; that they give the recorded scores, the index of runs has checked."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from iemomecp_dataset.benchmark.board import Board
from iemomecp_dataset.benchmark.board_rows import BoardRow
from iemomecp_dataset.benchmark.comparison import same_items, same_utterances
from iemomecp_dataset.benchmark.report.svg import series_style
from iemomecp_dataset.benchmark.runs.index import Run
from iemomecp_dataset.errors import IemomecpError
from iemomecp_dataset.metrics.evaluation.emotions.predictions import EmotionPredictions, read_emotion_predictions
from iemomecp_dataset.metrics.evaluation.explanations.predictions import (
    ExplanationPredictions,
    read_explanation_predictions,
)
from iemomecp_dataset.metrics.evaluation.predictions import Predictions, read_predictions

__all__ = ["collect_emotion_predictions", "collect_explanation_predictions", "collect_predictions", "predicted_systems"]

_logger = logging.getLogger(__name__)

Found = TypeVar("Found", Predictions, EmotionPredictions, ExplanationPredictions)


def collect_predictions(board: Board, split: str, notes: list[str]) -> dict[str, Predictions]:
    """Reads the predictions of all runs, leaving out files that are unreadable or cover other pairs.

    Args:
        board: Comparable runs.
        split: The split.
        notes: Extended by one sentence for each run that is left out; it is logged, too.

    Returns:
        Predictions by run name, all on the same pairs in the same order.
    """
    return _collect(board, split, notes, read_predictions, lambda a, b: a.pairs.same_pairs(b.pairs), "pairs")


def collect_emotion_predictions(board: Board, split: str, notes: list[str]) -> dict[str, EmotionPredictions]:
    """Does the same for runs that recognise emotions.

    Args:
        board: Comparable runs.
        split: The split.
        notes: As in :func:`collect_predictions`.

    Returns:
        Predictions by run name, all on the same utterances in the same order.
    """
    return _collect(board, split, notes, read_emotion_predictions, same_utterances, "utterances")


def collect_explanation_predictions(board: Board, split: str, notes: list[str]) -> dict[str, ExplanationPredictions]:
    """Does the same for runs that explain emotions.

    Args:
        board: Comparable runs.
        split: The split.
        notes: As in :func:`collect_predictions`.

    Returns:
        Predictions by run name, all of the same items in the same order.
    """
    return _collect(board, split, notes, read_explanation_predictions, same_items, "items")


def _collect(
    board: Board,
    split: str,
    notes: list[str],
    read: Callable[[Path], Found],
    same: Callable[[Found, Found], bool],
    items: str,
) -> dict[str, Found]:
    found: dict[str, Found] = {}
    first: Found | None = None

    def leave_out(run: Run, reason: str) -> None:
        notes.append(f"The figures leave out {run.results.run_name}: {reason}")
        _logger.warning("%s", notes[-1])

    for run in board.runs:
        if split not in run.results.metrics:
            leave_out(run, f"its results.json has no scores on {split}.")
            continue
        try:
            of_run = read(run.predictions_path(split))
        except IemomecpError as error:
            leave_out(run, str(error))
            continue
        if of_run.class_names != run.results.class_names:
            leave_out(run, f"its predictions on {split} are of the classes {', '.join(of_run.class_names)}.")
            continue
        if first is not None and not same(first, of_run):
            leave_out(
                run,
                f"its {len(of_run):,} predictions do not cover the same "
                f"{items} as the {len(first):,} of {next(iter(found))}. Repeat one of the two runs.",
            )
            continue
        first = first or of_run
        found[run.results.run_name] = of_run
    return found


def predicted_systems(
    board: Board, predictions: Mapping[str, Found]
) -> list[tuple[BoardRow, list[Found], dict[str, Any]]]:
    """Selects the trained systems of a board that have predictions.

    Args:
        board: Comparable runs.
        predictions: By run name.

    Returns:
        For each system its row, the predictions of its seeds, and its plot style, which is the same in every figure
        of the board.
    """
    found = [
        (row, [predictions[run.results.run_name] for run in row.runs if run.results.run_name in predictions], number)
        for number, row in enumerate(board.trained)
    ]
    return [(row, runs, series_style(number)) for row, runs, number in found if runs]
