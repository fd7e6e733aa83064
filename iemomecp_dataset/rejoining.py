"""Rejoins the chunks of a dialogue, for models of context: the rows of IEMO-MECP are chunks."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, cast

from iemomecp_dataset.errors import InvalidDataError, UsageError
from iemomecp_dataset.schema import Row

__all__ = ["whole_dialogues"]


def whole_dialogues(rows: Iterable[Row | Mapping[str, Any]]) -> list[Row]:
    """Makes one row of all chunks of each source dialogue.

    Args:
        rows: Rows as :func:`iemomecp_dataset.load` gives them, of one split, in any order.

    Returns:
        One row per ``source_dialogue_id`` (where that is null, per row), in the order of their first chunks. Its
        ``dialogue_id`` is the source's, its utterances are in source order under new turns, and the pairs of the chunks
        stand under these turns, in (target, cause) order, as do their explanations; pairs across chunks were no
        candidates and are none here.
        The given rows are not changed.

    Raises:
        UsageError: A whole dataset is given, not one split.
        InvalidDataError: A row is no dialogue; or chunks overlap, are of different sessions, or have no
            ``source_turn`` to be ordered by.

    Example:
        >>> def chunk(name, *source_turns):
        ...     spoken = [{"turn": i, "source_turn": s} for i, s in enumerate(source_turns, start=1)]
        ...     pair = {"target_turn": 2, "cause_turn": 1, "label": 0}
        ...     return {"dialogue_id": name, "source_dialogue_id": "d", "utterances": spoken, "pairs": [pair]}
        >>> whole, = whole_dialogues([chunk("d__c2", 3, 4), chunk("d__c1", 1, 2)])
        >>> [(pair["target_turn"], pair["cause_turn"]) for pair in whole["pairs"]]
        [(2, 1), (4, 3)]
    """
    if isinstance(rows, Mapping | str):
        raise UsageError(
            f"whole_dialogues takes the rows of one split, such as dataset['train'], but got a {type(rows).__name__}."
        )
    chunks: dict[str, list[Any]] = defaultdict(list)
    for number, row in enumerate(rows):
        if "dialogue_id" not in row or "utterances" not in row:
            raise InvalidDataError(f"Row {number} lacks dialogue_id or utterances: it is not a row of dialogues.")
        chunks[row.get("source_dialogue_id") or row["dialogue_id"]].append(row)
    return [_joined(source, of_dialogue) for source, of_dialogue in chunks.items()]


def _joined(source: str, chunks: list[Any]) -> Row:
    if len(chunks) > 1:
        chunks = _in_source_order(source, chunks)
    spoken = [(number, utterance) for number, chunk in enumerate(chunks) for utterance in chunk["utterances"]]
    turns = {(number, utterance["turn"]): turn for turn, (number, utterance) in enumerate(spoken, start=1)}
    if len(turns) != len(spoken):
        raise InvalidDataError(f"Dialogue {source!r}: a turn occurs twice within one row.")

    def renumbered(column: str) -> list[Any]:
        pairs = []
        for number, chunk in enumerate(chunks):
            for pair in chunk.get(column) or ():
                target, cause = (turns.get((number, pair[key])) for key in ("target_turn", "cause_turn"))
                if target is None or cause is None:
                    raise InvalidDataError(
                        f"Dialogue {source!r}: a pair of {chunk['dialogue_id']!r} is of turns "
                        f"({pair['target_turn']}, {pair['cause_turn']}), which the row does not have."
                    )
                pairs.append({**pair, "target_turn": target, "cause_turn": cause})
        return sorted(pairs, key=lambda pair: (pair["target_turn"], pair["cause_turn"]))

    whole: dict[str, Any] = {
        "session": -1,
        **chunks[0],
        "dialogue_id": source,
        "source_dialogue_id": source,
        "chunk_index": -1,
        "utterances": [{**utterance, "turn": turn} for turn, (_, utterance) in enumerate(spoken, start=1)],
        "pairs": renumbered("pairs"),
    }
    if any("explanations" in chunk for chunk in chunks):
        whole["explanations"] = _explanations(source, chunks, turns)
    if any("gold_outside_candidates" in chunk for chunk in chunks):
        whole["gold_outside_candidates"] = renumbered("gold_outside_candidates")
    return cast("Row", whole)


def _explanations(source: str, chunks: list[Any], turns: Mapping[tuple[int, int], int]) -> list[Any]:
    """Explanations of all chunks under the new turns, targets and causes alike."""
    found = []
    for number, chunk in enumerate(chunks):
        for explanation in chunk.get("explanations") or ():
            named = [explanation["target_turn"], *(explanation.get("cause_turns") or ())]
            renamed = [turns.get((number, turn)) for turn in named]
            if None in renamed:
                raise InvalidDataError(
                    f"Dialogue {source!r}: an explanation of {chunk['dialogue_id']!r} is of turn "
                    f"{named[renamed.index(None)]}, which the row does not have."
                )
            found.append({**explanation, "target_turn": renamed[0], "cause_turns": renamed[1:]})
    return sorted(found, key=lambda explanation: explanation["target_turn"])


def _in_source_order(source: str, chunks: list[Any]) -> list[Any]:
    """Checks that chunks are spans of one dialogue, and sorts them."""
    sessions = sorted({chunk.get("session", -1) for chunk in chunks})
    if len(sessions) > 1:
        names = ", ".join(chunk["dialogue_id"] for chunk in chunks[:5])
        raise InvalidDataError(
            f"Dialogue {source!r}: its chunks {names} are of different sessions ({', '.join(map(str, sessions))}), so "
            f"one of them has a wrong source_dialogue_id."
        )
    spans = []
    for chunk in chunks:
        found = [utterance.get("source_turn") for utterance in chunk["utterances"]]
        if not found or None in found or found != sorted(set(found)):
            raise InvalidDataError(
                f"Dialogue {source!r}: its {len(chunks)} chunks cannot be put in order, since the utterances of "
                f"{chunk['dialogue_id']!r} have no ascending source_turn."
            )
        spans.append((found[0], found[-1], chunk))
    spans.sort(key=lambda span: span[0])
    for (_, end, one), (begin, _, other) in itertools.pairwise(spans):
        if begin <= end:
            raise InvalidDataError(
                f"Dialogue {source!r}: chunk {other['dialogue_id']!r} begins at source turn {begin}, but "
                f"{one['dialogue_id']!r} ends at {end}. Chunks must not overlap; are they rows of two configurations?"
            )
    ids = Counter(u["utterance_id"] for chunk in chunks for u in chunk["utterances"] if u.get("utterance_id"))
    repeated = next((key for key, count in ids.items() if count > 1), None)
    if repeated is not None:
        raise InvalidDataError(
            f"Dialogue {source!r}: utterance {repeated!r} occurs more than once in its chunks, under different turns."
        )
    return [chunk for _, _, chunk in spans]
