"""Reads source dialogue and chunk number from the ids of chunks."""

from __future__ import annotations

import re

__all__ = ["chunk_number", "source_dialogue_of"]

# The ids of IEMOCAP dialogues: Ses01F_impro01, Ses02M_script03_2, Ses05M_script01_1b.
_IEMOCAP_DIALOGUE = re.compile(r"Ses\d\d[FM]_(?:impro\d{1,3}|script\d{1,3}_\d{1,3})(?:[a-z](?![A-Za-z0-9]))?")
_LAST_NUMBER = re.compile(r"(\d{1,9})\D*$")


def source_dialogue_of(chunk_id: str) -> tuple[str | None, int | None]:
    """Reads source dialogue and chunk number from a chunk's id.

    Args:
        chunk_id: A ``dialogue_id`` of the overlay, in any spelling that contains the id of an IEMOCAP dialogue.

    Returns:
        Source dialogue and chunk number; None for a part that the id lacks.

    Example:
        >>> source_dialogue_of("Ses01F_impro05__c005"), source_dialogue_of("dialogue 12")
        (('Ses01F_impro05', 5), (None, None))
    """
    match = _IEMOCAP_DIALOGUE.search(chunk_id)
    return (None, None) if match is None else (match[0], chunk_number(chunk_id[match.end() :]))


def chunk_number(suffix: str) -> int | None:
    """Reads the chunk number from the part of a chunk's id that follows the dialogue.

    Args:
        suffix: The end of an id, or a field that numbers the chunk.

    Returns:
        Its last number, or None.

    Example:
        >>> chunk_number("__c005"), chunk_number("-7"), chunk_number("")
        (5, 7, None)
    """
    match = _LAST_NUMBER.search(suffix)
    return int(match[1]) if match else None
