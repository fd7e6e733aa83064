"""Places chunks with opaque ids by their labels, provided that there is exactly one solution."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.merging.evidence import (
    Place,
    Placement,
    belongs,
    chunk_fingerprint,
    disagreement,
    fits_exactly,
    listing,
    place_fingerprint,
)
from iemomecp_dataset.merging.tiling import MAX_SOLUTIONS, NUMBERED_IDS, tilings
from iemomecp_dataset.overlay.chunks import OverlayChunk
from iemomecp_dataset.sources.ecpec import SourceDialogue

__all__ = ["place_opaque_chunks"]

_SHOWN = 5
_MAX_STEPS = 2_000
_CLEARLY = 3  # Fewer disagreements than the next solution, for a solution to win.
_ENOUGH = 2  # Solutions in file order after which the search ends: there is not exactly one.


def place_opaque_chunks(
    undecided: Sequence[tuple[OverlayChunk, str | None]],
    free: Mapping[str, SourceDialogue],
    split_of: Mapping[str, str],
) -> dict[str, Placement]:
    """Places chunks whose ids do not determine their span.

    Args:
        undecided: Each chunk, and its dialogue if the id contains it.
        free: The dialogues that these chunks must cover exactly.
        split_of: Split by chunk id.

    Returns:
        Placements by chunk id.

    Raises:
        InvalidDataError: There is no solution, or more than one; the message lists chunks and candidate spans.

    See Also:
        :func:`iemomecp_dataset.merging.tiling.tilings` searches the solutions.
    """
    chunks = {chunk.dialogue_id: chunk for chunk, _ in undecided}
    total = sum(chunk.num_utterances for chunk in chunks.values())
    available = sum(len(dialogue) for dialogue in free.values())
    if total != available:
        raise InvalidDataError(
            f"{len(chunks)} chunk(s) whose ids do not contain a place have {total} utterances, but {available} "
            f"utterances of ConvECPE are left for them ({listing(sorted(free))}). A chunk or a dialogue is missing; "
            f"these chunks are: {listing(sorted(chunks))}."
        )
    patterns = {
        name: _pattern(place_fingerprint(dialogue, 0, len(dialogue)), len(dialogue)) for name, dialogue in free.items()
    }
    candidates: dict[str, list[Place]] = {}
    for chunk, within in undecided:
        pattern = _pattern(chunk_fingerprint(chunk), chunk.num_utterances)
        names = [within] if within is not None else list(free)
        candidates[chunk.dialogue_id] = [
            (name, start) for name in names for start in _occurrences(patterns[name], pattern)
        ]
    empty = [name for name, places in candidates.items() if not places]
    if empty:
        raise InvalidDataError(
            f"No place in ConvECPE has the emotions that the labels of these chunks imply: {listing(empty)}. The "
            f"labels and ConvECPE belong to different versions; fetch the files again."
        )
    # Pairs distinguish most places with the same emotions, and a dialogue belongs to one split. The requirements are
    # relaxed step by step until there is a solution.
    solutions: list[dict[str, Place]] = []
    fitting: dict[str, set[Place]] = {}
    for fits, splits in ((fits_exactly, split_of), (fits_exactly, {}), (belongs, split_of), (belongs, {})):
        fitting = {
            name: {place for place in places if fits(chunks[name], free[place[0]], place[1])}
            for name, places in candidates.items()
        }
        solutions = tilings(fitting, chunks, free, splits)
        if solutions:
            break
    solutions = _by_pairs(solutions, chunks, free)
    if len(solutions) > 1:
        # Files that keep the order of the dialogues resolve the remaining ambiguity.
        solutions = _by_pairs(_in_file_order(fitting, chunks, free), chunks, free) or solutions
    if len(solutions) != 1:
        differing = [
            name for name in chunks if solutions and len({solution[name] for solution in solutions}) > 1
        ] or sorted(candidates, key=lambda name: -len(candidates[name]))
        places = {
            name: sorted({solution[name] for solution in solutions}) if solutions else candidates[name]
            for name in differing[:_SHOWN]
        }
        lines = "\n  ".join(
            f"{name}: {listing([f'{dialogue} from turn {start + 1}' for dialogue, start in candidate])}"
            for name, candidate in places.items()
        )
        found = "more than one way" if solutions else "no way"
        raise InvalidDataError(
            f"There is {found} to place chunks whose ids do not contain a place by their emotions. Candidates:\n  "
            f"{lines}\n{NUMBERED_IDS}"
        )
    return _numbered(solutions[0])


def _pattern(turns: frozenset[int], length: int) -> str:
    """Writes emotional turns as 1 and neutral turns as 0, so that places can be searched as substrings."""
    return "".join("1" if turn in turns else "0" for turn in range(1, length + 1))


def _occurrences(text: str, pattern: str) -> Iterable[int]:
    start = text.find(pattern)
    while start >= 0:
        yield start
        start = text.find(pattern, start + 1)


def _numbered(solution: Mapping[str, Place]) -> dict[str, Placement]:
    placements = {}
    order: dict[str, int] = {}
    for name, (dialogue, start) in sorted(solution.items(), key=lambda item: item[1]):
        index = order.get(dialogue, 0)
        order[dialogue] = index + 1
        placements[name] = Placement(dialogue, start, index, "fingerprint")
    return placements


def _by_pairs(
    solutions: list[dict[str, Place]], chunks: Mapping[str, OverlayChunk], dialogues: Mapping[str, SourceDialogue]
) -> list[dict[str, Place]]:
    """Keeps the solution in which causes and source pairs agree clearly best, if there is one; else all."""
    if not 1 < len(solutions) < MAX_SOLUTIONS:
        return solutions
    ranked = sorted(
        (
            sum(disagreement(chunks[name], dialogues[place[0]], place[1]) for name, place in solution.items()),
            position,
        )
        for position, solution in enumerate(solutions)
    )
    if ranked[1][0] - ranked[0][0] >= _CLEARLY:
        return [solutions[ranked[0][1]]]
    return solutions


def _in_file_order(
    candidates: Mapping[str, Iterable[Place]],
    chunks: Mapping[str, OverlayChunk],
    dialogues: Mapping[str, SourceDialogue],
) -> list[dict[str, Place]]:
    """Finds up to two solutions in which the chunks of each dialogue follow one another in file order."""
    names = list(chunks)
    places = {name: set(candidates[name]) for name in names}
    found: list[dict[str, Place]] = []
    pending: list[dict[str, Place]] = [{}]
    steps = 0
    while pending and len(found) < _ENOUGH and steps < _MAX_STEPS:
        steps += 1
        chosen = pending.pop()
        if len(chosen) == len(names):
            found.append(chosen)
            continue
        used = {dialogue for dialogue, _ in chosen.values()}
        for dialogue, start in sorted(places[names[len(chosen)]]):
            if start == 0 and dialogue not in used:
                run = _run(names, len(chosen), dialogue, len(dialogues[dialogue]), places, chunks)
                if run:
                    pending.append({**chosen, **run})
    return found if steps < _MAX_STEPS else []


def _run(
    names: Sequence[str],
    first: int,
    dialogue: str,
    size: int,
    places: Mapping[str, set[Place]],
    chunks: Mapping[str, OverlayChunk],
) -> dict[str, Place]:
    """Places consecutive chunks so that they fill a dialogue exactly; empty if they do not."""
    run: dict[str, Place] = {}
    start = 0
    for name in names[first:]:
        if (dialogue, start) not in places[name]:
            return {}
        run[name] = (dialogue, start)
        start += chunks[name].num_utterances
        if start >= size:
            break
    return run if start == size else {}
