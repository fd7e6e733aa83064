"""What a model predicts for a conversation: its emotional turns and its emotion-cause pairs."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.conversations.conversation import Conversation
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.metrics.scoring import decide

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DecisionRule", "PredictedConversation", "PredictedEmotion", "PredictedPair", "checked_threshold"]

_TALLEST = 1400
"""Pixels of the frame of a conversation in a notebook; a longer one is scrolled."""


def checked_threshold(threshold: float) -> float:
    """A decision threshold as a number.

    Raises:
        UsageError: It is no probability.
    """
    number = isinstance(threshold, (int, float, np.number)) and not isinstance(threshold, bool)
    if not number or not 0 <= threshold <= 1:
        raise UsageError(f"threshold must be a probability, a number from 0 to 1, but is {threshold!r}.")
    return float(threshold)


@dataclass(frozen=True, slots=True)
class DecisionRule:
    """How pairs are decided.

    Attributes:
        rule: ``argmax``: the most probable class; ``threshold``: class 0 where its probability is at least
            ``threshold``, else the most probable of the others.
        threshold: A probability, or None for ``argmax``.
        origin: Where the rule comes from: ``model`` (chosen when it was trained) or ``user``.
    """

    rule: Literal["argmax", "threshold"] = "argmax"
    threshold: float | None = None
    origin: Literal["model", "user"] = "model"

    def decide(self, probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
        """Class ids by ``(P, C)`` probabilities, shape ``(P,)``.

        Example:
            >>> DecisionRule("threshold", 0.3).decide(np.array([[0.4, 0.6], [0.2, 0.8]])).tolist()
            [0, 1]
        """
        return decide(probabilities, self.threshold)

    def __str__(self) -> str:
        chosen = {"model": "chosen when the model was trained", "user": "given by the user"}[self.origin]
        if self.threshold is None:
            return f"the most probable class ({chosen})"
        return f"P(class 0) at least {self.threshold:.4g} ({chosen})"


@dataclass(frozen=True, slots=True)
class PredictedEmotion:
    """Emotion of one turn.

    Attributes:
        turn: 1-based turn.
        probability: P(the utterance is emotional); None where the model predicts none.
        category: Most probable emotion category; None where the model predicts none.
        emotional: Whether ``probability`` is at least 0.5; without one, whether the turn is the target of a pair that
            is decided.
        category_probabilities: Probability of each category; empty where the model predicts none.
    """

    turn: int
    probability: float | None
    category: str | None
    emotional: bool
    category_probabilities: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class PredictedPair:
    """One candidate pair.

    Attributes:
        target_turn: Turn of the emotion, 1-based.
        cause_turn: Turn of the candidate cause, 1-based.
        role: The most probable class but ``non_pair``.
        probability: P(pair): of two classes that of the first, of three 1 - P(non_pair).
        decided: Whether the decision rule makes it a pair (of three classes: of either role).
        label: The class that the decision rule gives.
        probabilities: Probability of each class.
    """

    target_turn: int
    cause_turn: int
    role: str
    probability: float
    decided: bool
    label: str
    probabilities: Mapping[str, float]


@dataclass(frozen=True)
class PredictedConversation:
    """What a model predicts for one conversation of n turns and P candidate pairs.

    Attributes:
        conversation: The conversation.
        class_names: Names of the C pair classes; the last is ``non_pair``.
        targets: ``(P,)`` target turns, in (target, cause) order.
        causes: ``(P,)`` cause turns.
        pair_probabilities: ``(P, C)`` probabilities of the classes.
        decision: The decision rule.
        model: Name of the model: of a run, that of its folder without the path.
        emotion_probabilities: ``(n,)`` P(the utterance is emotional); None where the model predicts none.
        category_names: Names of the K emotion categories; empty where the model predicts none.
        category_probabilities: ``(n, K)``; None likewise.
        synthetic: Whether the model, or the model of emotions beside it, was trained on synthetic dialogues.
        notes: What a reader has to know, one sentence each: the notes of the conversation, windows, cut texts,
            candidates that are not scored.
        model_decision: The model's own decision rule; None: that is ``decision``.
    """

    conversation: Conversation
    class_names: tuple[str, ...]
    targets: NDArray[np.int64]
    causes: NDArray[np.int64]
    pair_probabilities: NDArray[np.float64]
    decision: DecisionRule
    model: str
    emotion_probabilities: NDArray[np.float64] | None = None
    category_names: tuple[str, ...] = ()
    category_probabilities: NDArray[np.float64] | None = None
    synthetic: bool = False
    notes: tuple[str, ...] = ()
    model_decision: DecisionRule | None = None

    def with_threshold(self, threshold: float | None) -> PredictedConversation:
        """The same predictions under another decision rule.

        Args:
            threshold: Smallest P(class 0) that makes a pair; None for the model's own rule.

        Raises:
            UsageError: It is no probability.

        Example:
            >>> from iemomecp_dataset.conversations.conversation import ConversationUtterance
            >>> said = Conversation("trip", (ConversationUtterance("Ana", "We missed it."),))
            >>> one = np.array([1])
            >>> predicted = PredictedConversation(
            ...     said, ("pair", "non_pair"), one, one, np.array([[0.4, 0.6]]), DecisionRule(), "runs/x")
            >>> lower = predicted.with_threshold(0.3)
            >>> lower.pairs[0].decided, str(lower.decision), lower.with_threshold(None).pairs[0].decided
            (True, 'P(class 0) at least 0.3 (given by the user)', False)
        """
        own = self.model_decision or self.decision
        rule = own if threshold is None else DecisionRule("threshold", checked_threshold(threshold), "user")
        return replace(self, decision=rule, model_decision=own)

    @functools.cached_property
    def labels(self) -> NDArray[np.int64]:
        """``(P,)`` class ids by the decision rule."""
        return self.decision.decide(self.pair_probabilities)

    @functools.cached_property
    def pairs(self) -> tuple[PredictedPair, ...]:
        """Every candidate pair, in (target, cause) order."""
        names, last = self.class_names, len(self.class_names) - 1
        roles = self.pair_probabilities[:, :last].argmax(axis=1)
        positive = self.pair_probabilities[:, 0] if last == 1 else 1.0 - self.pair_probabilities[:, last]
        return tuple(
            PredictedPair(
                target, cause, names[role], probability, label != last, names[label], dict(zip(names, row, strict=True))
            )
            for target, cause, role, probability, label, row in zip(
                self.targets.tolist(),
                self.causes.tolist(),
                roles.tolist(),
                positive.tolist(),
                self.labels.tolist(),
                self.pair_probabilities.tolist(),
                strict=True,
            )
        )

    @functools.cached_property
    def emotions(self) -> tuple[PredictedEmotion, ...]:
        """Every turn, in order."""
        n = len(self.conversation.utterances)
        found: list[float | None] = (
            [None] * n if self.emotion_probabilities is None else list(self.emotion_probabilities.tolist())
        )
        decided = set(self.targets[self.labels != len(self.class_names) - 1].tolist())
        categories: list[dict[str, float]] = [{}] * n
        if self.category_probabilities is not None:
            categories = [
                dict(zip(self.category_names, row, strict=True)) for row in self.category_probabilities.tolist()
            ]
        return tuple(
            PredictedEmotion(
                turn=turn,
                probability=probability,
                category=max(of_turn, key=of_turn.__getitem__) if of_turn else None,
                emotional=turn in decided if probability is None else probability >= 0.5,
                category_probabilities=of_turn,
            )
            for turn, (probability, of_turn) in enumerate(zip(found, categories, strict=True), start=1)
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values that JSON takes; of the pairs every candidate."""
        return {
            "name": self.conversation.name,
            "model": self.model,
            "synthetic": self.synthetic,
            "decision": {
                "rule": self.decision.rule,
                "threshold": self.decision.threshold,
                "origin": self.decision.origin,
            },
            "class_names": list(self.class_names),
            "category_names": list(self.category_names),
            "notes": list(self.notes),
            "turns": [
                {
                    "turn": emotion.turn,
                    "speaker": spoken.speaker,
                    "text": spoken.text,
                    "emotional": emotion.emotional,
                    "probability": emotion.probability,
                    "category": emotion.category,
                    "category_probabilities": dict(emotion.category_probabilities),
                }
                for emotion, spoken in zip(self.emotions, self.conversation.utterances, strict=True)
            ],
            "pairs": [
                {
                    "target_turn": pair.target_turn,
                    "cause_turn": pair.cause_turn,
                    "role": pair.role,
                    "probability": pair.probability,
                    "decided": pair.decided,
                    "label": pair.label,
                    "probabilities": dict(pair.probabilities),
                }
                for pair in self.pairs
            ],
        }

    def to_frame(self) -> pd.DataFrame:
        """One row per candidate pair, with both utterances and ``prob_<class>`` of every class."""
        import pandas as pd

        spoken = self.conversation.utterances
        records = [
            {
                "conversation": self.conversation.name,
                "model": self.model,
                "target_turn": pair.target_turn,
                "cause_turn": pair.cause_turn,
                "role": pair.role,
                "probability": pair.probability,
                "decided": pair.decided,
                "label": pair.label,
                **{f"prob_{name}": value for name, value in pair.probabilities.items()},
                "target_emotion": self.emotions[pair.target_turn - 1].category,
                "target_speaker": spoken[pair.target_turn - 1].speaker,
                "target_text": spoken[pair.target_turn - 1].text,
                "cause_speaker": spoken[pair.cause_turn - 1].speaker,
                "cause_text": spoken[pair.cause_turn - 1].text,
            }
            for pair in self.pairs
        ]
        return pd.DataFrame.from_records(records)

    def to_svg(self) -> str:
        """The triangle of pairs: rows are targets, columns candidate causes."""
        from iemomecp_dataset.pictures.pair_triangle import pair_triangle

        return pair_triangle(self)

    def _repr_html_(self) -> str:
        """What a notebook shows: the page of the conversation, which follows the pointer, in a frame of its own."""
        from html import escape

        from iemomecp_dataset.pictures import conversation_page

        # A frame does not grow with its page: pixels of head, lines of text or labels, and triangle in a narrow column.
        causes = [
            sum(pair.decided and pair.target_turn == emotion.turn for pair in self.pairs) for emotion in self.emotions
        ]
        lines = [len(spoken.text) // 42 + 1 for spoken in self.conversation.utterances]
        rows = [max(22 * n_lines, 27 * (n_causes + 1)) + 17 for n_lines, n_causes in zip(lines, causes, strict=True)]
        height = min(360 + 30 * len(self.notes) + sum(rows) + 27 * len(rows), _TALLEST)
        # In a frame, neither the styles of the notebook reach the page nor those of the page the notebook.
        return (
            f'<iframe srcdoc="{escape(conversation_page([self]))}" title="{escape(self.conversation.name)}" '
            f'width="100%" height="{height}" sandbox="allow-scripts" style="border: 0"></iframe>'
        )
