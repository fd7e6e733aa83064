"""Exact cover: finds assignments that cover every turn with exactly one chunk and use every chunk once."""

from __future__ import annotations

from collections.abc import Mapping

from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.merging.evidence import Place
from iemomecp_dataset.overlay.chunks import OverlayChunk
from iemomecp_dataset.sources.ecpec import SourceDialogue

__all__ = ["MAX_SOLUTIONS", "NUMBERED_IDS", "tilings"]

_MAX_STEPS = 2_000
MAX_SOLUTIONS = 16
"""Number of solutions after which the search ends."""

NUMBERED_IDS = "Give them ids such as 'Ses01F_impro01__c001'."
"""Remedy for chunks that cannot be placed, for error messages."""


def tilings(
    candidates: Mapping[str, set[Place]],
    chunks: Mapping[str, OverlayChunk],
    dialogues: Mapping[str, SourceDialogue],
    splits: Mapping[str, str],
) -> list[dict[str, Place]]:
    """Finds assignments of chunks to places that cover every turn once and use every chunk once.

    Constraint propagation, then a depth-first search on the chunk with the fewest places left.

    Args:
        candidates: Possible places by chunk id.
        chunks: Chunks by id.
        dialogues: Source dialogues by id.
        splits: Split by chunk id; if not empty, the chunks of a dialogue must belong to one split.

    Returns:
        Up to :data:`MAX_SOLUTIONS` assignments, place by chunk id.

    Raises:
        InvalidDataError: The search did not end within 2000 steps.
    """
    lengths = {name: chunk.num_utterances for name, chunk in chunks.items()}
    sizes = {name: len(dialogue) for name, dialogue in dialogues.items()}
    found: list[dict[str, Place]] = []
    pending = [{name: set(places) for name, places in candidates.items()}]
    steps = 0
    while pending and len(found) < MAX_SOLUTIONS:
        steps += 1
        if steps > _MAX_STEPS:
            raise InvalidDataError(
                "Chunks whose ids do not contain a place cannot be placed by their emotions: there are too many ways. "
                f"{NUMBERED_IDS}"
            )
        options = pending.pop()
        if not _propagate(options, lengths, sizes, splits):
            continue
        open_chunks = [name for name, places in options.items() if len(places) > 1]
        if not open_chunks:
            found.append({name: next(iter(places)) for name, places in options.items()})
            continue
        chosen = min(open_chunks, key=lambda name: len(options[name]))
        for place in sorted(options[chosen]):
            pending.append({**{name: set(places) for name, places in options.items()}, chosen: {place}})
    return found


def _propagate(
    options: dict[str, set[Place]], lengths: Mapping[str, int], sizes: Mapping[str, int], splits: Mapping[str, str]
) -> bool:
    """Removes impossible places; False if no place is left for a chunk, or no chunk for a turn."""
    changed = True
    while changed:
        changed = False
        covering: dict[Place, list[tuple[str, Place]]] = {}
        for name, places in options.items():
            for dialogue, start in places:
                for turn in range(start, start + lengths[name]):
                    covering.setdefault((dialogue, turn), []).append((name, (dialogue, start)))
        if any((dialogue, turn) not in covering for dialogue, size in sizes.items() for turn in range(size)):
            return False
        for covers in covering.values():
            # If a single place of a single chunk can cover a turn, that place is fixed.
            if len(covers) == 1:
                name, place = covers[0]
                if place not in options[name]:
                    return False
                if len(options[name]) > 1:
                    options[name] = {place}
                    changed = True
        settled: dict[str, set[str]] = {}
        for name, places in options.items():
            if splits and len(places) == 1:
                settled.setdefault(next(iter(places))[0], set()).add(splits[name])
        if any(len(members) > 1 for members in settled.values()):
            return False
        starts = {place for places in options.values() for place in places}
        ends = {(dialogue, start + lengths[name]) for name, places in options.items() for dialogue, start in places}
        for name, places in options.items():
            for place in list(places):
                dialogue, start = place
                end = (dialogue, start + lengths[name])
                joined = (start == 0 or place in ends) and (end[1] == sizes[dialogue] or end in starts)
                # The turns of a chunk with one place left are not available to others.
                taken = any(
                    other != name and len(options[other]) == 1
                    for turn in range(start, end[1])
                    for other, other_place in covering.get((dialogue, turn), ())
                    if other_place in options[other]
                )
                other_split = splits.get(name, "") not in settled.get(dialogue, {splits.get(name, "")})
                if not joined or other_split or (taken and len(places) > 1):
                    places.discard(place)
                    changed = True
                elif taken:
                    return False
            if not places:
                return False
    return True
