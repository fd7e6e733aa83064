"""Checks the scores that a run records against its stored predictions: computed again, they must be the same numbers.

Every reader of run folders goes through :func:`check_scores` (by :func:`~iemomecp_dataset.benchmark.runs.index.\
index_runs`), so no table, test or figure shows a number that the run's own predictions contradict. What is computed
again is linear in the predictions: of pairs everything that :func:`~iemomecp_dataset.metrics.scoring.pair_scores`
gives, of emotions what :func:`~iemomecp_dataset.metrics.emotion_scoring.emotion_scores` gives, of explanations the
scores by n-grams; resampled intervals and learned scores are not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from iemomecp_dataset.benchmark.runs.results import ERC, EXPLANATION, HEADLINE, PAIRS, RESULTS_FILE, RunResults
from iemomecp_dataset.errors import IemomecpError, InvalidDataError
from iemomecp_dataset.metrics.emotion_scoring import emotion_scores, neutral_of
from iemomecp_dataset.metrics.emotion_signature import EmotionSignature
from iemomecp_dataset.metrics.evaluation.emotions.predictions import EmotionPredictions, read_emotion_predictions
from iemomecp_dataset.metrics.evaluation.explanations.predictions import (
    ExplanationPredictions,
    read_explanation_predictions,
)
from iemomecp_dataset.metrics.evaluation.one_class import one_class_warning
from iemomecp_dataset.metrics.evaluation.predictions import Predictions, read_predictions
from iemomecp_dataset.metrics.explanations.scoring import scores_of_sums, text_statistics
from iemomecp_dataset.metrics.scoring import pair_scores, scores_of_decisions
from iemomecp_dataset.metrics.signature import Signature, gold_fingerprint
from iemomecp_dataset.metrics.signature_fields import keys_fingerprint

__all__ = ["ScoreCheck", "check_scores"]

_SAME = 1e-6
"""Largest difference between a recorded and a recomputed score: sums of floats may end differently elsewhere."""

_Stored = Predictions | EmotionPredictions | ExplanationPredictions


@dataclass(frozen=True)
class ScoreCheck:
    """What a comparison of a run's record with its predictions found.

    Attributes:
        contradiction: Why the recorded scores must not be shown; empty where nothing contradicts them.
        unchecked: A sentence for each split without stored predictions, whose scores stand on the record alone.
        warnings: What readers of the scores should know: that one class is predicted for everything, say.
    """

    contradiction: str = ""
    unchecked: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def check_scores(folder: Path, results: RunResults, predictions_path: Callable[[str], Path]) -> ScoreCheck:
    """Computes the scores of a run again from its predictions.

    Args:
        folder: The run folder, for messages.
        results: Its record.
        predictions_path: Gives the file of a split, which may be missing.

    Returns:
        What was found. Predictions that cannot be read, or are of another split, of other data or other classes,
        contradict the record, as other scores do.
    """
    unchecked: list[str] = []
    warnings: list[str] = []
    for split, recorded in results.metrics.items():
        path = predictions_path(split)
        try:
            if not path.exists():
                unchecked.append(
                    f"{path} is not there, so the recorded scores on {split} could not be checked. Repeat the run to "
                    "have its predictions written."
                )
                continue
            if not path.is_file():
                raise InvalidDataError(f"{path} is not a file. Repeat the run.")
            stored: _Stored = _READERS[results.task](path)
            differing = _other_content(results, split, stored) or _other_scores(results.task, recorded, stored)
        except IemomecpError as error:
            return ScoreCheck(str(error))
        except OSError as error:
            return ScoreCheck(f"{path} cannot be read: {error.strerror}.")
        if differing:
            return ScoreCheck(
                f"{folder / RESULTS_FILE} and {path.name} contradict each other on {split}: {differing}. One of the "
                "two was changed, or belongs to another run: restore it, or repeat the run."
            )
        if found := _warning(split, stored):
            warnings.append(found)
    return ScoreCheck("", tuple(unchecked), tuple(warnings))


_READERS: Mapping[str, Callable[[Path], Any]] = {
    PAIRS: read_predictions,
    ERC: read_emotion_predictions,
    EXPLANATION: read_explanation_predictions,
}
_ITEMS = {PAIRS: ("candidates", "pairs"), ERC: ("utterances", "utterances"), EXPLANATION: ("explanations", "items")}
"""By task the count in a record that says how many predictions there are, and what they are of."""


def _other_content(results: RunResults, split: str, stored: _Stored) -> str:
    """In what the file is of something else than the record; empty where it is not."""
    facts = stored.facts
    if facts.split is not None and facts.split != split:
        return f"the file holds predictions on {facts.split}"
    if stored.class_names != results.class_names:
        return (
            f"the classes of the file are {', '.join(stored.class_names)}, those of the record are "
            f"{', '.join(results.class_names)}"
        )
    counted, items = _ITEMS[results.task]
    expected = results.counts.get(split, {}).get(counted)
    if expected is not None and expected != len(stored):
        return f"the file holds {len(stored):,} {items}, the record counts {expected:,}"
    fingerprint = results.data_fingerprint.get(split)
    if facts.data_fingerprint and fingerprint and facts.data_fingerprint != fingerprint:
        return f"the file is of data {facts.data_fingerprint:.8}, the record of data {fingerprint:.8}"
    if isinstance(stored, Predictions) and not stored.decisions_alone:
        threshold, recorded = stored.threshold, results.threshold.get("value")
        if (threshold is None) != (recorded is None) or abs((threshold or 0.0) - (recorded or 0.0)) > _SAME:
            return f"the file states the threshold {_number(threshold)}, the record {_number(recorded)}"
    if _other_gold(results, split, stored):
        return f"the {items} of the file or their gold are not those that the signature of the record states"
    return ""


def _other_gold(results: RunResults, split: str, stored: _Stored) -> bool:
    """Whether the file has other items or gold than a signature states, where that can be computed from the file."""
    signatures = results.extra.get("signatures") or {}
    try:
        if isinstance(stored, EmotionPredictions) and split in signatures:
            table = stored.table
            stated = EmotionSignature.parse(signatures[split]).data
            return _differs(keys_fingerprint(table.dialogue_ids, table.turns, table.labels), stated)
        if isinstance(stored, Predictions) and split in signatures:
            signature = Signature.parse(signatures[split])
            pairs = stored.pairs
            if signature.definition == "F":
                return _differs(gold_fingerprint(*pairs.keys, pairs.labels), signature.data)
            if signature.definition == "A" and not pairs.missed_positives:
                gold = pairs.labels == 0
                return _differs(gold_fingerprint(*(key[gold] for key in pairs.keys)), signature.data)
    except IemomecpError:
        pass  # an illegible signature puts the run into a table of its own; it says nothing about the predictions
    return False


def _differs(digest: str, stated: str) -> bool:
    """Whether two digests of one kind differ; one of another length is of another kind."""
    return len(digest) == len(stated) and digest != stated


def _other_scores(task: str, recorded: Mapping[str, Any], stored: _Stored) -> str:
    """Which recorded scores the predictions do not give, the headline first; empty where they agree."""
    given = _scores(stored)
    differing = [key for key, value in given.items() if key in recorded and not _same(recorded[key], value)]
    if not differing:
        return ""
    key = next(iter(sorted(differing, key=lambda name: (name != HEADLINE[task], name.endswith("_support")))))
    more = len(differing) - 1
    others = f", and {more} more score{'s' * (more != 1)} differ{'s' * (more == 1)}" if more else ""
    return f"the record has {key} {_number(recorded[key])}, the predictions give {_number(given[key])}{others}"


def _scores(stored: _Stored) -> Mapping[str, Any]:
    if isinstance(stored, Predictions) and stored.thresholds is not None:
        return scores_of_decisions(
            stored.probabilities,
            stored.decided,
            stored.labels,
            stored.class_names,
            missed_positives=stored.missed_positives,
        )
    if isinstance(stored, Predictions):
        decided = stored.decided if stored.decisions_alone else stored.probabilities
        return pair_scores(
            decided,
            stored.labels,
            stored.class_names,
            threshold=None if stored.decisions_alone else stored.threshold,
            missed_positives=stored.missed_positives,
        )
    if isinstance(stored, EmotionPredictions):
        known = stored.take(stored.table.labelled)
        found: dict[str, Any] = emotion_scores(
            known.scored, known.table.labels, known.class_names, neutral=neutral_of(known.class_names)
        )
        return found
    if stored.references is None:
        raise InvalidDataError(f"{stored.path} holds no references. Repeat the run.")
    return scores_of_sums(text_statistics(stored.predictions, stored.references).sums.sum(axis=0))


def _same(recorded: Any, given: Any) -> bool:
    """Whether a recorded value may stand; one that is not a number claims nothing."""
    if isinstance(given, list):
        return _as_array(recorded).shape == np.shape(given) and bool((_as_array(recorded) == np.asarray(given)).all())
    if isinstance(given, bool | str | Mapping) or not isinstance(given, int | float):
        return True
    if not isinstance(recorded, int | float) or math.isnan(recorded):
        return True
    return abs(recorded - given) <= _SAME  # never where the predictions give NaN


def _as_array(value: Any) -> Any:
    try:
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        return np.empty(0)


def _number(value: Any) -> str:
    if value is None:
        return "none"
    return f"{value:.4f}" if isinstance(value, float) else f"{value!s:.60}"


def _warning(split: str, stored: _Stored) -> str:
    if isinstance(stored, Predictions):
        return one_class_warning(stored.decided, stored.class_names, split)
    if isinstance(stored, EmotionPredictions):
        return one_class_warning(stored.predicted, stored.class_names, split, "utterances")
    if len(stored) > 1 and len(set(stored.predictions)) == 1:
        return f"It gives the same text for all {len(stored):,} items of {split}, as a rule without a model would."
    return ""
