"""The record and the predictions of a run that recognises emotions, in the formats that all runs have.

See :mod:`~iemomecp_dataset.benchmark.runs.results` and
:mod:`~iemomecp_dataset.metrics.evaluation.emotions.predictions`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from iemomecp_dataset.benchmark.baselines.emotion_detection import TFIDF
from iemomecp_dataset.benchmark.baselines.emotion_rows import emotion_systems
from iemomecp_dataset.benchmark.runs.contamination import contamination_warnings
from iemomecp_dataset.benchmark.runs.results import ERC, RunResults
from iemomecp_dataset.corpus import Corpus
from iemomecp_dataset.emotion_table import EmotionTable, emotion_table
from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.metrics.emotion_scoring import emotion_scores, neutral_of
from iemomecp_dataset.metrics.emotion_shifts import shift_scores
from iemomecp_dataset.metrics.emotion_signature import emotion_run_signature
from iemomecp_dataset.metrics.evaluation.emotions.predictions import (
    EmotionFacts,
    emotions_file,
    write_emotion_predictions,
)
from iemomecp_dataset.metrics.scoring import decide
from iemomecp_dataset.metrics.significance.bootstrap import bootstrap_intervals
from iemomecp_dataset.metrics.significance.emotion_bootstrap import emotion_unit_counts

__all__ = ["RESAMPLED", "emotion_run_results", "recorded_emotion_scores", "write_emotion_run_predictions"]

RESAMPLED = ("weighted_f1", "accuracy", "macro_f1")
"""Scores that are recorded with their standard error and 95 % interval over resampled dialogues."""

_N_RESAMPLES = 1000


def emotion_run_results(
    corpus: Corpus,
    predicted: Mapping[str, ArrayLike],
    *,
    run_name: str,
    scorer: str,
    objective: str,
    modalities: str,
    seed: int,
    text_encoder: str = "none",
    encoder_mode: str = "none",
    utterance_features: Mapping[str, NDArray[np.float32]] | None = None,
    feature_source: str = TFIDF,
    more_counts: Mapping[str, Mapping[str, int]] | None = None,
    epoch_chosen_on: str | None = None,
    extra: Mapping[str, Any] | None = None,
    **measured: Any,
) -> RunResults:
    """Builds the record of a run that recognises emotions: scores it and the structural rows on the same utterances.

    Args:
        corpus: What it was trained and scored on, whole dialogues.
        predicted: By split that is reported ``(m, C)`` probabilities of all its utterances in row order, those without
            a known emotion included; or ``(m,)`` class ids of a system that only decides.
        run_name: As in :class:`~iemomecp_dataset.benchmark.runs.results.RunResults`, and so are the next six.
        scorer: ``ecerc``, ``emotion_transformer`` or ``external``.
        objective: ``corrected`` or ``released``; of another system its name; empty where there is no choice.
        modalities: Letters t, a, v.
        seed: Random seed.
        text_encoder: Name or path of the text encoder.
        encoder_mode: ``frozen`` or ``trained``.
        utterance_features: As in :func:`~iemomecp_dataset.benchmark.baselines.emotion_rows.emotion_systems`.
        feature_source: As there.
        more_counts: By split, counts beside those of the data.
        epoch_chosen_on: The split that the epoch was chosen on, where one was.
        extra: Further keys of the record.
        **measured: Further fields of the record: versions, git_revision, wall_seconds and so on.

    Returns:
        The record. Its ``class_names`` are the emotions; ``extra`` also holds the signature of each reported split, and
        what its splits share.

    Raises:
        MetricInputError: Predictions that cannot be scored, such as those of a split without known emotions.
        UsageError: As in :func:`~iemomecp_dataset.benchmark.baselines.emotion_rows.emotion_systems`.
    """
    tables = {split: emotion_table(rows) for split, rows in corpus.rows.items()}
    names = corpus.emotion_names
    systems = emotion_systems(corpus, utterance_features=utterance_features, feature_source=feature_source)
    return RunResults(
        task=ERC,
        run_name=run_name,
        corpus=corpus.name,
        config_name=corpus.config_name,
        class_names=names,
        synthetic=corpus.synthetic,
        data_statement=corpus.statement,
        definition="",
        candidates="",
        scorer=scorer,
        objective=objective,
        modalities=modalities,
        text_encoder=text_encoder,
        encoder_mode=encoder_mode,
        seed=seed,
        threshold={"value": None, "chosen_on": None},
        metrics={
            split: recorded_emotion_scores(np.asarray(of_split), tables[split], names)
            for split, of_split in predicted.items()
        },
        missing_splits=corpus.missing_splits,
        counts={
            split: {
                "dialogues": len(corpus.rows[split]),
                "utterances": len(table),
                "labelled": int(table.labelled.sum()),
                **(more_counts or {}).get(split, {}),
            }
            for split, table in tables.items()
        },
        structural_baselines={
            system.key: {
                "display_name": system.display_name,
                "description": system.description,
                "threshold": None,
                "chosen_on": None,
                "splits": {
                    split: recorded_emotion_scores(decide(of_split) if system.hard else of_split, tables[split], names)
                    for split, of_split in system.probabilities.items()
                    if split != "train" and tables[split].labelled.any()
                },
            }
            for system in systems
        },
        data_fingerprint=corpus.fingerprints,
        text_fingerprint=corpus.text_fingerprints,
        epoch_chosen_on=epoch_chosen_on,
        license_text_shareable=corpus.synthetic,
        extra={
            "signatures": {
                split: str(
                    emotion_run_signature(
                        corpus.rows[split],
                        corpus=corpus.name,
                        config_name=corpus.config_name,
                        split=split,
                        class_names=names,
                        synthetic=corpus.synthetic,
                        texts=corpus.text_fingerprints[split],
                        epoch_chosen_on=epoch_chosen_on,
                    )
                )
                for split in predicted
            },
            "leaks": contamination_warnings(corpus),
            **(extra or {}),
        },
        **measured,
    )


def recorded_emotion_scores(predicted: NDArray[Any], table: EmotionTable, class_names: Sequence[str]) -> dict[str, Any]:
    """Scores the utterances of one split whose emotion is known, as a record holds it.

    Args:
        predicted: ``(m, C)`` probabilities or ``(m,)`` class ids of all utterances.
        table: The utterances.
        class_names: Emotions by id.

    Returns:
        The scores of :func:`~iemomecp_dataset.metrics.emotion_scoring.emotion_scores`, with ``undefined`` as reasons by
        name of a class or score; those of :func:`~iemomecp_dataset.metrics.emotion_shifts.shift_scores`; and of the
        scores in :data:`RESAMPLED` ``<score>_se, <score>_low, <score>_high``: standard error and 95 % interval over
        resampled dialogues, NaN for fewer than two dialogues.

    Raises:
        MetricInputError: There are other numbers of predictions and utterances, or nothing can be scored.
    """
    if len(predicted) != len(table):
        raise MetricInputError(
            f"There are predictions for {len(predicted)} utterances, but the split has {len(table)}. Predict every "
            "utterance once, in the order of the rows."
        )
    if not table.labelled.any():
        raise MetricInputError("No emotion of the split is known, so nothing can be scored on it.")
    known = table.take(table.labelled)
    scored = predicted[table.labelled]
    neutral = neutral_of(class_names)
    scores = emotion_scores(scored, known.labels, class_names, neutral=neutral)
    reasons = dict.fromkeys(scores["undefined"], "neither gold nor predicted, which counts 0 in macro_f1")
    ids = predicted if predicted.ndim == 1 else decide(predicted)
    scores |= shift_scores(ids, table.labels, table.dialogue_ids, table.turns, table.speakers)
    scores |= _over_dialogues(scored, known, class_names)
    if math.isnan(scores["weighted_f1_without_neutral"]):
        reasons["weighted_f1_without_neutral"] = "no emotion besides neutral in the gold, or none that means neutral"
    reasons |= {
        name: "no utterance with a known previous emotion of its speaker"
        for name in ("shift_accuracy", "stay_accuracy")
        if math.isnan(scores[name])
    }
    return {**scores, "undefined": reasons}


def write_emotion_run_predictions(
    folder: Path,
    corpus: Corpus,
    split: str,
    probabilities: NDArray[np.float64],
    *,
    epoch_chosen_on: str | None = None,
    **stated: Any,
) -> None:
    """Writes the emotions file of one split into a run folder.

    Args:
        folder: The run folder.
        corpus: What the run was scored on, whole dialogues.
        split: The split.
        probabilities: ``(m, C)``, of all its utterances in row order.
        epoch_chosen_on: The split that the epoch was chosen on, where one was.
        **stated: Further metadata: fields of
            :class:`~iemomecp_dataset.metrics.evaluation.emotions.predictions.EmotionFacts`.
    """
    facts = EmotionFacts(
        corpus=corpus.name,
        config_name=corpus.config_name,
        split=split,
        class_names=corpus.emotion_names,
        epoch_chosen_on=epoch_chosen_on,
        data_fingerprint=corpus.fingerprints[split],
        text_fingerprint=corpus.text_fingerprints[split],
        synthetic=corpus.synthetic,
        **stated,
    )
    write_emotion_predictions(emotions_file(folder, split), emotion_table(corpus.rows[split]), probabilities, facts)


def _over_dialogues(scored: NDArray[Any], known: EmotionTable, class_names: Sequence[str]) -> dict[str, float]:
    """Standard errors and intervals over resampled dialogues; nothing can be said of one dialogue."""
    (counts,) = emotion_unit_counts([scored], known.labels, known.dialogue_ids, class_names)
    if len(counts.units) < 2:
        return {}
    intervals = bootstrap_intervals(counts, n_resamples=_N_RESAMPLES)
    found: dict[str, float] = {}
    for name in RESAMPLED:
        one = intervals[name]
        found |= {f"{name}_se": one.standard_error, f"{name}_low": one.low, f"{name}_high": one.high}
    return found
