"""Scores conversations with several pair scorers, and averages what they predict."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedModel

from iemomecp_dataset.conversations.conversation import Conversation
from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.trainers.ensemble.modeling import EnsembleScorer
from iemomecp_dataset.trainers.pipelines.loaded_model import LoadedModel
from iemomecp_dataset.trainers.pipelines.predicted import DecisionRule, PredictedConversation, checked_threshold
from iemomecp_dataset.trainers.pipelines.scoring import ConversationScorer, ScoringSettings

__all__ = ["EnsembleConversationScorer", "conversation_scorer"]


def conversation_scorer(
    loaded: LoadedModel,
    name: str,
    emotion_model: PreTrainedModel | str | Path | None = None,
    emotion_text_encoder: str | None = None,
) -> ConversationScorer:
    """Chooses what scores conversations with a model: one scorer, or for an ensemble one for each member.

    Args:
        loaded: The model.
        name: What results call it.
        emotion_model: As :class:`~iemomecp_dataset.trainers.pipelines.scoring.ConversationScorer` takes it.
        emotion_text_encoder: Likewise.

    Raises:
        IemomecpError: As there.
    """
    kind = EnsembleConversationScorer if loaded.members else ConversationScorer
    return kind(loaded, name, emotion_model, emotion_text_encoder)


class EnsembleConversationScorer(ConversationScorer):
    """The members of an ensemble, applied to the same conversations; their probabilities are averaged.

    Notes and the decision rule are those of the ensemble; a note that several members give is given once. All members
    read windows of the length that the one with the shortest dialogues of training reads.

    Args:
        loaded: The ensemble.
        name: What results call it.
        emotion_model: Model of emotions, or the folder of its run, for all members.
        emotion_text_encoder: The encoder of its frozen text features, if its path is not that of training.
    """

    def __init__(
        self,
        loaded: LoadedModel,
        name: str,
        emotion_model: PreTrainedModel | str | Path | None = None,
        emotion_text_encoder: str | None = None,
    ) -> None:
        super().__init__(loaded, name, emotion_model, emotion_text_encoder)
        beside = None if self.emotions is None else self.emotions.model
        self.members = [ConversationScorer(member, name, beside) for member in loaded.members]
        # Their windows must be the same, or they score other pairs of a long conversation.
        shortest = min((member.trained_on for member in self.members), key=lambda one: one.longest)
        for member in self.members:
            member.trained_on = replace(member.trained_on, longest=shortest.longest, recorded=shortest.recorded)

    def check(self, conversation: Conversation, settings: ScoringSettings) -> None:
        """Refuses a conversation that a member cannot take.

        Args:
            conversation: The conversation.
            settings: How it is to be scored.

        Raises:
            IemomecpError: It lacks what a member uses, or has more turns than are read at once.
        """
        for member in self.members:
            member.check(conversation, settings)

    def stream(
        self, conversations: Iterable[Conversation], settings: ScoringSettings
    ) -> Iterator[PredictedConversation]:
        """Scores conversations as they come, in their order.

        Args:
            conversations: Any number.
            settings: How they are scored.

        Yields:
            The mean of the members' predictions of each.

        Raises:
            IemomecpError: A conversation or a setting does not fit a member.
        """
        # One bar, that of the first. Members read pools of the same size, so that no more than one is kept for them.
        given = itertools.tee(conversations, len(self.members))
        each = [
            member.stream(own, settings if place == 0 else replace(settings, progress=False))
            for place, (member, own) in enumerate(zip(self.members, given, strict=True))
        ]
        for predicted in zip(*each, strict=True):
            yield self._mean(predicted, settings)

    def _mean(self, predicted: Sequence[PredictedConversation], settings: ScoringSettings) -> PredictedConversation:
        first = predicted[0]
        for other in predicted[1:]:
            if not (np.array_equal(first.targets, other.targets) and np.array_equal(first.causes, other.causes)):
                raise InvalidDataError(
                    f"{self.name}: its members score other pairs of the conversation {first.conversation.name!r}: they "
                    "were trained with other candidates. Make the ensemble of runs on the same data."
                )
        asked = settings.threshold
        same_categories = all(one.category_names == first.category_names for one in predicted)
        return replace(
            first,
            pair_probabilities=self._mean_of([one.pair_probabilities for one in predicted]),
            emotion_probabilities=self._averaged([one.emotion_probabilities for one in predicted]),
            category_names=first.category_names if same_categories else (),
            category_probabilities=self._averaged([one.category_probabilities for one in predicted])
            if same_categories
            else None,
            decision=self._rule if asked is None else DecisionRule("threshold", checked_threshold(asked), "user"),
            model_decision=self._rule,
            synthetic=any(one.synthetic for one in predicted),
            notes=tuple(dict.fromkeys(note for one in predicted for note in one.notes)),
        )

    def _averaged(self, values: Sequence[NDArray[np.float64] | None]) -> NDArray[np.float64] | None:
        """The weighted mean; None where a member gives none."""
        given = [value for value in values if value is not None]
        return self._mean_of(given) if len(given) == len(values) else None

    def _mean_of(self, values: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        """The weighted mean."""
        model = self.loaded.model
        assert isinstance(model, EnsembleScorer)
        mean: NDArray[np.float64] = np.tensordot(np.asarray(model.weights), np.stack(values), axes=1)
        return mean
