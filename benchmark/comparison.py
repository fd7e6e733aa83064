"""Tests whether the differences between the systems of a table are real: intervals and paired tests over dialogues."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from iemomecp_dataset.benchmark.baselines.structural import (
    DISTANCE_ONLY,
    SELF_AND_PREVIOUS,
    DistanceRule,
    distance_rules,
    recorded_distance_rule,
)
from iemomecp_dataset.benchmark.board import Board, parts_of_split
from iemomecp_dataset.benchmark.board_rows import BoardRow
from iemomecp_dataset.benchmark.runs.identity import seeds_of
from iemomecp_dataset.benchmark.runs.results import ERC, EXPLANATION, EXTERNAL, PAIRS
from iemomecp_dataset.errors import RunFolderError, UsageError
from iemomecp_dataset.metrics.evaluation.emotions.predictions import EmotionPredictions, read_emotion_predictions
from iemomecp_dataset.metrics.evaluation.explanations.predictions import (
    ExplanationPredictions,
    read_explanation_predictions,
)
from iemomecp_dataset.metrics.evaluation.predictions import Predictions, read_predictions
from iemomecp_dataset.metrics.scoring import mean_and_sd
from iemomecp_dataset.metrics.significance.bootstrap import Interval, Resamples, resample_systems
from iemomecp_dataset.metrics.significance.counts import UnitCounts, candidate_unit_counts
from iemomecp_dataset.metrics.significance.emotion_bootstrap import emotion_unit_counts
from iemomecp_dataset.metrics.significance.explanation_bootstrap import explanation_unit_counts
from iemomecp_dataset.metrics.significance.holm import holm
from iemomecp_dataset.schema import canonical_split

__all__ = [
    "EMOTION_METRICS",
    "EXPLANATION_METRICS",
    "METRICS",
    "Comparison",
    "Comparisons",
    "compare",
    "compare_emotions",
    "compare_explanations",
    "read_board_predictions",
    "same_items",
    "same_utterances",
]

METRICS = ("pair_f1", "pair_auprc")
"""The scores that are compared of systems that find pairs."""

EMOTION_METRICS = ("weighted_f1", "accuracy", "macro_f1")
"""Those of systems that recognise emotions."""

EXPLANATION_METRICS = ("content_cider", "cider", "bleu_4", "rouge_l")
"""Those of systems that explain emotions."""

_MOST_PAIRS = 15


@dataclass(frozen=True)
class Comparison:
    """One difference.

    Attributes:
        first: Name of a system.
        second: Name of another, or of the bar: ``distance only``, or ``self + previous`` where the records do not
            hold its decisions.
        metric: ``pair_f1`` or ``pair_auprc``; of emotions ``weighted_f1``, ``accuracy`` or ``macro_f1``; of
            explanations ``content_cider``, ``cider``, ``bleu_4`` or ``rouge_l``.
        difference: ``first - second`` with its interval and p-value.
        p_holm: The p-value corrected for all comparisons of this metric in the table.
        seeds: Seeds that both systems have.
        seed_error: Standard error of the mean difference over these seeds, paired by seed; NaN below two seeds.
        against_rule: Whether ``second`` is that bar.
    """

    first: str
    second: str
    metric: str
    difference: Interval
    p_holm: float
    seeds: int = 0
    seed_error: float = math.nan
    against_rule: bool = False


@dataclass(frozen=True)
class Comparisons:
    """Intervals and differences of the systems of a table on one split.

    Attributes:
        intervals: By system and metric.
        comparisons: Differences between systems, and of each to the bar.
        n_units: Source dialogues that were resampled.
        n_resamples: Resamples drawn.
        left_out: Systems that are in none of this: without predictions for all their runs, or upper bounds beside
            systems that are not (:func:`~iemomecp_dataset.benchmark.board.parts_of_split`).
    """

    intervals: Mapping[str, Mapping[str, Interval]]
    comparisons: tuple[Comparison, ...]
    n_units: int
    n_resamples: int
    left_out: tuple[str, ...]


def compare(
    board: Board,
    predictions: Mapping[str, Predictions] | None = None,
    *,
    split: str | None = None,
    n_resamples: int = 2000,
    seed: int = 0,
) -> Comparisons | None:
    """Compares the systems of a table on the same resamples of source dialogues; chunks of one stay together.

    The score of a system is the mean over its seeds. The intervals bound how far it would move with other dialogues of
    the same kind; they do not cover other seeds, which the standard deviation in the table is for.

    Args:
        board: Comparable runs, from :func:`~iemomecp_dataset.benchmark.board.leaderboard`.
        predictions: By run name, all on the same pairs of one split; by default those of the run folders.
        split: The split of the predictions; by default the board's first.
        n_resamples: Resamples.
        seed: Seed of the resampling.

    Returns:
        The comparisons, or None when there are no predictions or fewer than two dialogues to resample. Up to 15 pairs
        of systems, all pairs are compared; else each system with the Base of its kind, or with the best where there is
        none. A system with a run that has no predictions is left out, by name.

    Raises:
        UsageError: ``board`` is not a table of runs.
        RunFolderError: A predictions file cannot be read, or two are of different pairs.

    Example:
        >>> from iemomecp_dataset.benchmark import compare, leaderboard  # doctest: +SKIP
        >>> for one in compare(leaderboard("runs")[0]).comparisons:  # doctest: +SKIP
        ...     print(one.first, one.second, one.metric, one.difference.estimate, one.p_holm)
        RPCL TAV Base TAV pair_f1 0.0205 0.012
    """
    _check_board(board, PAIRS, "compare", "leaderboard")
    split = canonical_split(split or (board.splits[0] if board.splits else ""))
    if predictions is None:
        predictions = read_board_predictions(board, split)
    ranked = parts_of_split(board, split)[0].trained
    rows = [row for row in ranked if all(run.results.run_name in predictions for run in row.runs)]
    if not rows:
        return None
    first = predictions[rows[0].runs[0].results.run_name]
    n_units = len(np.unique(first.pairs.source_dialogue_ids))
    if n_units < 2:
        return None
    rule = _bar(board, split, first.class_names)
    counts = {row.name: [_run_counts(predictions[run.results.run_name], first) for run in row.runs] for row in rows}
    of_rule = _counts(rule.decide(first.distances), first)
    *resampled, rule_resampled = resample_systems([*counts.values(), of_rule], n_resamples=n_resamples, seed=seed)
    of_system = dict(zip(counts, resampled, strict=True))
    found = _differences(rows, counts, of_system, METRICS)
    for row in reversed(rows):
        difference = of_system[row.name].less(rule_resampled)["pair_f1"]
        found.append(Comparison(row.name, rule.display_name, "pair_f1", difference, math.nan, against_rule=True))
    return Comparisons(
        intervals={row.name: of_system[row.name].intervals() for row in rows},
        comparisons=_corrected(found),
        n_units=n_units,
        n_resamples=n_resamples,
        left_out=tuple(row.name for row in board.trained if row not in rows),
    )


def compare_emotions(
    board: Board,
    predictions: Mapping[str, EmotionPredictions] | None = None,
    *,
    split: str | None = None,
    n_resamples: int = 2000,
    seed: int = 0,
) -> Comparisons | None:
    """Does the same for systems that recognise emotions, on whole dialogues and utterances with a known emotion.

    Args:
        board: Comparable runs, from :func:`~iemomecp_dataset.benchmark.emotion_board.emotion_boards`.
        predictions: By run name, all on the same utterances of one split in one order; by default those of the run
            folders.
        split: As in :func:`compare`.
        n_resamples: As there.
        seed: As there.

    Returns:
        As :func:`compare`, with intervals of the scores in :data:`EMOTION_METRICS` and of the F1 of each emotion; the
        former are compared. There is no comparison with a structural row.

    Raises:
        UsageError: ``board`` is not a table of runs that recognise emotions.
        RunFolderError: A predictions file cannot be read, or two are of different utterances.
    """
    _check_board(board, ERC, "compare_emotions", "emotion_boards")
    split = canonical_split(split or (board.splits[0] if board.splits else ""))
    ranked = parts_of_split(board, split)[0].trained
    if predictions is None:
        paths = {run.results.run_name: run.predictions_path(split) for row in ranked for run in row.runs}
        predictions = {name: read_emotion_predictions(path) for name, path in paths.items() if path.is_file()}
    rows = [row for row in ranked if all(run.results.run_name in predictions for run in row.runs)]
    if not rows:
        return None
    first = predictions[rows[0].runs[0].results.run_name]
    gold = first.table.take(first.table.labelled)
    n_units = len(np.unique(gold.dialogue_ids))
    if n_units < 2:
        return None
    counts: dict[str, list[UnitCounts]] = {}
    for row in rows:
        of_row = [predictions[run.results.run_name] for run in row.runs]
        for one in of_row:
            if not same_utterances(one, first):
                raise RunFolderError(
                    f"{one.path} is not of the same utterances as {first.path}, so the two cannot be compared. Repeat "
                    "one of the two runs."
                )
        scored = [one.scored[first.table.labelled] for one in of_row]
        counts[row.name] = emotion_unit_counts(scored, gold.labels, gold.dialogue_ids, first.class_names)
    resampled = resample_systems(list(counts.values()), n_resamples=n_resamples, seed=seed)
    of_system = dict(zip(counts, resampled, strict=True))
    return Comparisons(
        intervals={row.name: of_system[row.name].intervals() for row in rows},
        comparisons=_corrected(_differences(rows, counts, of_system, EMOTION_METRICS)),
        n_units=n_units,
        n_resamples=n_resamples,
        left_out=tuple(row.name for row in board.trained if row not in rows),
    )


def compare_explanations(
    board: Board,
    predictions: Mapping[str, ExplanationPredictions] | None = None,
    *,
    split: str | None = None,
    n_resamples: int = 2000,
    seed: int = 0,
) -> Comparisons | None:
    """Does the same for systems that explain emotions; CIDEr's document frequencies are those of the whole split.

    Args:
        board: Comparable runs, from :func:`~iemomecp_dataset.benchmark.explanation_board.explanation_boards`.
        predictions: By run name, all of the same items of one split in one order; by default those of the run folders.
        split: As in :func:`compare`.
        n_resamples: As there.
        seed: As there.

    Returns:
        As :func:`compare`, with the scores in :data:`EXPLANATION_METRICS`. There is no comparison with a structural
        row, whose texts are in no file; their intervals are in the records.

    Raises:
        UsageError: ``board`` is not a table of runs that explain emotions.
        RunFolderError: A predictions file cannot be read, or two are of different items.
    """
    _check_board(board, EXPLANATION, "compare_explanations", "explanation_boards")
    split = canonical_split(split or (board.splits[0] if board.splits else ""))
    ranked = parts_of_split(board, split)[0].trained
    if predictions is None:
        paths = {run.results.run_name: run.predictions_path(split) for row in ranked for run in row.runs}
        predictions = {name: read_explanation_predictions(path) for name, path in paths.items() if path.is_file()}
    rows = [row for row in ranked if all(run.results.run_name in predictions for run in row.runs)]
    if not rows:
        return None
    first = predictions[rows[0].runs[0].results.run_name]
    n_units = len(np.unique(first.dialogue_ids))
    if n_units < 2:
        return None
    counts: dict[str, list[UnitCounts]] = {}
    for row in rows:
        of_row = [predictions[run.results.run_name] for run in row.runs]
        for one in of_row:
            if not same_items(one, first):
                raise RunFolderError(
                    f"{one.path} is not of the same items as {first.path}, so the two cannot be compared. Repeat one "
                    "of the two runs."
                )
        counts[row.name] = explanation_unit_counts(
            [one.predictions for one in of_row], first.references or (), first.dialogue_ids
        )
    resampled = resample_systems(list(counts.values()), n_resamples=n_resamples, seed=seed)
    of_system = dict(zip(counts, resampled, strict=True))
    return Comparisons(
        intervals={row.name: of_system[row.name].intervals() for row in rows},
        comparisons=_corrected(_differences(rows, counts, of_system, EXPLANATION_METRICS)),
        n_units=n_units,
        n_resamples=n_resamples,
        left_out=tuple(row.name for row in board.trained if row not in rows),
    )


def same_items(one: ExplanationPredictions, other: ExplanationPredictions) -> bool:
    """Tells whether two runs explained the same items with the same references, in the same order."""
    return one.keys == other.keys and one.references == other.references


def same_utterances(one: EmotionPredictions, other: EmotionPredictions) -> bool:
    """Tells whether two runs predicted the same utterances with the same gold, in the same order."""
    return one.class_names == other.class_names and all(
        np.array_equal(getattr(one.table, name), getattr(other.table, name))
        for name in ("dialogue_ids", "turns", "labels")
    )


def _bar(board: Board, split: str, class_names: Sequence[str]) -> DistanceRule:
    """The fitted rule on distance, where all records that hold its decisions hold the same; else the fixed one."""
    baselines = [run.results.structural_baselines for run in board.runs]
    recorded = [
        recorded_distance_rule(of_run, class_names)
        for of_run in baselines
        if of_run.get(DISTANCE_ONLY, {}).get("chosen_on") != split  # an upper bound there
    ]
    found = [rule for rule in recorded if rule is not None]
    every = np.arange(-1, 12)  # reaches every bucket of distances
    if found and all(np.array_equal(rule.decide(every), found[0].decide(every)) for rule in found):
        return found[0]
    return next(rule for rule in distance_rules(class_names) if rule.key == SELF_AND_PREVIOUS)


def _check_board(board: Board, task: str, function: str, boards: str) -> None:
    if not isinstance(board, Board):
        raise UsageError(f"{function} takes a table of runs, such as {boards}('runs')[0], but got {board!r:.60}.")
    if board.key.task != task:
        raise UsageError(
            f"{function} takes a table of {boards}; the runs of this one, {board.runs[0].results.run_name} say, are of "
            f"the task {board.key.task}."
        )


def _differences(
    rows: Sequence[BoardRow],
    counts: Mapping[str, Sequence[UnitCounts]],
    of_system: Mapping[str, Resamples],
    metrics: Sequence[str],
) -> list[Comparison]:
    """Compares the systems with each other."""
    pairs = list(itertools.combinations(reversed(rows), 2))
    found = []
    for one, other in pairs if len(pairs) <= _MOST_PAIRS else _with_base(rows):
        differences = of_system[one.name].less(of_system[other.name])
        for metric in metrics:
            if metric in differences:
                seeds, error = _over_seeds((one, other), counts, metric)
                found.append(Comparison(one.name, other.name, metric, differences[metric], math.nan, seeds, error))
    return found


def read_board_predictions(board: Board, split: str) -> dict[str, Predictions]:
    """Reads the predictions of the runs of a table.

    Args:
        board: Comparable runs.
        split: The split.

    Returns:
        By run name; runs without a file are not among them.

    Raises:
        RunFolderError: A file cannot be read, or two are of different pairs.
    """
    paths = {run.results.run_name: run.predictions_path(canonical_split(split)) for run in board.runs}
    found = {name: read_predictions(path) for name, path in paths.items() if path.is_file()}
    for name, predictions in found.items():
        first_name, first = next(iter(found.items()))
        if not predictions.pairs.same_pairs(first.pairs):
            raise RunFolderError(
                f"{paths[name]} is not of the same pairs as {paths[first_name]}, so the two cannot be compared. Repeat "
                "one of the two runs."
            )
    return found


def _corrected(found: Sequence[Comparison]) -> tuple[Comparison, ...]:
    """Corrects the p-values, each metric by itself."""
    corrected = list(found)
    for metric in dict.fromkeys(one.metric for one in found):
        places = [i for i, one in enumerate(found) if one.metric == metric]
        raw = [found[i].difference.p_value for i in places]
        for i, p in zip(places, holm([math.nan if p is None else p for p in raw]), strict=True):
            corrected[i] = replace(found[i], p_holm=p)
    return tuple(corrected)


def _with_base(rows: Sequence[BoardRow]) -> list[tuple[BoardRow, BoardRow]]:
    """Pairs each system with the Base of its kind, or with the best system if it has no Base."""
    bases = {
        _kind(row): row
        for row in rows
        if (its := row.runs[0].results).objective == "base" and its.scorer != EXTERNAL  # whatever others call theirs
    }
    pairs = []
    for row in reversed(rows):
        base = bases.get(_kind(row))
        if row is base:  # an ensemble of Base beside a single one
            base = bases.get((*_kind(row)[:-1], ""), base)
        if base is None and row is not rows[-1]:
            pairs.append((rows[-1], row))
        elif base is not None and row is not base:
            pairs.append((row, base))
    return pairs


def _kind(row: BoardRow) -> tuple[str, ...]:
    results = row.runs[0].results
    ensemble = str(results.settings.get("ensemble", ""))
    return results.scorer, results.modalities, results.text_encoder, results.encoder_mode, ensemble


def _over_seeds(
    rows: tuple[BoardRow, BoardRow], counts: Mapping[str, Sequence[UnitCounts]], metric: str
) -> tuple[int, float]:
    """Counts the seeds two systems share, and computes the standard error of their mean difference by seed."""
    first, second = (
        {seeds_of(run.results): scored.scores()[metric] for run, scored in zip(row.runs, counts[row.name], strict=True)}
        for row in rows
    )
    differences = [first[seed] - second[seed] for seed in sorted(first.keys() & second.keys())]
    n = len(differences)
    return n, float(mean_and_sd(differences)[1]) / math.sqrt(n) if n > 1 else math.nan


def _run_counts(run: Predictions, first: Predictions) -> UnitCounts:
    """Counts one run on the grid of its own scores: a grid of all runs' scores would be as many times wider."""
    if run.decisions_alone:
        return _counts(run.decided, first)
    by_fold = None if run.thresholds is None else run.decided
    return _counts(run.probabilities, first, threshold=run.threshold, decisions=by_fold)


def _counts(
    predicted: ArrayLike, first: Predictions, threshold: float | None = None, decisions: ArrayLike | None = None
) -> UnitCounts:
    (counts,) = candidate_unit_counts(
        [predicted],
        first.labels,
        first.pairs.source_dialogue_ids,
        first.class_names,
        thresholds=[threshold],
        decisions=[decisions],
        missed_positives=first.missed_positives,
    )
    return counts
