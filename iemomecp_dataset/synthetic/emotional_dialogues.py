"""Synthetic dialogues in the style of MELD: several speakers, one emotion per utterance, no causes.

The emotion of an utterance can be learned from its words, from the previous emotion of its speaker, and from its audio
and video features (``emotion_features.py``); none of them alone determines it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from iemomecp_dataset.corpora.metadata import corpus_metadata
from iemomecp_dataset.synthetic.vocabulary import (
    AMBIGUOUS_REACTIONS,
    BACKGROUNDS,
    DEICTIC_REFERENCES,
    FILLERS,
    MELD_REACTIONS,
    REFERENCES,
    TOPICS,
)

__all__ = ["MELD_EMOTION_SHARES", "SpokenUtterance", "emotional_dialogue"]

MELD_EMOTION_SHARES = dict(
    zip(corpus_metadata("meld").emotions, (0.47, 0.12, 0.03, 0.07, 0.17, 0.03, 0.11), strict=True)
)
"""Share of each emotion of MELD, in the order of its class ids."""

# Probability that a speaker keeps the emotion of the own previous utterance; otherwise it is drawn by its share.
_INERTIA = 0.45
# Share of emotional utterances whose words express it, and of neutral ones with words that express nothing either.
_EXPRESSED = 0.7
_NEUTRAL_AMBIGUOUS = 0.2
_ONE_TURN_SHARE = 0.07
_QUOTING_SHARE = 0.05
_LONGEST = 16

_NAMES = ("Ada", "Bruno", "Cleo", "Dorian", "Edda", "Fabio", "Greta", "The Baker", "Nurse/Clerk", "Ada and Bruno")


@dataclass(frozen=True)
class SpokenUtterance:
    """One utterance.

    Attributes:
        speaker: Name of the speaker; two people who speak together are a speaker of their own.
        text: Generated text.
        emotion: Name of the emotion.
        expressed: Whether the words express it; false for neutral utterances.
    """

    speaker: str
    text: str
    emotion: str
    expressed: bool


def emotional_dialogue(rng: random.Random, *, n_turns: int | None = None) -> list[SpokenUtterance]:
    """Generates a dialogue.

    Args:
        rng: Random generator.
        n_turns: Number of utterances; None draws 1 to 16.

    Returns:
        Its utterances.
    """
    if n_turns is None:
        n_turns = 1 if rng.random() < _ONE_TURN_SHARE else rng.randint(3, _LONGEST)
    speakers = rng.sample(_NAMES, rng.randint(2, 4))
    topic = rng.choice(TOPICS)
    last: dict[str, str] = {}
    utterances = []
    for _ in range(n_turns):
        speaker = rng.choice(speakers)
        if speaker not in last or rng.random() >= _INERTIA:
            last[speaker] = rng.choices(list(MELD_EMOTION_SHARES), list(MELD_EMOTION_SHARES.values()))[0]
        emotion = last[speaker]
        expressed = emotion != "neutral" and rng.random() < _EXPRESSED
        utterances.append(SpokenUtterance(speaker, _text(emotion, expressed, topic, rng), emotion, expressed))
    return utterances


def _text(emotion: str, expressed: bool, topic: tuple[str, ...], rng: random.Random) -> str:
    reference = rng.choice((*REFERENCES, *DEICTIC_REFERENCES)).format(w=rng.choice(topic))
    clauses = []
    if expressed:
        clauses.append(rng.choice(MELD_REACTIONS[emotion]).format(r=reference))
    elif emotion != "neutral" or rng.random() < _NEUTRAL_AMBIGUOUS:
        clauses.append(rng.choice(AMBIGUOUS_REACTIONS).format(r=reference))
    else:
        clauses.append(rng.choice((*FILLERS, *BACKGROUNDS)).format(w=rng.choice(topic)))
    if rng.random() < _QUOTING_SHARE:
        clauses.append(f'then they said "{rng.choice(FILLERS)}"')
    text = ", and ".join(clause.strip() for clause in clauses).replace("'", "’")
    return f"{text[0].upper()}{text[1:]}{rng.choice(('.', '.', '!', '…'))}"
