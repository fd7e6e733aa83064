"""Finds the place of every overlay chunk in its source dialogue.

Chunks of a dialogue are consecutive and partition it. Where a chunk's id holds
the id of a source dialogue and a number, that is its place, verified: the
lengths must partition the dialogue, and the chunk's fingerprint must be that of
the place. The fingerprint of a chunk is its set of targets with an
``emo_cause``; that of a place is its set of non-neutral turns. Where ids are
opaque, the fingerprints decide alone, and only if there is exactly one way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.overlay.chunks import OverlayChunk
from iemomecp_dataset.schema import IEMOCAP_EMOTIONS, ROLE_LABELS
from iemomecp_dataset.sources.ecpec import SourceDialogue

__all__ = ["Placement", "align", "chunk_number"]

_NEUTRAL = IEMOCAP_EMOTIONS.index("neu")
_CAUSE = ROLE_LABELS.index("emo_cause")
_NON_PAIR = ROLE_LABELS.index("non_pair")
_SHOWN = 5
_MAX_STEPS = 2_000
_MAX_SOLUTIONS = 16
_CLEARLY = 3
_ENOUGH = 2


@dataclass(frozen=True)
class Placement:
    """Where a chunk lies.

    Attributes:
        dialogue_id: Source dialogue.
        start: Turns of the source dialogue before the chunk.
        chunk_index: The number in the chunk's id, else its order within the dialogue, from 0.
        method: ``id`` or ``fingerprint``.
    """

    dialogue_id: str
    start: int
    chunk_index: int
    method: str


def align(
    splits: Mapping[str, Sequence[OverlayChunk]], dialogues: Mapping[str, SourceDialogue]
) -> dict[str, Placement]:
    """Places all chunks.

    Args:
        splits: Chunks by split, ids unique.
        dialogues: Source dialogues by id.

    Returns:
        Placements by chunk id; together they cover every source dialogue exactly once.

    Raises:
        InvalidDataError: Chunks do not partition a dialogue, ids and contents disagree, or opaque ids leave more than
            one way; the message names the chunks and their candidates.
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
    _verify(placements, by_id, dialogues)
    covered = {placement.dialogue_id for placement in placements.values()}
    free = {name: dialogue for name, dialogue in dialogues.items() if name not in covered}
    if undecided:
        split_of = {chunk.dialogue_id: split for split, members in splits.items() for chunk in members}
        placements.update(_by_fingerprint(undecided, free, split_of))
        _verify_coverage(placements, by_id, dialogues)
    elif free:
        names = sorted(free)
        raise InvalidDataError(
            f"The labels cover no chunk of {len(names)} ConvECPE dialogue(s): {_listing(names)}. The label files are "
            f"incomplete, or belong to another annotation; fetch them again."
        )
    return placements


def chunk_number(rest: str) -> int | None:
    """Reads the chunk number from what follows the dialogue in a chunk's id.

    Args:
        rest: What follows.

    Returns:
        The last number in it, or None.

    Example:
        >>> chunk_number("__c005"), chunk_number("-7"), chunk_number("")
        (5, 7, None)
    """
    match = re.search(r"(\d{1,9})\D*$", rest)
    return int(match[1]) if match else None


def _by_dialogue(
    chunks: Sequence[OverlayChunk], dialogues: Mapping[str, SourceDialogue]
) -> tuple[dict[str, list[tuple[OverlayChunk, int | None]]], list[OverlayChunk]]:
    # The longest id first: one dialogue's id can begin another's.
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


# --- fingerprints -------------------------------------------------------------------------------------------------


def _chunk_fingerprint(chunk: OverlayChunk) -> frozenset[int]:
    return frozenset(pair.target for pair in chunk.pairs if pair.label == _CAUSE)


def _place_fingerprint(dialogue: SourceDialogue, start: int, length: int) -> frozenset[int]:
    emotions = dialogue.emotions[start : start + length]
    return frozenset(turn for turn, emotion in enumerate(emotions, start=1) if emotion != _NEUTRAL)


def _lost_source_pairs(chunk: OverlayChunk, dialogue: SourceDialogue, start: int) -> tuple[int, int]:
    """How many source pairs of a place the chunk calls non_pair, and how many there are: 24 of 9145 in the release."""
    inside = lost = 0
    for pair in chunk.pairs:
        if (pair.target + start, pair.cause + start) in dialogue.pairs:
            inside += 1
            lost += pair.label == _NON_PAIR
    return lost, inside


