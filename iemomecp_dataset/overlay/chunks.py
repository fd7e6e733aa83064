"""The label overlay in memory: chunks of dialogues with their labelled pairs, and problems found in files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Overlay", "OverlayChunk", "OverlayPair", "Problem"]


@dataclass(frozen=True, slots=True)
class OverlayPair:
    """One labelled pair; turns are 1-based within the chunk.

    Attributes:
        target: Turn whose emotion is explained.
        cause: Turn that may cause it.
        label: Id of :data:`iemomecp_dataset.schema.ROLE_LABELS`.
        source: Where the label comes from.
        taxonomy_label: The label before later passes, kept as it is.
        context_subtypes: Ids of :data:`iemomecp_dataset.schema.CONTEXT_SUBTYPES`.
    """

    target: int
    cause: int
    label: int
    source: str | None
    taxonomy_label: str | None
    context_subtypes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class OverlayChunk:
    """One chunk, pairs in (target, cause) order."""

    dialogue_id: str
    num_utterances: int
    pairs: tuple[OverlayPair, ...]


@dataclass(frozen=True)
class Overlay:
    """All chunks.

    Attributes:
        chunks: Chunks by split (train, validation, test), in file order.
        files: The file of each split.
        synthetic: Whether a file says that it is synthetic.
    """

    chunks: Mapping[str, tuple[OverlayChunk, ...]]
    files: Mapping[str, Path]
    synthetic: bool = False


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a label file; its text names file, dialogue and pair."""

    path: Path
    dialogue_id: str | None
    message: str

    def __str__(self) -> str:
        dialogue = f", dialogue {self.dialogue_id!r}" if self.dialogue_id is not None else ""
        return f"{self.path}{dialogue}: {self.message}"
