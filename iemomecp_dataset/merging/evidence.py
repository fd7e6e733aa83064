"""Evidence that a chunk belongs to a span of a source dialogue: its labels against emotions and source pairs.

In the release every non-neutral turn, and no other, is the target of an ``emo_cause``, so the targets fingerprint the
span a chunk was cut from. Source pairs tell equal fingerprints apart, because nearly all of them keep a role: 24 of
9145 became ``non_pair``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from iemomecp_dataset.overlay.chunks import EMO_CAUSE, NON_PAIR, OverlayChunk
from iemomecp_dataset.schema import IEMOCAP_EMOTIONS
from iemomecp_dataset.sources.ecpec import SourceDialogue

__all__ = [
    "NEUTRAL",
    "Place",
    "Placement",
    "belongs",
    "chunk_fingerprint",
    "disagreement",
    "fits_exactly",
    "listing",
    "lost_source_pairs",
    "place_fingerprint",
]

NEUTRAL = IEMOCAP_EMOTIONS.index("neu")
"""Id of the neutral emotion."""

_SHOWN = 5

Place = tuple[str, int]
"""A span of a source dialogue: id of the dialogue, and number of its turns before the span."""


@dataclass(frozen=True)
class Placement:
    """The span of a source dialogue that a chunk was cut from.

    Attributes:
        dialogue_id: Source dialogue.
        start: Number of turns of the source dialogue before the chunk.
        chunk_index: The number in the chunk's id, else its order within the dialogue, from 0.
        method: ``id`` or ``fingerprint``.
    """

    dialogue_id: str
    start: int
    chunk_index: int
    method: str


def chunk_fingerprint(chunk: OverlayChunk) -> frozenset[int]:
    """Finds the turns of a chunk that are emotional according to its labels.

    Args:
        chunk: The chunk.

    Returns:
        Targets of an ``emo_cause``, 1-based within the chunk.

    See Also:
        :func:`place_fingerprint`, which it must equal where the chunk belongs.
    """
    return chunk.targets(EMO_CAUSE)


def place_fingerprint(dialogue: SourceDialogue, start: int, length: int) -> frozenset[int]:
    """Finds the turns of a span that are emotional according to ConvECPE.

    Args:
        dialogue: The source dialogue.
        start: Number of turns before the span.
        length: Number of turns of the span.

    Returns:
        Non-neutral turns, 1-based within the span.

    See Also:
        :func:`chunk_fingerprint`.
    """
    emotions = dialogue.emotions[start : start + length]
    return frozenset(turn for turn, emotion in enumerate(emotions, start=1) if emotion != NEUTRAL)


def lost_source_pairs(chunk: OverlayChunk, dialogue: SourceDialogue, start: int) -> tuple[int, int]:
    """Counts the source pairs of a span that the chunk labels ``non_pair``.

    Args:
        chunk: The chunk.
        dialogue: The source dialogue.
        start: Number of turns before the span.

    Returns:
        Lost source pairs, and all source pairs among the chunk's candidates; 24 and 9145 over the whole release.
    """
    inside = lost = 0
    for pair in chunk.pairs:
        if (pair.target + start, pair.cause + start) in dialogue.pairs:
            inside += 1
            lost += pair.label == NON_PAIR
    return lost, inside


def belongs(chunk: OverlayChunk, dialogue: SourceDialogue, start: int) -> bool:
    """Decides whether the pairs of a chunk are compatible with a span.

    Args:
        chunk: The chunk.
        dialogue: The source dialogue.
        start: Number of turns before the span.

    Returns:
        Whether at most two, or at most a quarter, of the source pairs are ``non_pair``.

    See Also:
        :func:`fits_exactly` is stricter.
    """
    lost, inside = lost_source_pairs(chunk, dialogue, start)
    return lost <= max(2, inside // 4)


def fits_exactly(chunk: OverlayChunk, dialogue: SourceDialogue, start: int) -> bool:
    """Decides whether the pairs of a chunk match a span as closely as in the release.

    Args:
        chunk: The chunk.
        dialogue: The source dialogue.
        start: Number of turns before the span.

    Returns:
        Whether at most a tenth of the source pairs are ``non_pair``, and the forward source pairs are exactly the
        chunk's temporal exceptions.

    See Also:
        :func:`belongs` is more tolerant.
    """
    lost, inside = lost_source_pairs(chunk, dialogue, start)
    exceptions = {(pair.target, pair.cause) for pair in chunk.pairs if pair.cause > pair.target}
    end = start + chunk.num_utterances
    forward = {(target - start, cause - start) for target, cause in dialogue.pairs if start < target < cause <= end}
    return lost * 10 <= inside and exceptions == forward


def disagreement(chunk: OverlayChunk, dialogue: SourceDialogue, start: int) -> int:
    """Counts the candidates that are a cause in one of the two annotations only.

    Args:
        chunk: The chunk.
        dialogue: The source dialogue.
        start: Number of turns before the span.

    Returns:
        Candidates that are either ``emo_cause`` or a source pair; in the release 9 % of ConvECPE's pairs and 4 % of the
        causes.
    """
    return sum(
        (pair.label == EMO_CAUSE) != ((pair.target + start, pair.cause + start) in dialogue.pairs)
        for pair in chunk.pairs
    )


def listing(items: Sequence[object]) -> str:
    """Lists the first five items and the number of all others, for messages.

    Args:
        items: Items to list.

    Returns:
        Text.

    Example:
        >>> listing([1, 2]), listing([]), listing("abcdefg")
        ('1, 2', 'none', 'a, b, c, d, e and 2 more')
    """
    if not items:
        return "none"
    shown = ", ".join(str(item) for item in items[:_SHOWN])
    return f"{shown} and {len(items) - _SHOWN} more" if len(items) > _SHOWN else shown
