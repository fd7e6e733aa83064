"""Generates the text of planned utterances."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from iemomecp_dataset.synthetic.plan import ChunkPlan, PlannedUtterance
from iemomecp_dataset.synthetic.vocabulary import (
    AMBIGUOUS_REACTIONS,
    BACKGROUNDS,
    BRIDGES,
    DEICTIC_REFERENCES,
    EVENTS,
    FILLERS,
    INTERJECTIONS,
    NEUTRAL_QUESTIONS,
    OPENERS,
    REACTIONS,
    REFERENCES,
    TOPICS,
)

__all__ = ["filler_sentence", "word_chunk"]

# Ambiguity of the text, which audio and video resolve (evidence.py). The shares are tuned so that the probes of
# tests/iemomecp_dataset/synthetic/test_evidence.py find distance < text < text, audio and video, below the ceiling.
# Share of reactions that express no emotion in words, and of neutral utterances with the same words.
AMBIGUOUS_EMOTION = 0.3
NEUTRAL_AMBIGUOUS = 0.5
# Share of reactions to the previous utterance that name no topic ("because of this").
DEICTIC_NEAR = 0.1
# Share of reactions to an event of the same utterance that name its topic again.
SELF_NAMED = 0.25
# Probability that a topic keeps the word of its last mention.
SAME_WORD = 0.85

# Uneven lengths: in IEMOCAP half of a mini-batch of 16 random pairs is padding, and with these shares it is here too.
# Both are drawn independently of the plan, so that length carries no information about roles.
TERSE = 0.6
RAMBLING = 0.16
# Probability of another sentence in a rambling utterance, after each one.
FURTHER = 0.8


def word_chunk(chunk: ChunkPlan, words_per_topic: int, rng: random.Random) -> list[str]:
    """Generates the text of every utterance of a chunk.

    Args:
        chunk: Plan of the chunk.
        words_per_topic: Number of words in use for each topic.
        rng: Random generator.

    Returns:
        Text of each utterance, one or more sentences.
    """
    topic_words: dict[int, str] = {}

    def speak(topic: int) -> str:
        """Chooses the word for a topic: mostly the last one used in this chunk."""
        if topic not in topic_words or rng.random() >= SAME_WORD:
            topic_words[topic] = rng.choice(TOPICS[topic][:words_per_topic])
        return topic_words[topic]

    return [
        _word_utterance(utterance, chunk.utterances[:index], speak, rng)
        for index, utterance in enumerate(chunk.utterances)
    ]


def filler_sentence(rng: random.Random) -> str:
    """Generates the text of an utterance without a topic."""
    return _sentence(_join([rng.choice(INTERJECTIONS), rng.choice(FILLERS)]))


def _word_utterance(
    utterance: PlannedUtterance,
    earlier: Sequence[PlannedUtterance],
    word: Callable[[int], str],
    rng: random.Random,
) -> str:
    terse = rng.random() < TERSE
    clauses: list[str] = []
    backgrounds = [_background(word(topic), rng) for topic in utterance.backgrounds]
    named = [topic for topic, distance in utterance.reacts_to if distance != 1 or rng.random() >= DEICTIC_NEAR]
    own = utterance.event
    if own is not None and utterance.reacts_to_itself and rng.random() < SELF_NAMED:
        named.append(own)
    words = [word(topic) for topic in named]
    if utterance.reacts_to:
        clauses.append(_reaction(utterance.emotion, words, rng))
    if own is not None:
        event = rng.choice(EVENTS[utterance.polarity]).format(w=word(own))
        clauses.append(_join(["" if terse else rng.choice(OPENERS), event]))
    if utterance.reacts_to_itself and not utterance.reacts_to:
        clauses.append(_reaction(utterance.emotion, words, rng))
    if utterance.emotion == "neu":
        told = [before.event for before in earlier[-4:] if before.event is not None]
        if told and rng.random() < NEUTRAL_AMBIGUOUS:
            reference = rng.choice(REFERENCES).format(w=word(rng.choice(told)))
            clauses.append(rng.choice(AMBIGUOUS_REACTIONS).format(r=reference))
        elif told and rng.random() < 0.2:
            clauses.append(rng.choice(NEUTRAL_QUESTIONS).format(w=word(rng.choice(told))))
        elif utterance.event is not None and rng.random() < NEUTRAL_AMBIGUOUS:
            clauses.append(rng.choice(AMBIGUOUS_REACTIONS).format(r=rng.choice(DEICTIC_REFERENCES)))
        elif not clauses and not backgrounds:
            clauses.append(rng.choice(FILLERS))
    clauses = backgrounds + clauses if backgrounds and rng.random() < 0.5 else clauses + backgrounds
    if not terse:
        clauses[0] = _join([rng.choice(INTERJECTIONS), clauses[0]])
    return " ".join(_sentence(clause) for clause in clauses + _asides(rng))


def _asides(rng: random.Random) -> list[str]:
    """Generates the further sentences of a rambling utterance."""
    asides = []
    further = rng.random() < RAMBLING
    while further:
        asides.append(rng.choice(FILLERS))
        further = rng.random() < FURTHER
    return asides


def _reaction(emotion: str, words: Sequence[str], rng: random.Random) -> str:
    reference = rng.choice(REFERENCES).format(w=" and the ".join(words)) if words else rng.choice(DEICTIC_REFERENCES)
    clauses = AMBIGUOUS_REACTIONS if rng.random() < AMBIGUOUS_EMOTION else REACTIONS[emotion]
    return rng.choice(clauses).format(r=reference)


def _background(word: str, rng: random.Random) -> str:
    return rng.choice(BRIDGES if rng.random() < 0.3 else BACKGROUNDS).format(w=word)


def _join(parts: Sequence[str]) -> str:
    return " ".join(part.strip() for part in parts if part.strip())


def _sentence(clause: str) -> str:
    return f"{clause[0].upper()}{clause[1:]}."
