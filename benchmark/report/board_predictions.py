"""Reads the predictions behind a board's figures and checks them against the recorded scores."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from iemomecp_dataset.benchmark.board import Board
from iemomecp_dataset.benchmark.board_rows import BoardRow
from iemomecp_dataset.benchmark.report.svg import series_style
from iemomecp_dataset.benchmark.results_table import percent
from iemomecp_dataset.benchmark.runs.index import Run
from iemomecp_dataset.errors import IemomecpError
from iemomecp_dataset.metrics.evaluation.predictions import Predictions, read_predictions
from iemomecp_dataset.metrics.scoring import precision_recall_f1

__all__ = ["collect_predictions", "predicted_systems"]

_logger = logging.getLogger(__name__)

_SAME_SCORE = 1e-6
"""Largest difference between recorded and recomputed Pair F1 that needs no note on the page."""


def collect_predictions(board: Board, split: str, notes: list[str]) -> dict[str, Predictions]:
    """Reads the predictions of all runs, leaving out files that are unreadable or cover other pairs.

    Args:
        board: Comparable runs.
        split: The split.
        notes: Extended by one sentence for each run that is left out or contradicts its recorded score; it is logged,
            too.

    Returns:
        Predictions by run name, all on the same pairs in the same order.
    """
    found: dict[str, Predictions] = {}
    first: Predictions | None = None

    def leave_out(run: Run, reason: str) -> None:
        notes.append(f"The figures leave out {run.results.run_name}: {reason}")
        _logger.warning("%s", notes[-1])

    for run in board.runs:
        if split not in run.results.metrics:
            leave_out(run, f"its results.json has no scores on {split}.")
            continue
        try:
            of_run = read_predictions(run.predictions_path(split))
        except IemomecpError as error:
            leave_out(run, str(error))
            continue
        if of_run.class_names != run.results.class_names:
            leave_out(run, f"its predictions on {split} are of the classes {', '.join(of_run.class_names)}.")
            continue
        if first is not None and not first.pairs.same_pairs(of_run.pairs):
            leave_out(
                run,
                f"its {len(of_run):,} predictions do not cover the same "
                f"pairs as the {len(first):,} of {next(iter(found))}. Repeat one of the two runs.",
            )
            continue
        scored = _pair_f1(of_run)
        recorded = float(run.results.metrics[split]["pair_f1"])
        if abs(scored - recorded) > _SAME_SCORE:
            notes.append(
                f"The predictions of {run.results.run_name} give Pair F1 {percent(scored)} on {split}, but its "
                f"results.json records {percent(recorded)}: one of the two files belongs to another run or was rounded."
            )
        first = first or of_run
        found[run.results.run_name] = of_run
    return found


def predicted_systems(
    board: Board, predictions: Mapping[str, Predictions]
) -> list[tuple[BoardRow, list[Predictions], dict[str, Any]]]:
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


def _pair_f1(predictions: Predictions) -> float:
    gold, predicted = predictions.labels == 0, predictions.decided == 0
    n_gold = int(gold.sum()) + predictions.missed_positives
    return precision_recall_f1(int((gold & predicted).sum()), int(predicted.sum()), n_gold)[2]
