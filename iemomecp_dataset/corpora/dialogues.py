"""Dialogues with gold pairs, as every corpus reader yields them, and their conversion to rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from iemomecp_dataset.candidates import CandidateSpace, labeled_candidates
from iemomecp_dataset.corpora.clips import StatedTimes
from iemomecp_dataset.schema import CauseAnnotationRow, ExplanationRow, Row

__all__ = ["CorpusDialogue", "CorpusUtterance", "corpus_row"]


@dataclass(frozen=True)
class CorpusUtterance:
    """One utterance, whose turn is its position; ``emotion`` is None where annotators did not agree.

    ``start`` and ``end`` are in seconds within the recording; ``video`` is the name of its clip's file, which need not
    be there; ``source_turn`` is its turn as the files number it, where that is not the position; ``times`` are episode
    and times as the file writes them.
    """

    utterance_id: str
    speaker: str
    text: str
    emotion: str | None
    start: float | None = None
    end: float | None = None
    wav: str | None = None
    video: str | None = None
    source_turn: int | None = None
    times: StatedTimes | None = None


@dataclass(frozen=True)
class CorpusDialogue:
    """One dialogue; ``gold`` has distinct ``(target_turn, cause_turn)``, 1-based.

    ``explanations`` are in the order of their targets. ``listed`` has the gold pairs in the order of the file, as often
    as it lists them; it is empty where the reader does not keep that order.
    """

    dialogue_id: str
    utterances: Sequence[CorpusUtterance]
    gold: frozenset[tuple[int, int]]
    explanations: Sequence[ExplanationRow] = ()
    listed: Sequence[tuple[int, int]] = ()
    cause_annotations: Sequence[CauseAnnotationRow] = ()


def corpus_row(dialogue: CorpusDialogue, emotions: Sequence[str], space: CandidateSpace | None) -> Row:
    """Turns a dialogue into a row.

    Args:
        dialogue: The dialogue.
        emotions: Emotion names by id.
        space: Which pairs are candidates; with ``past`` the row also lists the gold pairs that are not. None for a
            corpus without cause pairs.

    Returns:
        The row.
    """
    ids = {name: index for index, name in enumerate(emotions)}
    n_turns = len(dialogue.utterances)
    pairs, outside = ([], []) if space is None else labeled_candidates(n_turns, dialogue.gold, space)
    row: Row = {
        "dialogue_id": dialogue.dialogue_id,
        "source_dialogue_id": dialogue.dialogue_id,
        "chunk_index": -1,
        "session": -1,
        "utterances": [
            {
                "turn": turn,
                "source_turn": turn if utterance.source_turn is None else utterance.source_turn,
                "utterance_id": utterance.utterance_id,
                "speaker": utterance.speaker,
                "text": utterance.text,
                "emotion": None if utterance.emotion is None else ids[utterance.emotion],
                "start": utterance.start,
                "end": utterance.end,
                "wav": utterance.wav,
                "video": utterance.video,
            }
            for turn, utterance in enumerate(dialogue.utterances, start=1)
        ],
        "pairs": pairs,
        "explanations": list(dialogue.explanations),
    }
    if space == "past":
        row["gold_outside_candidates"] = outside
    return row