def _belongs(chunk: OverlayChunk, dialogue: SourceDialogue, start: int) -> bool:
    lost, inside = _lost_source_pairs(chunk, dialogue, start)
    return lost <= max(2, inside // 4)


def _verify(
    placements: Mapping[str, Placement], chunks: Mapping[str, OverlayChunk], dialogues: Mapping[str, SourceDialogue]
) -> None:
    wrong: list[str] = []
    misfits: list[str] = []
    for chunk_id, placement in placements.items():
        chunk, dialogue = chunks[chunk_id], dialogues[placement.dialogue_id]
        labelled = _chunk_fingerprint(chunk)
        emotional = _place_fingerprint(dialogue, placement.start, chunk.num_utterances)
        if labelled != emotional:
            only_labels, only_source = sorted(labelled - emotional), sorted(emotional - labelled)
            wrong.append(
                f"{chunk_id} at turns {placement.start + 1} to {placement.start + chunk.num_utterances} of "
                f"{placement.dialogue_id}: with an emo_cause but neutral in ConvECPE: turns {_listing(only_labels)}; "
                f"emotional in ConvECPE but without an emo_cause: turns {_listing(only_source)}"
            )
            misfits.append(chunk_id)
        elif not _belongs(chunk, dialogue, placement.start):
            lost, inside = _lost_source_pairs(chunk, dialogue, placement.start)
            wrong.append(f"{chunk_id}: {lost} of the {inside} ConvECPE pairs at its place are labelled non_pair")
            misfits.append(chunk_id)
        elif _better_exchanged(chunk_id, placements, chunks, dialogues):
            wrong.append(f"{chunk_id}: its pairs fit the place of another chunk better than its own")
            misfits.append(chunk_id)
    if wrong:
        lines = "\n  ".join(wrong[:_SHOWN])
        more = f"\n  and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        raise InvalidDataError(
            f"The ids and the contents of {len(wrong)} chunk(s) disagree:\n  {lines}{more}"
            f"{_exchange_hint(misfits, placements, chunks, dialogues)}\n"
            f"Were chunks exchanged, or do the labels and ConvECPE belong to different versions? Fetch the files again."
        )


def _better_exchanged(
    chunk_id: str,
    placements: Mapping[str, Placement],
    chunks: Mapping[str, OverlayChunk],
    dialogues: Mapping[str, SourceDialogue],
) -> bool:
    """Whether two chunks of equal length and fingerprint would both lose fewer source pairs in each other's place."""
    chunk, place = chunks[chunk_id], placements[chunk_id]
    own, _ = _lost_source_pairs(chunk, dialogues[place.dialogue_id], place.start)
    if own == 0:
        return False
    for other_id, other_place in placements.items():
        other = chunks[other_id]
        if other_id == chunk_id or other.num_utterances != chunk.num_utterances:
            continue
        if _chunk_fingerprint(other) != _chunk_fingerprint(chunk):
            continue
        other_own, _ = _lost_source_pairs(other, dialogues[other_place.dialogue_id], other_place.start)
        here, _ = _lost_source_pairs(other, dialogues[place.dialogue_id], place.start)
        there, _ = _lost_source_pairs(chunk, dialogues[other_place.dialogue_id], other_place.start)
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
                and _place_fingerprint(dialogue, place.start, chunk.num_utterances) == _chunk_fingerprint(chunk)
                and _belongs(chunk, dialogue, place.start)
            ):
                return f"\nThe content of {chunk_id} fits the place of {other_id}."
    return ""


# --- opaque ids ---------------------------------------------------------------------------------------------------

_Place = tuple[str, int]


