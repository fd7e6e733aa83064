"""Overlay chunks as rows: the labels alone, everything that IEMOCAP would tell left null."""

from __future__ import annotations

import re
from pathlib import Path

from iemomecp_dataset.overlay.chunks import OverlayChunk
from iemomecp_dataset.overlay.validation import read_overlay
from iemomecp_dataset.reader import Loaded
from iemomecp_dataset.schema import Row
from iemomecp_dataset.sources.iemocap_release import chunk_number, session_of

__all__ = ["load_overlay", "overlay_row", "source_dialogue_of"]

# The ids of IEMOCAP dialogues: Ses01F_impro01, Ses02M_script03_2, Ses05M_script01_1b.
_IEMOCAP_DIALOGUE = re.compile(r"Ses\d\d[FM]_(?:impro\d{1,3}|script\d{1,3}_\d{1,3})(?:[a-z](?![A-Za-z0-9]))?")


def source_dialogue_of(chunk_id: str) -> tuple[str | None, int | None]:
    """Reads source dialogue and chunk number from a chunk's id.

    Args:
        chunk_id: A ``dialogue_id`` of the overlay.

    Returns:
        Both, or None for what the id does not tell.

    Example:
        >>> source_dialogue_of("Ses01F_impro05__c005"), source_dialogue_of("dialogue 12")
        (('Ses01F_impro05', 5), (None, None))
    """
    match = _IEMOCAP_DIALOGUE.search(chunk_id)
    if match is None:
        return None, None
    return match[0], chunk_number(chunk_id[match.end() :])


def load_overlay(label_dir: Path) -> Loaded:
    """Reads the labels alone.

    Args:
        label_dir: Folder of the label files.

    Returns:
        One row per chunk, by split.

    Raises:
        IemomecpError: A file is missing or anything is wrong with it.
    """
    overlay = read_overlay(label_dir)
    rows = {split: [overlay_row(chunk) for chunk in chunks] for split, chunks in overlay.chunks.items()}
    return Loaded(rows=rows, synthetic=overlay.synthetic)


def overlay_row(chunk: OverlayChunk) -> Row:
    """Turns a chunk into a row.

    Args:
        chunk: The chunk.

    Returns:
        The row; its utterances have turns and nothing else.
    """
    source, number = source_dialogue_of(chunk.dialogue_id)
    return {
        "dialogue_id": chunk.dialogue_id,
        "source_dialogue_id": source,
        "chunk_index": -1 if number is None else number,
        "session": session_of(source or ""),
        "utterances": [
            {
                "turn": turn,
                "source_turn": None,
                "utterance_id": None,
                "speaker": None,
                "text": None,
                "emotion": None,
                "start": None,
                "end": None,
                "wav": None,
                "video": None,
            }
            for turn in range(1, chunk.num_utterances + 1)
        ],
        "pairs": [
            {
                "target_turn": pair.target,
                "cause_turn": pair.cause,
                "label": pair.label,
                "source_pair": None,
                "context_subtypes": list(pair.context_subtypes),
                "taxonomy_label": pair.taxonomy_label,
                "label_source": pair.source,
            }
            for pair in chunk.pairs
        ],
    }
