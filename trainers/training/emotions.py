"""Emotions that a scorer predicts for utterances: for the targets of pairs, and scored on their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.corpus import Corpus
from iemomecp_dataset.emotion_table import NO_EMOTION
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.metrics.emotion_scoring import emotion_scores
from iemomecp_dataset.schema import NEUTRAL_EMOTIONS
from iemomecp_dataset.trainers.options import CATEGORY_WEIGHT

__all__ = [
    "categories_left_out",
    "category_weight",
    "check_emotions",
    "emotion_category_scores",
    "no_categories",
    "target_emotions",
]


def category_weight(given: float | None, corpus: Corpus, *, predicts: bool) -> float:
    """Weight of the emotion categories that a scorer of pairs learns beside them.

    Args:
        given: That of the options; None where it is not given.
        corpus: The data.
        predicts: Whether the model can predict categories.

    Returns:
        The given one; otherwise ``CATEGORY_WEIGHT`` if the model predicts categories and the train split has some,
        else 0.

    Raises:
        UsageError: A weight above 0 is given, and the data has no categories.
        InvalidDataError: An emotion is not the id of a name.
    """
    if given is not None:
        if given:
            check_emotions(corpus)
        return given
    return CATEGORY_WEIGHT if predicts and no_categories(corpus) is None else 0.0


def no_categories(corpus: Corpus) -> str | None:
    """Says why no emotion categories of a corpus are learned unless a weight is given; None where they are.

    Args:
        corpus: The data.

    Raises:
        InvalidDataError: An emotion is not the id of a name.
    """
    try:
        check_emotions(corpus)
    except UsageError:
        return f"Emotion categories are not learned beside the pairs: {corpus.name} has none to learn."
    return None


def categories_left_out(corpus: Corpus) -> list[str]:
    """Says of which further corpora the emotion categories are not learned, as they are others than the corpus's own.

    Args:
        corpus: The main corpus.

    Returns:
        One sentence for each.
    """
    return [
        f"The emotion categories of {one.key} are not those of {corpus.name}, and are not learned (--emotions common "
        "makes them the same)."
        for one in corpus.further
        if one.corpus.emotion_names != corpus.emotion_names
    ]


def check_emotions(corpus: Corpus) -> None:
    """Refuses a corpus of which no emotion categories can be learned.

    Args:
        corpus: The data.

    Raises:
        UsageError: Its emotions have no two names besides neutral, or no utterance of the train split has one.
        InvalidDataError: An emotion is not the id of a name.
    """
    names = corpus.emotion_names
    advice = "Leave --emotion_category_weight out."
    if names and len(set(names) - NEUTRAL_EMOTIONS) < 2:
        raise UsageError(
            f"The emotions of {corpus.name} ({corpus.config_name}) are {', '.join(names)}: there are no two categories "
            f"besides neutral to tell apart. {advice}"
        )
    corpus.require_emotions(advice)


def target_emotions(
    probabilities: NDArray[np.float64], emotion_names: Sequence[str], rows: Iterable[Mapping[str, Any]]
) -> NDArray[np.str_]:
    """Names the emotion of each pair's target: its most probable category that is not neutral.

    A predicted pair states that its target has an emotion, so neutral is no answer: Pair F1 of definitions C and D
    leaves neutral targets out, and a correct pair would be lost.

    Args:
        probabilities: ``(U, K)`` of the utterances of all rows, in their order.
        emotion_names: The ``K`` names by id.
        rows: Dialogues with ``utterances`` and ``pairs``.

    Returns:
        ``(n,)`` str, in the order of the rows' pairs.

    Example:
        >>> row = {"utterances": [{"turn": 1}, {"turn": 2}],
        ...        "pairs": [{"target_turn": 1}, {"target_turn": 2}, {"target_turn": 2}]}
        >>> probabilities = np.array([[0.8, 0.15, 0.05], [0.1, 0.3, 0.6]])
        >>> target_emotions(probabilities, ["neutral", "joy", "anger"], [row]).tolist()
        ['joy', 'anger', 'anger']
    """
    neutral = np.isin(emotion_names, list(NEUTRAL_EMOTIONS))
    chosen = np.asarray(emotion_names)[np.where(neutral, -1.0, probabilities).argmax(axis=1)]
    places: list[int] = []
    first = 0
    for row in rows:
        turns = {utterance["turn"]: first + place for place, utterance in enumerate(row["utterances"])}
        places.extend(turns[pair["target_turn"]] for pair in row["pairs"])
        first += len(turns)
    return np.asarray(chosen[np.array(places, dtype=np.int64)], dtype=np.str_)


def emotion_category_scores(
    probabilities: NDArray[np.float64], emotion_names: Sequence[str], rows: Iterable[Mapping[str, Any]]
) -> dict[str, float] | None:
    """Scores emotion recognition in conversations: the most probable category, neutral included, of each utterance.

    Args:
        probabilities: ``(U, K)`` of the utterances of all rows, in their order.
        emotion_names: The ``K`` names by id.
        rows: Dialogues with the gold emotions; utterances without one are left out.

    Returns:
        ``accuracy``, ``weighted_f1`` (by support) and ``n_utterances``; None where no utterance has an emotion.

    Example:
        >>> rows = [{"utterances": [{"emotion": 0}, {"emotion": 1}, {"emotion": None}]}]
        >>> emotion_category_scores(np.array([[0.9, 0.1], [0.8, 0.2], [0.5, 0.5]]), ["neutral", "joy"], rows)
        {'accuracy': 0.5, 'weighted_f1': 0.3333333333333333, 'n_utterances': 2}
    """
    gold = [utterance["emotion"] for row in rows for utterance in row["utterances"]]
    labels = np.array([NO_EMOTION if emotion is None else emotion for emotion in gold], dtype=np.int64)
    known = labels != NO_EMOTION
    if not known.any():
        return None
    scores = emotion_scores(probabilities[known].argmax(axis=1), labels[known], emotion_names)
    return {name: scores[name] for name in ("accuracy", "weighted_f1", "n_utterances")}
