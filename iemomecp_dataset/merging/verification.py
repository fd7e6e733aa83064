"""Verifies that the content of each chunk fits the place that its id names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.merging.evidence import (
    Placement,
    belongs,
    chunk_fingerprint,
    listing,
    lost_source_pairs,
    place_fingerprint,
)
from iemomecp_dataset.merging.merge_report import Check
from iemomecp_dataset.overlay.chunks import OverlayChunk
from iemomecp_dataset.sources.ecpec import SourceDialogue

__all__ = ["emotional_turns_check", "verify_placements"]

_SHOWN = 5


def verify_placements(
    placements: Mapping[str, Placement],
    chunks: Mapping[str, OverlayChunk],
    dialogues: Mapping[str, SourceDialogue],
    max_label_mismatch: float = 0.0,
) -> None:
    """Compares each chunk with the place that its id names.

    Args:
        placements: Placements by chunk id.
        chunks: Chunks by id.
        dialogues: Source dialogues by id.
        max_label_mismatch: Accepted share of turns that are emotional in one of the two only; exchanged chunks are
            never accepted.

    Raises:
        InvalidDataError: Fingerprints or pairs disagree; the message names the chunks, the turns, and the place that a
            misplaced chunk would fit.
    """
    wrong: list[str] = []
    misfits: list[str] = []
    differing = 0
    for chunk_id, placement in placements.items():
        chunk, dialogue = chunks[chunk_id], dialogues[placement.dialogue_id]
        labeled = chunk_fingerprint(chunk)
        emotional = place_fingerprint(dialogue, placement.start, chunk.num_utterances)
        if labeled != emotional:
            only_labels, only_source = sorted(labeled - emotional), sorted(emotional - labeled)
            wrong.append(
                f"{chunk_id} at turns {placement.start + 1} to {placement.start + chunk.num_utterances} of "
                f"{placement.dialogue_id}: with an emo_cause but neutral in ConvECPE: turns {listing(only_labels)}; "
                f"emotional in ConvECPE but without an emo_cause: turns {listing(only_source)}"
            )
            misfits.append(chunk_id)
            differing += 1
        elif not belongs(chunk, dialogue, placement.start):
            lost, inside = lost_source_pairs(chunk, dialogue, placement.start)
            wrong.append(f"{chunk_id}: {lost} of the {inside} ConvECPE pairs at its place are labelled non_pair")
            misfits.append(chunk_id)
        elif _better_exchanged(chunk_id, placements, chunks, dialogues):
            wrong.append(f"{chunk_id}: its pairs fit the place of another chunk better than its own")
            misfits.append(chunk_id)
    if not wrong:
        return
    check = emotional_turns_check(placements, chunks, dialogues)
    hint = _exchange_hint(misfits, placements, chunks, dialogues)
    others = len(wrong) - differing
    if others or hint or check.share > max_label_mismatch:
        lines = "\n  ".join(wrong[:_SHOWN])
        more = f"\n  and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        raise InvalidDataError(
            f"The ids and the contents of {len(wrong)} chunk(s) disagree ({len(check.mismatches)} of {check.compared} "
            f"turns, {check.share:.2%}):\n  {lines}{more}{hint}\n"
            f"Were chunks exchanged, or do the labels and ConvECPE belong to different versions? Fetch the files again."
            f" If the ids are right and only single labels are wrong, raise max_label_mismatch=."
        )


def emotional_turns_check(
    placements: Mapping[str, Placement], chunks: Mapping[str, OverlayChunk], dialogues: Mapping[str, SourceDialogue]
) -> Check:
    """Compares the emotional turns of all chunks with ConvECPE's.

    Args:
        placements: Placements by chunk id.
        chunks: Chunks by id.
        dialogues: Source dialogues by id.

    Returns:
        One mismatch for each turn that is emotional in one of the two only.
    """
    mismatches: list[str] = []
    for chunk_id, placement in placements.items():
        chunk, dialogue = chunks[chunk_id], dialogues[placement.dialogue_id]
        labeled = chunk_fingerprint(chunk)
        emotional = place_fingerprint(dialogue, placement.start, chunk.num_utterances)
        mismatches += [
            f"{chunk_id}, turn {turn}: {'has an' if turn in labeled else 'has no'} emo_cause, "
            f"{'emotional' if turn in emotional else 'neutral'} in ConvECPE"
            for turn in sorted(labeled ^ emotional)
        ]
    compared = sum(chunks[chunk_id].num_utterances for chunk_id in placements)
    return Check("turns with an emo_cause against ConvECPE's emotional turns", compared, tuple(mismatches))


def _better_exchanged(
    chunk_id: str,
    placements: Mapping[str, Placement],
    chunks: Mapping[str, OverlayChunk],
    dialogues: Mapping[str, SourceDialogue],
) -> bool:
    """Checks for a chunk of equal length and fingerprint such that both lose no source pair if exchanged."""
    chunk, place = chunks[chunk_id], placements[chunk_id]
    own, _ = lost_source_pairs(chunk, dialogues[place.dialogue_id], place.start)
    if own == 0:
        return False
    for other_id, other_place in placements.items():
        other = chunks[other_id]
        if other_id == chunk_id or other.num_utterances != chunk.num_utterances:
            continue
        if chunk_fingerprint(other) != chunk_fingerprint(chunk):
            continue
        other_own, _ = lost_source_pairs(other, dialogues[other_place.dialogue_id], other_place.start)
        here, _ = lost_source_pairs(other, dialogues[place.dialogue_id], place.start)
        there, _ = lost_source_pairs(chunk, dialogues[other_place.dialogue_id], other_place.start)
        if own + other_own >= 2 and here + there == 0:
            return True
    return False


def _exchange_hint(
    misfits: Sequence[str],
    placements: Mapping[str, Placement],
    chunks: Mapping[str, OverlayChunk],
    dialogues: Mapping[str, SourceDialogue],
) -> str:
    for chunk_id in misfits[:20]:
        chunk = chunks[chunk_id]
        for other_id in misfits:
            place = placements[other_id]
            dialogue = dialogues[place.dialogue_id]
            if (
                other_id != chunk_id
                and chunks[other_id].num_utterances == chunk.num_utterances
                and place_fingerprint(dialogue, place.start, chunk.num_utterances) == chunk_fingerprint(chunk)
                and belongs(chunk, dialogue, place.start)
            ):
                return f"\nThe content of {chunk_id} fits the place of {other_id}."
    return ""
