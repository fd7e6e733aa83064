"""Aligns the chunks of the overlay with spans of their source dialogues.

The chunks of a dialogue are consecutive and partition it. If a chunk's id
contains the id of a source dialogue and a number, these give its span, which is
verified: the lengths must partition the dialogue, and the fingerprint of the
chunk must equal that of the span. The fingerprint of a chunk is its set of
targets of an ``emo_cause``; that of a span is its set of non-neutral turns. If
ids are opaque, chunks are placed by fingerprints and pairs, provided that there
is exactly one solution.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.merging.evidence import Placement, listing
from iemomecp_dataset.merging.opaque_placement import place_opaque_chunks
from iemomecp_dataset.merging.verification import verify_placements
from iemomecp_dataset.overlay.chunk_ids import chunk_number
from iemomecp_dataset.overlay.chunks import OverlayChunk
from iemomecp_dataset.sources.ecpec import SourceDialogue

__all__ = ["align"]


def align(
    splits: Mapping[str, Sequence[OverlayChunk]],
    dialogues: Mapping[str, SourceDialogue],
    max_label_mismatch: float = 0.0,
) -> dict[str, Placement]:
    """Places all chunks.

    Args:
        splits: Chunks by split, ids unique.
        dialogues: Source dialogues by id.
        max_label_mismatch: Accepted share of turns that are emotional in either the labels or the source only; applies
            to chunks placed by their ids.

    Returns:
        Placements by chunk id; together they cover every source dialogue exactly once.

    Raises:
        InvalidDataError: Chunks do not partition a dialogue, ids and contents disagree, or opaque ids allow no or
            several solutions; the message names the chunks and their candidate spans.
    """
    chunks = [chunk for members in splits.values() for chunk in members]
    named, opaque = _by_dialogue(chunks, dialogues)
    placements: dict[str, Placement] = {}
    undecided: list[tuple[OverlayChunk, str | None]] = [(chunk, None) for chunk in opaque]
    for dialogue_id, members in named.items():
        numbers = [number for _, number in members]
        if len(members) > 1 and (None in numbers or len(set(numbers)) < len(numbers)):
            undecided.extend((chunk, dialogue_id) for chunk, _ in members)
        else:
            placements.update(_by_number(dialogues[dialogue_id], members))
    by_id = {chunk.dialogue_id: chunk for chunk in chunks}
    verify_placements(placements, by_id, dialogues, max_label_mismatch)
    covered = {placement.dialogue_id for placement in placements.values()}
    free = {name: dialogue for name, dialogue in dialogues.items() if name not in covered}
    if undecided:
        split_of = {chunk.dialogue_id: split for split, members in splits.items() for chunk in members}
        placements.update(place_opaque_chunks(undecided, free, split_of))
        _verify_coverage(placements, by_id, dialogues)
    elif free:
        names = sorted(free)
        raise InvalidDataError(
            f"The labels cover no chunk of {len(names)} ConvECPE dialogue(s): {listing(names)}. The label files are "
            f"incomplete, or belong to another annotation; fetch them again."
        )
    return placements


def _by_dialogue(
    chunks: Sequence[OverlayChunk], dialogues: Mapping[str, SourceDialogue]
) -> tuple[dict[str, list[tuple[OverlayChunk, int | None]]], list[OverlayChunk]]:
    # Longest id first, as the id of one dialogue can be the beginning of another's.
    ids = "|".join(re.escape(name) for name in sorted(dialogues, key=len, reverse=True))
    pattern = re.compile(rf"(?<![A-Za-z0-9])({ids})(?!\d)")
    named: dict[str, list[tuple[OverlayChunk, int | None]]] = {}
    opaque: list[OverlayChunk] = []
    for chunk in chunks:
        match = pattern.search(chunk.dialogue_id)
        if match is None:
            opaque.append(chunk)
        else:
            number = chunk_number(chunk.dialogue_id[match.end() :])
            named.setdefault(match[1], []).append((chunk, number))
    return named, opaque


def _by_number(dialogue: SourceDialogue, members: Iterable[tuple[OverlayChunk, int | None]]) -> dict[str, Placement]:
    ordered = sorted(members, key=lambda member: member[1] or 0)
    total = sum(chunk.num_utterances for chunk, _ in ordered)
    if total != len(dialogue):
        lengths = ", ".join(f"{chunk.dialogue_id} ({chunk.num_utterances})" for chunk, _ in ordered)
        raise InvalidDataError(
            f"Dialogue {dialogue.dialogue_id!r} has {len(dialogue)} utterances in ConvECPE, but its chunks have "
            f"{total}: {lengths}. A chunk is missing, has a wrong id, or the files belong to different versions."
        )
    placements = {}
    start = 0
    for order, (chunk, number) in enumerate(ordered):
        index = order if number is None else number
        placements[chunk.dialogue_id] = Placement(dialogue.dialogue_id, start, index, "id")
        start += chunk.num_utterances
    return placements


def _verify_coverage(
    placements: Mapping[str, Placement], chunks: Mapping[str, OverlayChunk], dialogues: Mapping[str, SourceDialogue]
) -> None:
    covered: dict[str, int] = dict.fromkeys(dialogues, 0)
    for name, placement in placements.items():
        covered[placement.dialogue_id] += chunks[name].num_utterances
    wrong = sorted(name for name, count in covered.items() if count != len(dialogues[name]))
    if wrong:
        raise InvalidDataError(f"The chunks do not cover these ConvECPE dialogues exactly once: {listing(wrong)}.")