def _by_fingerprint(
    undecided: Sequence[tuple[OverlayChunk, str | None]],
    free: Mapping[str, SourceDialogue],
    split_of: Mapping[str, str],
) -> dict[str, Placement]:
    chunks = {chunk.dialogue_id: chunk for chunk, _ in undecided}
    total = sum(chunk.num_utterances for chunk in chunks.values())
    available = sum(len(dialogue) for dialogue in free.values())
    if total != available:
        raise InvalidDataError(
            f"{len(chunks)} chunk(s) without a readable place have {total} utterances, but {available} utterances of "
            f"ConvECPE are left for them ({_listing(sorted(free))}). A chunk or a dialogue is missing; such chunks "
            f"are: {_listing(sorted(chunks))}."
        )
    patterns = {
        name: "".join("0" if emotion == _NEUTRAL else "1" for emotion in dialogue.emotions)
        for name, dialogue in free.items()
    }
    candidates: dict[str, list[_Place]] = {}
    for chunk, within in undecided:
        fingerprint = _chunk_fingerprint(chunk)
        pattern = "".join("1" if turn in fingerprint else "0" for turn in range(1, chunk.num_utterances + 1))
        names = [within] if within is not None else list(free)
        candidates[chunk.dialogue_id] = [
            (name, start) for name in names for start in _occurrences(patterns[name], pattern)
        ]
    empty = [name for name, places in candidates.items() if not places]
    if empty:
        raise InvalidDataError(
            f"No place in ConvECPE has the emotions that the labels of these chunks imply: {_listing(empty)}. The "
            f"labels and ConvECPE belong to different versions; fetch the files again."
        )
    # Most places with the right emotions are told apart by their pairs, and a dialogue lies in one split alone. Where
    # that asks too much, less decides.
    solutions: list[dict[str, _Place]] = []
    fitting: dict[str, set[_Place]] = {}
    for fits, splits in ((_fits_exactly, split_of), (_fits_exactly, {}), (_belongs, split_of), (_belongs, {})):
        fitting = {
            name: {place for place in places if fits(chunks[name], free[place[0]], place[1])}
            for name, places in candidates.items()
        }
        solutions = _tilings(fitting, chunks, free, splits)
        if solutions:
            break
    solutions = _by_pairs(solutions, chunks, free)
    if len(solutions) > 1:
        # Files that keep the order of the dialogues settle what emotions and pairs leave open.
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
            f"{name}: {_listing([f'{dialogue} from turn {start + 1}' for dialogue, start in candidate])}"
            for name, candidate in places.items()
        )
        found = "more than one way" if solutions else "no way"
        raise InvalidDataError(
            f"There is {found} to place the chunks whose ids do not name a place by their emotions. Candidates:\n  "
            f"{lines}\nGive them ids such as 'Ses01F_impro01__c001'."
        )
    return _numbered(solutions[0])


def _fits_exactly(chunk: OverlayChunk, dialogue: SourceDialogue, start: int) -> bool:
    """Whether nearly all source pairs are kept, and the forward ones are just the chunk's exceptions."""
    lost, inside = _lost_source_pairs(chunk, dialogue, start)
    exceptions = {(pair.target, pair.cause) for pair in chunk.pairs if pair.cause > pair.target}
    end = start + chunk.num_utterances
    forward = {(target - start, cause - start) for target, cause in dialogue.pairs if start < target < cause <= end}
    return lost * 10 <= inside and exceptions == forward


def _occurrences(text: str, pattern: str) -> Iterable[int]:
    start = text.find(pattern)
    while start >= 0:
        yield start
        start = text.find(pattern, start + 1)


def _numbered(solution: Mapping[str, _Place]) -> dict[str, Placement]:
    placements = {}
    order: dict[str, int] = {}
    for name, (dialogue, start) in sorted(solution.items(), key=lambda item: item[1]):
        index = order.get(dialogue, 0)
        order[dialogue] = index + 1
        placements[name] = Placement(dialogue, start, index, "fingerprint")
    return placements


def _by_pairs(
    solutions: list[dict[str, _Place]], chunks: Mapping[str, OverlayChunk], dialogues: Mapping[str, SourceDialogue]
) -> list[dict[str, _Place]]:
    """Of several ways the one in which causes and source pairs agree clearly best, if there is one."""
    if not 1 < len(solutions) < _MAX_SOLUTIONS:
        return solutions
    ranked = sorted(
        (
            sum(_disagreement(chunks[name], dialogues[place[0]], place[1]) for name, place in solution.items()),
            position,
        )
        for position, solution in enumerate(solutions)
    )
    if ranked[1][0] - ranked[0][0] >= _CLEARLY:
        return [solutions[ranked[0][1]]]
    return solutions


