"""How a prediction is put into words, on a page and in a terminal alike."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from iemomecp_dataset.schema import NEUTRAL_EMOTIONS

if TYPE_CHECKING:
    from iemomecp_dataset.trainers.pipelines.predicted import PredictedConversation, PredictedEmotion, PredictedPair

__all__ = [
    "SYNTHETIC",
    "counts_in_words",
    "decision_in_words",
    "emotion_in_words",
    "notes_in_words",
    "pair_in_words",
    "percent",
    "printable",
    "role_in_words",
    "rule_in_words",
]

SYNTHETIC = (
    "This model learned from synthetic dialogues that a program made: it shows that the software works, and says "
    "nothing about real conversations."
)
"""What stands beside every prediction of such a model."""

# All control characters but the tabulator and the line feed, separators that end a line, marks that reverse the
# direction of what follows, and halves of a character: a terminal would obey some, and XML allows few of them.
_NOT_PRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def printable(text: str) -> str:
    r"""Replaces characters that a terminal or a browser would obey in place of showing them.

    Example:
        >>> printable("Ana\x1b[31m")
        'Ana�[31m'
    """
    return _NOT_PRINTABLE.sub("\ufffd", text)


def percent(probability: float) -> str:
    """A probability for reading; what is neither impossible nor certain is not written as 0 or 100 %.

    Example:
        >>> percent(0.874), percent(0.001), percent(0.999), percent(1.0)
        ('87 %', '<1 %', '>99 %', '100 %')
    """
    rounded = round(100 * probability)
    if rounded == 0 and probability > 0:
        return "<1 %"
    if rounded == 100 and probability < 1:
        return ">99 %"
    return f"{rounded} %"


def role_in_words(name: str) -> str:
    """A role of a pair without the prefix of its corpus.

    Example:
        >>> role_in_words("emo_context"), role_in_words("pair")
        ('context', 'pair')
    """
    return name.removeprefix("emo_")


def decision_in_words(predicted: PredictedConversation) -> str:
    """The decision rule as one sentence, with the names of the model's classes."""
    decision, names = predicted.decision, predicted.class_names
    origin = "chosen when the model was trained" if decision.origin == "model" else "given by the user"
    if decision.threshold is None:
        return f"A pair counts where {names[-1]} is not its most probable class ({origin})."
    return f"A pair counts where {rule_in_words(names, f'{decision.threshold:.4g}')} ({origin})."


def rule_in_words(class_names: Sequence[str], threshold: str) -> str:
    """What a pair must fulfil to count under a threshold on class 0, which decides only between it and the others.

    Example:
        >>> rule_in_words(["pair", "non_pair"], "0.3")
        'P(pair) is at least 0.3'
        >>> rule_in_words(["emo_cause", "emo_context", "non_pair"], "0.3")
        'P(emo_cause) is at least 0.3, or else emo_context is at least as probable as non_pair'
    """
    first, *others, last = class_names
    rule = f"P({first}) is at least {threshold}"
    return f"{rule}, or else {' or '.join(others)} is at least as probable as {last}" if others else rule


def counts_in_words(predicted: PredictedConversation) -> str:
    """Number of turns, of emotional ones and of pairs."""
    turns = len(predicted.conversation.utterances)
    emotional = sum(emotion.emotional for emotion in predicted.emotions)
    decided, candidates = sum(pair.decided for pair in predicted.pairs), len(predicted.pairs)
    return ", ".join(
        (
            f"{turns} turn{'' if turns == 1 else 's'}",
            f"{emotional} emotional",
            f"{decided} pair{'' if decided == 1 else 's'} of {candidates} candidate{'' if candidates == 1 else 's'}",
        )
    )


def notes_in_words(predicted: PredictedConversation) -> list[str]:
    """Notes of the reading and of the prediction, each once: the pipeline's predictions repeat those of the reading."""
    return list(dict.fromkeys((*predicted.conversation.notes, *predicted.notes)))


def emotion_in_words(emotion: PredictedEmotion) -> str:
    """Category and P(emotional), as far as the model predicts them.

    A turn may be emotional although no single category is as probable as ``neutral``; it is then called just that.

    Example:
        >>> from iemomecp_dataset.trainers.pipelines.predicted import PredictedEmotion
        >>> emotion_in_words(PredictedEmotion(3, 0.83, "joy", True, {"joy": 0.6, "anger": 0.4}))
        'joy 83 %'
        >>> emotion_in_words(PredictedEmotion(3, 0.57, "neutral", True, {"neutral": 0.4, "joy": 0.3, "anger": 0.3}))
        'emotional 57 %'
        >>> emotion_in_words(PredictedEmotion(3, None, None, True, {}))
        'emotional'
        >>> emotion_in_words(PredictedEmotion(3, 0.42, "neutral", False, {"neutral": 0.7, "joy": 0.3}))
        'only 42 % emotional'
    """
    words = emotion.category
    if not emotion.emotional:
        return "not emotional" if emotion.probability is None else f"only {percent(emotion.probability)} emotional"
    if words is None or words in NEUTRAL_EMOTIONS:
        words = "emotional"
    return words if emotion.probability is None else f"{words} {percent(emotion.probability)}"


def pair_in_words(pair: PredictedPair, *, with_role: bool) -> str:
    """Turn of the cause, role where there are several, and P(pair).

    Example:
        >>> from iemomecp_dataset.trainers.pipelines.predicted import PredictedPair
        >>> found = PredictedPair(5, 3, "emo_cause", 0.87, True, "emo_cause", {})
        >>> pair_in_words(found, with_role=True), pair_in_words(found, with_role=False)
        ('turn 3, cause 87 %', 'turn 3, 87 %')
    """
    turn = "itself" if pair.cause_turn == pair.target_turn else f"turn {pair.cause_turn}"
    role = role_in_words(pair.label if pair.decided else pair.role)
    return f"{turn}, {role} {percent(pair.probability)}" if with_role else f"{turn}, {percent(pair.probability)}"
