"""The label overlay in memory: chunks of dialogues with their labelled pairs, and the problems of label files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from iemomecp_dataset.excerpts import excerpt
from iemomecp_dataset.schema import ROLE_LABELS

__all__ = ["EMO_CAUSE", "EMO_CONTEXT", "NON_PAIR", "Overlay", "OverlayChunk", "OverlayPair", "Problem"]

EMO_CAUSE, EMO_CONTEXT, NON_PAIR = range(len(ROLE_LABELS))


@dataclass(frozen=True, slots=True)
class OverlayPair:
    """One labelled pair; turns are 1-based within the chunk.

    Attributes:
        target: Turn whose emotion is explained.
        cause: Candidate cause turn.
        label: Role, an id of :data:`iemomecp_dataset.schema.ROLE_LABELS`.
        source: Provenance of the label.
        taxonomy_label: The label before later annotation passes, verbatim.
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

    def targets(self, role: int) -> frozenset[int]:
        """Finds the turns that are the target of a pair with a role.

        Args:
            role: Id of the role. The targets of ``emo_cause`` are exactly the non-neutral turns of a chunk.

        Returns:
            Turns, 1-based within the chunk.
        """
        return frozenset(pair.target for pair in self.pairs if pair.label == role)


@dataclass(frozen=True)
class Overlay:
    """All chunks.

    Attributes:
        chunks: Chunks by split (train, validation, test), in file order.
        files: The file of each split.
        synthetic: Whether a file is marked as synthetic.
    """

    chunks: Mapping[str, tuple[OverlayChunk, ...]]
    files: Mapping[str, Path]
    synthetic: bool = False


@dataclass(frozen=True)
class Problem:
    """One problem of a label file; its text names file, dialogue and pair."""

    path: Path
    dialogue_id: str | None
    message: str

    def __str__(self) -> str:
        dialogue = f", dialogue {excerpt(self.dialogue_id, 80)!r}" if self.dialogue_id is not None else ""
        return f"{self.path}{dialogue}: {self.message}"
