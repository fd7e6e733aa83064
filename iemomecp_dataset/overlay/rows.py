"""Rows of the configuration ``overlay``: the labels alone; every column that needs IEMOCAP is null."""

from __future__ import annotations

from pathlib import Path

from iemomecp_dataset.overlay.chunk_ids import source_dialogue_of
from iemomecp_dataset.overlay.chunks import OverlayChunk
from iemomecp_dataset.overlay.validation import read_overlay
from iemomecp_dataset.reader import Loaded
from iemomecp_dataset.schema import Row
from iemomecp_dataset.sources.iemocap_release import session_of

__all__ = ["load_overlay", "overlay_row"]


def load_overlay(label_dir: Path) -> Loaded:
    """Loads the labels without the texts.

    Args:
        label_dir: Folder of the label files.

    Returns:
        Rows by split, one per chunk.

    Raises:
        IemomecpError: A label file is missing or invalid.
    """
    overlay = read_overlay(label_dir)
    rows = {split: [overlay_row(chunk) for chunk in chunks] for split, chunks in overlay.chunks.items()}
    return Loaded(rows=rows, synthetic=overlay.synthetic)


def overlay_row(chunk: OverlayChunk) -> Row:
    """Converts a chunk to a row of the common schema.

    Args:
        chunk: The chunk.

    Returns:
        The row; its utterances have a turn, and null in all other fields.
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
        "explanations": [],
    }
