"""A conversation as a user has it: who said what, in which order; and the row that a model takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Conversation", "ConversationUtterance"]


@dataclass(frozen=True, slots=True)
class ConversationUtterance:
    """One utterance of a conversation.

    Attributes:
        speaker: Name of the speaker, not empty.
        text: What was said, without line breaks; empty only where there is a recording.
        start: Where it begins in its recording, in seconds; None if unknown.
        end: Where it ends, in seconds; None if unknown.
        audio: File with its sound, of this utterance alone, or with ``start`` and ``end`` of the whole conversation.
        video: The same for its pictures.
    """

    speaker: str
    text: str
    start: float | None = None
    end: float | None = None
    audio: str | None = None
    video: str | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation with at least one utterance.

    Attributes:
        name: What it is called: the name of its file or its ``dialogue_id``, else ``conversation`` or
            ``conversation_2``, …
        utterances: In order; the first is turn 1.
        format: What it was read as, such as ``text`` or ``webvtt``; ``records`` for Python objects.
        notes: What was changed or left out while it was read, one sentence each.
    """

    name: str
    utterances: tuple[ConversationUtterance, ...]
    format: str = "records"
    notes: tuple[str, ...] = ()

    def to_row(self) -> dict[str, Any]:
        """The conversation in the schema of this package's datasets, without emotions.

        It has no ``pairs``: for :func:`iemomecp_dataset.trainers.predict`, all pairs are then candidates.

        Example:
            >>> spoken = ConversationUtterance("Ana", "We missed it."), ConversationUtterance("Ben", "Oh no!")
            >>> row = Conversation("trip", spoken).to_row()
            >>> row["dialogue_id"], [u["utterance_id"] for u in row["utterances"]], "pairs" in row
            ('trip', ['trip_1', 'trip_2'], False)
        """
        return {
            "dialogue_id": self.name,
            "source_dialogue_id": self.name,
            "chunk_index": -1,
            "session": -1,
            "utterances": [
                {
                    "turn": turn,
                    "source_turn": turn,
                    "utterance_id": f"{self.name}_{turn}",
                    "speaker": spoken.speaker,
                    "text": spoken.text,
                    "emotion": None,
                    "start": spoken.start,
                    "end": spoken.end,
                    "wav": spoken.audio,
                    "video": spoken.video,
                }
                for turn, spoken in enumerate(self.utterances, start=1)
            ],
        }
