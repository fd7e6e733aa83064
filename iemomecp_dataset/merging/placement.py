"""Where a chunk lies in its source dialogue."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Placement"]


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
