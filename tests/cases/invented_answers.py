"""Models that answer at once, with invented probabilities, for whatever only shows what models predict."""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np

from iemomecp_dataset.conversations.conversation import Conversation
from iemomecp_dataset.trainers.app.answers import PageModel
from iemomecp_dataset.trainers.pipelines.predicted import DecisionRule, PredictedConversation

CATEGORIES = ("neutral", "joy", "anger", "sadness")


def invented_model(
    name: str,
    *,
    seed: int = 0,
    synthetic: bool = False,
    n_classes: int = 3,
    recordings: tuple[Literal["audio", "video"], ...] = (),
) -> PageModel:
    """A model whose candidates are all causes that are not after their target.

    One that uses recordings notes what it was given of them.
    """

    def predict(conversations: list[Conversation]) -> list[PredictedConversation]:
        given = [_with_note(conversation) if recordings else conversation for conversation in conversations]
        return [_invented(conversation, name, seed, synthetic, n_classes) for conversation in given]

    return PageModel(name, predict, synthetic=synthetic, recordings=recordings)


def _with_note(conversation: Conversation) -> Conversation:
    heard = [turn for turn, spoken in enumerate(conversation.utterances, start=1) if spoken.audio is not None]
    return dataclasses.replace(conversation, notes=(*conversation.notes, f"audio of the turns {heard}"))


def _invented(
    conversation: Conversation, name: str, seed: int, synthetic: bool, n_classes: int
) -> PredictedConversation:
    n = len(conversation.utterances)
    rng = np.random.default_rng([seed, n])
    targets, causes = np.tril_indices(n)
    near = np.exp(-(targets - causes) / 3)[:, None]
    probabilities = rng.dirichlet([0.4, 0.3, 1.0] if n_classes == 3 else [0.5, 1.0], len(targets)) * near
    probabilities[:, -1] += 1 - near[:, 0]
    categories = rng.dirichlet([0.6] * len(CATEGORIES), n)
    return PredictedConversation(
        conversation,
        ("emo_cause", "emo_context", "non_pair") if n_classes == 3 else ("pair", "non_pair"),
        targets + 1,
        causes + 1,
        probabilities,
        DecisionRule("threshold", 0.4),
        name,
        1 - categories[:, 0],
        CATEGORIES,
        categories,
        synthetic,
    )
