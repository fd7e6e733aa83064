"""Evaluates emotions files: scores, intervals, signatures, and paired tests of two files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from iemomecp_dataset.corpora.metadata import corpus_of_config
from iemomecp_dataset.emotion_table import EmotionTable
from iemomecp_dataset.errors import InvalidDataError, MetricInputError, UsageError
from iemomecp_dataset.metrics.emotion_scoring import emotion_scores, neutral_of
from iemomecp_dataset.metrics.emotion_shifts import shift_scores
from iemomecp_dataset.metrics.emotion_signature import EmotionSignature, emotion_differences, signature_of_table
from iemomecp_dataset.metrics.evaluation.emotions.gold import EmotionGold, load_emotion_gold
from iemomecp_dataset.metrics.evaluation.emotions.predictions import (
    EmotionPredictions,
    has_emotions,
    read_emotion_predictions,
)
from iemomecp_dataset.metrics.evaluation.evaluate import FileEvaluationRequest, check_no_explanation_options
from iemomecp_dataset.metrics.evaluation.gold import check_split
from iemomecp_dataset.metrics.evaluation.one_class import one_class_warning
from iemomecp_dataset.metrics.evaluation.results import EvaluationOptions
from iemomecp_dataset.metrics.evaluation.turn_files import (
    TurnFileEvaluation,
    aligned_turns,
    check_request,
    general_notes,
    origin_of_gold,
    scored_split,
)
from iemomecp_dataset.metrics.evaluation.uncertainty import intervals_of, paired_tests
from iemomecp_dataset.metrics.signature import check_comparable
from iemomecp_dataset.metrics.significance.bootstrap import Interval
from iemomecp_dataset.metrics.significance.counts import UnitCounts
from iemomecp_dataset.metrics.significance.emotion_bootstrap import emotion_unit_counts
from iemomecp_dataset.schema import COMMON_EMOTIONS, canonical_split

__all__ = [
    "EmotionEvaluation",
    "EmotionFileEvaluation",
    "emotion_counts",
    "evaluate_emotion_files",
    "evaluate_emotions",
    "with_gold",
]


@dataclass(frozen=True)
class EmotionEvaluation:
    """Emotion scores of one file.

    Attributes:
        path: The file.
        signature: What was scored.
        scores: The keys of :func:`~iemomecp_dataset.metrics.emotion_scoring.emotion_scores`.
        shifts: The keys of :func:`~iemomecp_dataset.metrics.emotion_shifts.shift_scores`; empty where speakers are not
            known.
        intervals: Bootstrap intervals, by score.
        gold_from: Origin of the gold, in words.
        notes: Remarks for readers.
        decision: The decision rule in words.
    """

    path: Path
    signature: EmotionSignature
    scores: Mapping[str, Any]
    shifts: Mapping[str, Any]
    intervals: Mapping[str, Interval]
    gold_from: str
    notes: tuple[str, ...]
    decision: str


EmotionFileEvaluation = TurnFileEvaluation[EmotionEvaluation, EmotionPredictions, EmotionGold]
"""Emotion scores of a file, of a second one, and the paired tests."""


def evaluate_emotion_files(request: FileEvaluationRequest) -> EmotionFileEvaluation:
    """Scores one emotions file, or two and their difference.

    Args:
        request: What to score. Everything that concerns pairs must be left out.

    Returns:
        The scores.

    Raises:
        IemomecpError: A file, its utterances or the options cannot be scored; the message gives the reason.
    """
    does = "predicts the emotions of utterances"
    check_request(request, does, f"{does}, not pairs", has_emotions)
    check_no_explanation_options(request, does)
    split = None if request.split is None else canonical_split(request.split)
    files = [
        read_emotion_predictions(
            request.predictions, config_name=request.config_name, split=split, run_name=request.run_name
        )
    ]
    if request.other is not None:
        name = request.other_run_name or (request.run_name if request.other == request.predictions else None)
        files.append(
            read_emotion_predictions(request.other, config_name=request.config_name, split=split, run_name=name)
        )
    gold, remark = None, tuple[str, ...]()
    if request.data_dir is not None:
        dialogues = files[0].table.dialogue_ids.tolist()
        config, of_file = scored_split(
            files[0], config_name=request.config_name, split=split, data_dir=request.data_dir, dialogues=dialogues
        )
        if (split or files[0].facts.split) is None:
            remark = (f"Split taken as {of_file}: no other has the dialogues of the file; --split states it.",)
        common = files[0].class_names == COMMON_EMOTIONS
        gold = load_emotion_gold(config, request.data_dir, of_file, emotions="common" if common else "corpus")
        if gold.loaded is not None:
            names = [row["dialogue_id"] for row in gold.loaded.rows[of_file]]
            check_split(files[0].path, dialogues, names, of_file, gold.loaded)
    known = [with_gold(file, gold, config_name=request.config_name) for file in files]
    evaluations = tuple(evaluate_emotions(file, gold, request.options, request.config_name) for file in known)
    evaluations = (replace(evaluations[0], notes=(*evaluations[0].notes, *remark)), *evaluations[1:])
    if len(known) == 1:
        return EmotionFileEvaluation(evaluations, None, known[0], gold)
    check_comparable([evaluation.signature for evaluation in evaluations], emotion_differences)
    first, second = known
    order = aligned_turns(str(second.path), _keys(second.table), _keys(first.table), str(first.path))
    tests = paired_tests(first.path, second.path, emotion_counts([first, second.take(order)]), request.options)
    return EmotionFileEvaluation(evaluations, tests, first, gold)


def with_gold(
    predictions: EmotionPredictions, gold: EmotionGold | None, *, config_name: str | None = None
) -> EmotionPredictions:
    """Brings predictions into the order of the gold, and gives them its labels and speakers.

    Args:
        predictions: The file.
        gold: The gold; ``None``: the file's own column.
        config_name: As in :func:`scored_split`.

    Returns:
        All utterances of the split with their gold; those of the file where it is its own gold.

    Raises:
        InvalidDataError: Utterances are missing or unknown, the file has other classes or another gold.
        UsageError: There is no gold.
    """
    path = predictions.path
    if gold is None:
        if not predictions.has_labels:
            raise UsageError(
                f"{path} has no gold column (label or gold_id). Give the gold with --data-dir, and --config-name and "
                "--split where the file does not state them."
            )
        return predictions
    if predictions.class_names != gold.class_names:
        # Ids were read in the order of the file's own metadata.
        predictions = read_emotion_predictions(
            path, config_name=gold.config_name, split=predictions.facts.split, run_name=predictions.facts.run_name
        )
    of = origin_of_gold(gold)
    aligned = predictions.take(aligned_turns(str(path), _keys(predictions.table), _keys(gold.table), of))
    table = aligned.table
    wrong = np.flatnonzero(table.labelled & (table.labels != gold.table.labels))
    if len(wrong):
        row, names = int(wrong[0]), (*gold.class_names, "no known emotion")
        raise InvalidDataError(
            f"{path}: its label of turn {table.turns[row]} in dialogue {table.dialogue_ids[row]} is "
            f"{names[table.labels[row]]}, and {of} has {names[gold.table.labels[row]]}. {len(wrong)} such utterances: "
            "the file was made on other labels."
        )
    return replace(aligned, table=gold.table)


def evaluate_emotions(
    predictions: EmotionPredictions,
    gold: EmotionGold | None,
    options: EvaluationOptions,
    config_name: str | None = None,
) -> EmotionEvaluation:
    """Scores predictions that have their gold.

    Args:
        predictions: From :func:`with_gold`.
        gold: The gold data; ``None``: the file's own column.
        options: How to resample.
        config_name: As in :func:`scored_split`.

    Returns:
        Scores, intervals and their signature.

    Raises:
        MetricInputError: No utterance has a known emotion.
    """
    table, facts, names = predictions.table, predictions.facts, predictions.class_names
    if not table.labelled.any():
        raise MetricInputError(f"{predictions.path}: no utterance has a known emotion; there is nothing to score.")
    config = gold.config_name if gold else config_name or facts.config_name or "unknown"
    signature = signature_of_table(
        table,
        corpus=gold.corpus if gold else facts.corpus or corpus_of_config(config),
        config_name=config,
        split=gold.split if gold else facts.split or "unknown",
        class_names=names,
        synthetic=gold.synthetic if gold else bool(facts.synthetic),
        texts=gold.text_fingerprint if gold else facts.text_fingerprint,
        epoch_chosen_on=facts.epoch_chosen_on,
    )
    scored, labels = predictions.scored[table.labelled], table.labels[table.labelled]
    (counts,) = emotion_counts([predictions])
    has_speakers = bool((table.speakers != "").any())
    warning = one_class_warning(predictions.predicted, names, signature.split, "utterances")
    general = general_notes(
        predictions,
        gold,
        entries="utterances",
        oracle=signature.oracle,
        n_units=len(counts.units),
        n_resamples=options.n_resamples,
    )
    return EmotionEvaluation(
        path=predictions.path,
        signature=signature,
        scores=emotion_scores(scored, labels, names, neutral=neutral_of(names)),
        shifts=_shifts(predictions) if has_speakers else {},
        intervals=intervals_of(counts, options),
        gold_from=origin_of_gold(gold),
        notes=(*predictions.notes, *([warning] if warning else ()), *_notes(table, gold), *general),
        decision="own decisions of the file" if predictions.probabilities is None else "most probable emotion (argmax)",
    )


def emotion_counts(files: Sequence[EmotionPredictions]) -> list[UnitCounts]:
    """Counts systems by dialogue.

    Args:
        files: Their predictions of the same utterances, in one order.

    Returns:
        For each what its scores follow from.
    """
    table, names = files[0].table, files[0].class_names
    known = table.labelled
    return emotion_unit_counts(
        [file.scored[known] for file in files],
        table.labels[known],
        table.dialogue_ids[known],
        names,
        neutral=neutral_of(names),
    )


def _shifts(predictions: EmotionPredictions) -> dict[str, float]:
    table = predictions.table
    return shift_scores(predictions.predicted, table.labels, table.dialogue_ids, table.turns, table.speakers)


def _keys(table: EmotionTable) -> list[tuple[str, int]]:
    return list(zip(table.dialogue_ids.tolist(), table.turns.tolist(), strict=True))


def _notes(table: EmotionTable, gold: EmotionGold | None) -> list[str]:
    notes = []
    unknown = len(table) - int(table.labelled.sum())
    if unknown:
        notes.append(f"{unknown} of {len(table)} utterances have no known emotion and are not scored.")
    if gold is None:
        notes.append(
            "Gold is the file's own column: whether every utterance of the split is in the file was not checked "
            "(--data-dir does)."
        )
    return notes
