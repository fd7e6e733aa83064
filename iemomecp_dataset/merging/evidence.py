"""What a chunk's labels and a place in a source dialogue say about each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from iemomecp_dataset.overlay.chunks import OverlayChunk
from iemomecp_dataset.schema import IEMOCAP_EMOTIONS, ROLE_LABELS
from iemomecp_dataset.sources.ecpec import SourceDialogue

__all__ = [
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

_NEUTRAL = IEMOCAP_EMOTIONS.index("neu")
_CAUSE = ROLE_LABELS.index("emo_cause")
_NON_PAIR = ROLE_LABELS.index("non_pair")
_SHOWN = 5

Place = tuple[str, int]
"""A source dialogue, and the number of its turns before the place."""


def chunk_fingerprint(chunk: OverlayChunk) -> frozenset[int]:
    """Turns of a chunk that are the target of an ``emo_cause``.

    Args:
        chunk: The chunk.

    Returns:
        Turns, 1-based in the chunk.
    """
    return frozenset(pair.target for pair in chunk.pairs if pair.label == _CAUSE)


def place_fingerprint(dialogue: SourceDialogue, start: int, length: int) -> frozenset[int]:
    """Turns of a place that are not neutral.

    Args:
        dialogue: The source dialogue.
        start: Turns of the dialogue before the place.
        length: Turns of the place.

    Returns:
        Turns, 1-based in the place.
    """
    emotions = dialogue.emotions[start : start + length]
    return frozenset(turn for turn, emotion in enumerate(emotions, start=1) if emotion != _NEUTRAL)


def lost_source_pairs(chunk: OverlayChunk, dialogue: SourceDialogue, start: int) -> tuple[int, int]:
    """How many source pairs of a place the chunk calls non_pair, and how many there are: 24 of 9145 in the release."""
    inside = lost = 0
    for pair in chunk.pairs:
        if (pair.target + start, pair.cause + start) in dialogue.pairs:
            inside += 1
            lost += pair.label == _NON_PAIR
    return lost, inside


def belongs(chunk: OverlayChunk, dialogue: SourceDialogue, start: int) -> bool:
    """Whether few enough source pairs of a place are lost in a chunk for the two to belong together.

    Args:
        chunk: The chunk.
        dialogue: The source dialogue.
        start: Turns of the dialogue before the place.

    Returns:
        Whether at most two, or a quarter, of the source pairs are ``non_pair``.
    """
    lost, inside = lost_source_pairs(chunk, dialogue, start)
    return lost <= max(2, inside // 4)


def fits_exactly(chunk: OverlayChunk, dialogue: SourceDialogue, start: int) -> bool:
    """Whether nearly all source pairs are kept, and the forward ones are just the chunk's exceptions."""
    lost, inside = lost_source_pairs(chunk, dialogue, start)
    exceptions = {(pair.target, pair.cause) for pair in chunk.pairs if pair.cause > pair.target}
    end = start + chunk.num_utterances
    forward = {(target - start, cause - start) for target, cause in dialogue.pairs if start < target < cause <= end}
    return lost * 10 <= inside and exceptions == forward


def disagreement(chunk: OverlayChunk, dialogue: SourceDialogue, start: int) -> int:
    """Candidates that are a cause in one annotation only; 9 % of ConvECPE's pairs, 4 % of the release's causes."""
    return sum(
        (pair.label == _CAUSE) != ((pair.target + start, pair.cause + start) in dialogue.pairs) for pair in chunk.pairs
    )


def listing(items: Sequence[object]) -> str:
    """The first items, and how many more there are.

    Args:
        items: What to list.

    Returns:
        Text for a message.

    Example:
        >>> listing([1, 2]), listing([])
        ('1, 2', 'none')
    """
    if not items:
        return "none"
    shown = ", ".join(str(item) for item in items[:_SHOWN])
    return f"{shown} and {len(items) - _SHOWN} more" if len(items) > _SHOWN else shown


@dataclass(frozen=True)
class Placement:
    """Where a chunk lies.

    Attributes:
        dialogue_id: Source dialogue.
        start: Turns of the source dialogue before the chunk.
        chunk_index: The number in the chunk's id, else its order within the dialogue, from 0.
        method: ``id`` or ``fingerprint``.
    """

    dialogue_id: str
    start: int
    chunk_index: int
    method: str
