"""Reads maps that the authors of a corpus publish: which utterance of the corpus that it was built on each one is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from iemomecp_dataset.corpora.ecf import conversation_blocks
from iemomecp_dataset.errors import InvalidDataError

__all__ = ["MappedUtterance", "read_utterance_map"]

_ORIGIN = re.compile(r"((?:train|dev|test)_dia\d{1,9})_utt\d{1,9}")
_N_FIELDS = 5


class MappedUtterance(NamedTuple):
    """An utterance of a map.

    Attributes:
        speaker: Its speaker, by which a numbering other than the map's is noticed.
        dialogue: Dialogue of the other corpus, such as ``train_dia559``; None for an utterance that was added.
        utterance: Utterance of the other corpus, such as ``train_dia559_utt0``; likewise.
    """

    speaker: str
    dialogue: str | None
    utterance: str | None


def read_utterance_map(path: Path) -> dict[str, list[MappedUtterance]]:
    """Reads ``all_data_pair_ECFvsMELD.txt``: ECF 1.0 with ids of MELD in the place of times.

    Args:
        path: The file; it may hold some of the conversations only.

    Returns:
        Utterances by conversation, in the order of their turns.

    Raises:
        InvalidDataError: The file is malformed; the message names file, line and conversation.
        MissingDataError: The file cannot be read.
    """
    conversations: dict[str, list[MappedUtterance]] = {}
    for number, conversation, _, lines in conversation_blocks(path):
        mapped = conversations.setdefault(conversation, [])
        for turn, line in enumerate(lines, start=1):
            fields = [field.strip() for field in line.split("|")]
            match = _ORIGIN.fullmatch(fields[-1])
            if len(fields) < _N_FIELDS or fields[0] != str(turn) or (fields[-1] and match is None):
                raise InvalidDataError(
                    f"{path}, line {number + 1 + turn}, conversation {conversation}: expected '{turn} | speaker | "
                    f"emotion | text | train_dia0_utt0' (the id may be missing), found an entry {fields[0][:10]!r} of "
                    f"{len(fields)} fields with the id {fields[-1][:40]!r}."
                )
            mapped.append(MappedUtterance(fields[1], match[1] if match else None, match[0] if match else None))
    return conversations
