"""Writes the text layout of ECF 1.0, which HiLo and MECPE-2step share.

A dialogue is a header ``ID N``, a line of ``(target,cause)`` pairs or an empty one, and N lines of five fields.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from iemomecp_dataset.benchmark.peers.exports.peer_dialogues import NO_TIME, PeerDialogue

__all__ = ["count_times", "ecf_text"]


def count_times(dialogues: Iterable[PeerDialogue], counts: Counter[str]) -> None:
    """Counts what the last field lacks: times, and the name of the episode, for which the dialogue's id stands."""
    for dialogue in dialogues:
        without = sum(utterance.time == NO_TIME for utterance in dialogue.utterances)
        counts[f"utterances without a time (the field is {NO_TIME})"] += without
        if not dialogue.row.get("episode"):
            counts["times without the name of the episode"] += len(dialogue.utterances) - without


def ecf_text(dialogues: Iterable[PeerDialogue]) -> str:
    """Lays out dialogues.

    Args:
        dialogues: The dialogues, in the order of the file.

    Returns:
        Content of the file; its lines end with LF.

    See Also:
        :func:`iemomecp_dataset.corpora.ecf.read_ecf_text` reads it.
    """
    lines: list[str] = []
    for dialogue in dialogues:
        lines.append(f"{dialogue.peer_id} {len(dialogue.utterances)}")
        lines.append(",".join(f"({target},{cause})" for target, cause in dialogue.pairs))
        for turn, utterance in enumerate(dialogue.utterances, start=1):
            fields = (str(turn), utterance.speaker, utterance.emotion, utterance.text, utterance.time)
            lines.append(" | ".join(fields))
    return "".join(f"{line}\n" for line in lines)
