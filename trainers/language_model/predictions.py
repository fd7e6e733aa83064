"""What the answers on a split predict, in the order of its pairs, utterances or explained items."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.corpus import Corpus
from iemomecp_dataset.emotion_table import emotion_table
from iemomecp_dataset.explanation_table import explanation_table
from iemomecp_dataset.metrics.thresholds import best_threshold
from iemomecp_dataset.schema import NEUTRAL_EMOTIONS
from iemomecp_dataset.trainers.language_model.answering import BLANKS, Answer, LabelProbabilities, label_probabilities
from iemomecp_dataset.trainers.language_model.answers import (
    BY_SCHEMA,
    ENDINGS,
    IN_WORDS,
    UNUSABLE,
    Reading,
    read_answer,
    read_emotions,
    read_explanation,
)
from iemomecp_dataset.trainers.language_model.asking import Asking, Dialogue, Request

__all__ = [
    "LabelFacts",
    "PairPredictions",
    "emotion_predictions",
    "explanation_predictions",
    "pair_decisions",
    "pair_probabilities",
    "read",
    "threshold_on",
]


def read(asking: Asking, dialogue: Dialogue, request: Request, answer: Answer | None) -> Reading:
    """Reads one answer by what was asked.

    Args:
        asking: What was asked.
        dialogue: About which dialogue.
        request: The request.
        answer: The answer; None where there is none, which is unusable.

    Returns:
        The reading. Of a letter it has the step and the ending alone: its probabilities are another matter
        (:func:`pair_probabilities`). It is valid by its schema where the whole text is a letter. Where the letters are
        only among the most probable tokens, and the text is something else, the answer counts as one in words.
    """
    if answer is None:
        return Reading(UNUSABLE, ending="without an answer")
    text, finish = answer.text, answer.finish_reason
    if request.schema is None:
        ending = _ending_of_letter(answer)
        if _of_letters(answer, request.labels) is None:
            return Reading(UNUSABLE, ending=ending)
        return Reading(BY_SCHEMA if text.strip(BLANKS) in request.labels else IN_WORDS, ending=ending)
    if asking.task == "explanations":
        return read_explanation(text, request.schema, finish_reason=finish)
    reads = asking.reads(dialogue, request.target)
    if asking.task == "emotions":
        return read_emotions(text, reads, request.schema, finish_reason=finish)
    return read_answer(text, reads, request.schema, finish_reason=finish)


def _ending_of_letter(answer: Answer) -> str:
    """How an answer of one token ended, which is all that is asked for, and so never too few."""
    return ENDINGS.get(answer.finish_reason, "") if answer.finish_reason != "length" else ""


def _of_letters(answer: Answer | None, labels: Sequence[str]) -> LabelProbabilities | None:
    """The probabilities of the letters; without log-probabilities, 1 for the letter that is written.

    Returns:
        None where the answer cannot be used: it names no letter, or is a refusal, or was filtered, whatever
        log-probabilities come with it.
    """
    if answer is None or _ending_of_letter(answer):
        return None
    if answer.first_tokens is not None:
        return label_probabilities(answer.first_tokens, labels)
    letter = letter_of(answer.text, labels)
    return None if letter is None else LabelProbabilities(tuple(float(label == letter) for label in labels), 0.0)


def letter_of(text: str, labels: Sequence[str]) -> str | None:
    """The letter that an answer begins with; None where it begins with none.

    Example:
        >>> [letter_of(text, ("A", "B")) for text in (" B.", "A: yes", "Because", "a", "")]
        ['B', 'A', None, None, None]
    """
    bare = text.strip(" \n\t\"'*(`")
    return bare[0] if bare and bare[0] in labels and not bare[1:2].isalnum() else None


@dataclass
class LabelFacts:
    """Counts over the probabilities of letters.

    Attributes:
        outside: By answer the mass at the first position that is on no letter.
        censored: Letters that were not among the listed tokens.
        unusable: Answers without any letter.
        letters_alone: Answers that are a letter without log-probabilities.
    """

    outside: list[float] = field(default_factory=list)
    censored: int = 0
    unusable: int = 0
    letters_alone: int = 0

    def as_record(self) -> dict[str, Any]:
        """As a record states them."""
        return {
            "mass_outside_labels_mean": float(np.mean(self.outside)) if self.outside else None,
            "mass_outside_labels_largest": max(self.outside, default=None),
            "labels_censored": self.censored,
            "answers_without_a_label": self.unusable,
            "answers_without_log_probabilities": self.letters_alone,
        }


@dataclass(frozen=True)
class PairPredictions:
    """Predictions for the candidates of a split.

    Attributes:
        values: ``(n, C)`` float64 probabilities; ``(n,)`` int64 class ids of answers that only decide.
        asked: ``(n,)`` bool, whether an answer was asked for, and could be used.
        emotions: ``(n,)`` str, the predicted emotion of the target, empty where there is none; None where none is
            asked for.
    """

    values: NDArray[np.float64] | NDArray[np.int64]
    asked: NDArray[np.bool_]
    emotions: NDArray[np.str_] | None = None


def pair_decisions(
    corpus: Corpus, split: str, readings: Mapping[str, Sequence[Reading]], *, roles: bool
) -> PairPredictions:
    """Decisions for the candidates of a split.

    Args:
        corpus: The data.
        split: The split.
        readings: By dialogue the readings of its answers; one, or one per utterance.
        roles: Whether context is a class.

    Returns:
        Class ids. What no answer names is a non-pair.
    """
    table = corpus.tables[split]
    found: dict[tuple[str, int, int], int] = {}
    emotions: dict[tuple[str, int], str] = {}
    for dialogue, of_dialogue in readings.items():
        for reading in of_dialogue:
            for pair in reading.pairs:
                found[dialogue, pair.target, pair.cause] = 1 if roles and pair.role == "context" else 0
            emotions.update({(dialogue, turn): name for turn, name in reading.emotions.items()})
    keys = list(zip(*(column.tolist() for column in table.keys), strict=True))
    non_pair = len(corpus.class_names) - 1
    return PairPredictions(
        np.array([found.get(key, non_pair) for key in keys], dtype=np.int64),
        np.ones(len(keys), dtype=np.bool_),
        np.array([emotions.get(key[:2], "") for key in keys], dtype=np.str_),
    )


def pair_probabilities(
    corpus: Corpus, split: str, requests: Sequence[Request], answers: Sequence[Answer | None], facts: LabelFacts
) -> PairPredictions:
    """Probabilities for the candidates of a split, from the letters of their answers.

    Args:
        corpus: The data.
        split: The split.
        requests: The requests about its candidates.
        answers: Their answers.
        facts: Receives counts.

    Returns:
        Probabilities; decisions where any usable answer has no log-probabilities, since a letter alone cannot be ranked
        among probabilities. A candidate that was not asked about, or without a usable answer, is a non-pair with
        probability 1.
    """
    table = corpus.tables[split]
    n_classes = len(corpus.class_names)
    of_pair: dict[tuple[str, int, int], tuple[float, ...]] = {}
    for request, answer in zip(requests, answers, strict=True):
        found = _of_letters(answer, request.labels)
        if found is None or answer is None:
            facts.unusable += 1
            continue
        of_pair[request.dialogue_id, request.target or 0, request.cause or 0] = found.probabilities
        if answer.first_tokens is None:
            facts.letters_alone += 1
        else:
            facts.outside.append(found.outside)
            facts.censored += found.censored
    keys = list(zip(*(column.tolist() for column in table.keys), strict=True))
    non_pair = tuple(float(number == n_classes - 1) for number in range(n_classes))
    values_of = np.array([of_pair.get(key, non_pair) for key in keys], dtype=np.float64).reshape(-1, n_classes)
    asked = np.array([key in of_pair for key in keys], dtype=np.bool_)
    if facts.letters_alone or not facts.outside:
        return PairPredictions(values_of.argmax(axis=1).astype(np.int64), asked)
    return PairPredictions(values_of, asked)


def threshold_on(corpus: Corpus, split: str, predicted: PairPredictions) -> float:
    """Chooses the threshold on the candidates that were asked about; the others stay non-pairs, whatever it is.

    Args:
        corpus: The data.
        split: The split to choose it on.
        predicted: Its probabilities.

    Returns:
        The threshold on P(class 0), above 0.
    """
    table, asked = corpus.tables[split], predicted.asked
    if not asked.any():
        return 1.0
    missed = table.missed_positives + int((table.labels[~asked] == 0).sum())
    value, _ = best_threshold(predicted.values[asked], table.labels[asked], missed_positives=missed)
    return max(value, math.nextafter(0.0, 1.0))


def emotion_predictions(
    corpus: Corpus, split: str, readings: Mapping[str, Sequence[Reading]]
) -> tuple[NDArray[np.int64], int]:
    """Emotions of the utterances of a split.

    Args:
        corpus: The data, whole dialogues.
        split: The split.
        readings: By dialogue the readings of its answers.

    Returns:
        ``(m,)`` class ids in the order of the emotion table, and how many utterances had no answer: they are neutral,
        as nothing is said of them.
    """
    names = corpus.emotion_names
    without = next((number for number, name in enumerate(names) if name in NEUTRAL_EMOTIONS), 0)
    found = {
        (dialogue, turn): names.index(name)
        for dialogue, of_dialogue in readings.items()
        for reading in of_dialogue
        for turn, name in reading.emotions.items()
    }
    table = emotion_table(corpus.rows[split])
    keys = list(zip(table.dialogue_ids.tolist(), table.turns.tolist(), strict=True))
    return np.array([found.get(key, without) for key in keys], dtype=np.int64), sum(key not in found for key in keys)


def explanation_predictions(
    corpus: Corpus, split: str, requests: Sequence[Request], readings: Sequence[Reading]
) -> list[str]:
    """Explanations of the items of a split; empty where an answer could not be used.

    Args:
        corpus: The data.
        split: The split.
        requests: The requests about its items.
        readings: The readings of their answers.
    """
    found = {
        (request.dialogue_id, request.target): reading.text for request, reading in zip(requests, readings, strict=True)
    }
    table = explanation_table(corpus.rows[split])
    keys = zip(table.dialogue_ids.tolist(), table.target_turns.tolist(), strict=True)
    return [found.get(key, "") for key in keys]
