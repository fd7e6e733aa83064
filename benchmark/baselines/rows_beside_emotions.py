"""Structural rows beside a file that predicts emotions: on the same utterances, each with the difference."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from iemomecp_dataset.benchmark.baselines.emotion_rows import (
    MAJORITY,
    PREVIOUS_EMOTION,
    TFIDF_WORDS,
    emotion_systems,
)
from iemomecp_dataset.benchmark.baselines.structural import NOT_BUILT, StructuralSystem
from iemomecp_dataset.errors import MissingDependencyError
from iemomecp_dataset.metrics.evaluation.emotions.evaluation import (
    EmotionEvaluation,
    EmotionFileEvaluation,
    emotion_counts,
    evaluate_emotions,
)
from iemomecp_dataset.metrics.evaluation.emotions.predictions import EmotionPredictions
from iemomecp_dataset.metrics.evaluation.results import EvaluationOptions
from iemomecp_dataset.metrics.evaluation.structural_rows import (
    StructuralRow,
    StructuralRows,
    compared_with,
    system_less_rows,
)
from iemomecp_dataset.metrics.scoring import decide
from iemomecp_dataset.schema import SPLITS

__all__ = ["rows_beside_emotions"]

_COLUMNS = (("weighted_f1", "weighted F1"), ("accuracy", "accuracy"), ("macro_f1", "macro F1"))
_WITHOUT_TRAIN = {
    MAJORITY: "majority",
    PREVIOUS_EMOTION: "speaker's previous emotion, predicted",
    TFIDF_WORDS: "TF-IDF + logistic regression",
}


def rows_beside_emotions(
    result: EmotionFileEvaluation, options: EvaluationOptions, *, compare: str | None = None
) -> StructuralRows:
    """Scores the structural rows of a leaderboard on the utterances that a file was scored on.

    They are those of :func:`~iemomecp_dataset.benchmark.baselines.emotion_rows.emotion_systems`, fitted on the train
    split of the corpus that the gold was loaded from; without one there are none.

    Args:
        result: The scores of the file.
        options: How it was scored.
        compare: Also run the paired tests of the file and this row.

    Returns:
        The rows.

    Raises:
        UsageError: There is no row ``compare``.
    """
    first, gold, own = result.first, result.gold, result.evaluations[0]
    corpus = None if gold is None else gold.loaded
    absent: dict[str, str] = {}
    predicted: list[tuple[StructuralRow, EmotionPredictions]] = []
    systems: list[StructuralSystem] = []
    why = "fitted on train: --data-dir gives it."
    if corpus is not None:
        why = f"fitted on train, and {corpus.data_dir} has no train split with emotions."
        if own.signature.split not in SPLITS:
            why = f"fitted on train, and {own.signature.split} has other emotions than train."
        try:
            systems = emotion_systems(corpus)
        except MissingDependencyError as error:
            why = str(error)
    if not systems:
        absent = dict.fromkeys(_WITHOUT_TRAIN.values(), why)
    plain = replace(options, n_resamples=0, progress=False)
    for system in systems:
        of_split = system.probabilities.get(own.signature.split)
        if of_split is None:
            absent[system.display_name] = system.description.removeprefix(NOT_BUILT)
            continue
        facts = replace(first.facts, epoch_chosen_on="none", text_fingerprint=None)
        one = replace(
            first,
            path=Path(system.display_name),
            probabilities=None if system.hard else of_split,
            predicted=decide(of_split),
            facts=facts,
            notes=(),
        )
        predicted.append((_row(system.key, system.description, evaluate_emotions(one, gold, plain)), one))
    counts = emotion_counts([first, *(one for _, one in predicted)])
    rows = system_less_rows(counts[0], [row for row, _ in predicted], counts[1:], options)
    found = StructuralRows(
        of=own.path,
        items="the same utterances",
        columns=_COLUMNS,
        compared=("weighted_f1", "macro_f1"),
        own=own.scores,
        own_decision="",
        rows=rows,
        absent=absent,
    )
    return compared_with(found, compare, counts, options)


def _row(key: str, description: str, evaluation: EmotionEvaluation) -> StructuralRow:
    return StructuralRow(
        key=key,
        name=str(evaluation.path),
        description=description,
        decision="",
        signature=str(evaluation.signature),
        scores={name: value for name, value in evaluation.scores.items() if isinstance(value, int | float)},
    )