def _in_file_order(
    candidates: Mapping[str, Iterable[_Place]],
    chunks: Mapping[str, OverlayChunk],
    dialogues: Mapping[str, SourceDialogue],
) -> list[dict[str, _Place]]:
    """At most two ways in which the chunks of each dialogue follow each other in the files, from first to last."""
    names = list(chunks)
    places = {name: set(candidates[name]) for name in names}
    found: list[dict[str, _Place]] = []
    pending: list[dict[str, _Place]] = [{}]
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
    places: Mapping[str, set[_Place]],
    chunks: Mapping[str, OverlayChunk],
) -> dict[str, _Place]:
    """The chunks from the first on that fill a dialogue exactly; nothing where they do not."""
    run: dict[str, _Place] = {}
    start = 0
    for name in names[first:]:
        if (dialogue, start) not in places[name]:
            return {}
        run[name] = (dialogue, start)
        start += chunks[name].num_utterances
        if start >= size:
            break
    return run if start == size else {}


def _disagreement(chunk: OverlayChunk, dialogue: SourceDialogue, start: int) -> int:
    """Candidates that are a cause in one annotation only; 9 % of ConvECPE's pairs, 4 % of the release's causes."""
    return sum(
        (pair.label == _CAUSE) != ((pair.target + start, pair.cause + start) in dialogue.pairs) for pair in chunk.pairs
    )


def _tilings(
    candidates: Mapping[str, set[_Place]],
    chunks: Mapping[str, OverlayChunk],
    dialogues: Mapping[str, SourceDialogue],
    splits: Mapping[str, str],
) -> list[dict[str, _Place]]:
    """Ways to cover every turn of every dialogue by one chunk, and to use every chunk once.

    With ``splits``, the split of each chunk, the chunks of one dialogue must be of one split.
    """
    lengths = {name: chunk.num_utterances for name, chunk in chunks.items()}
    sizes = {name: len(dialogue) for name, dialogue in dialogues.items()}
    found: list[dict[str, _Place]] = []
    pending = [{name: set(places) for name, places in candidates.items()}]
    steps = 0
    while pending and len(found) < _MAX_SOLUTIONS:
        steps += 1
        if steps > _MAX_STEPS:
            raise InvalidDataError(
                "Chunks whose ids do not name a place cannot be placed by their emotions: there are too many ways. "
                "Give them ids such as 'Ses01F_impro01__c001'."
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
    options: dict[str, set[_Place]], lengths: Mapping[str, int], sizes: Mapping[str, int], splits: Mapping[str, str]
) -> bool:
    """Removes places that cannot be; False when a chunk or a turn is left with nothing."""
    changed = True
    while changed:
        changed = False
        covering: dict[_Place, list[tuple[str, _Place]]] = {}
        for name, places in options.items():
            for dialogue, start in places:
                for turn in range(start, start + lengths[name]):
                    covering.setdefault((dialogue, turn), []).append((name, (dialogue, start)))
        if any((dialogue, turn) not in covering for dialogue, size in sizes.items() for turn in range(size)):
            return False
        for covers in covering.values():
            # A turn that one chunk alone can cover fixes that chunk, if it can do so from one place only.
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
                # A chunk that has one place left takes its turns from all others.
                taken = any(
                    other != name and len(options[other]) == 1
                    for turn in range(start, end[1])
                    for other, other_place in covering.get((dialogue, turn), ())
                    if other_place in options[other]
                )
                strange = splits.get(name, "") not in settled.get(dialogue, {splits.get(name, "")})
                if not joined or strange or (taken and len(places) > 1):
                    places.discard(place)
                    changed = True
                elif taken:
                    return False
            if not places:
                return False
    return True


def _verify_coverage(
    placements: Mapping[str, Placement], chunks: Mapping[str, OverlayChunk], dialogues: Mapping[str, SourceDialogue]
) -> None:
    covered: dict[str, int] = dict.fromkeys(dialogues, 0)
    for name, placement in placements.items():
        covered[placement.dialogue_id] += chunks[name].num_utterances
    wrong = sorted(name for name, count in covered.items() if count != len(dialogues[name]))
    if wrong:
        raise InvalidDataError(f"The chunks do not cover these ConvECPE dialogues exactly once: {_listing(wrong)}.")


def _listing(items: Sequence[object]) -> str:
    if not items:
        return "none"
    shown = ", ".join(str(item) for item in items[:_SHOWN])
    return f"{shown} and {len(items) - _SHOWN} more" if len(items) > _SHOWN else shown
