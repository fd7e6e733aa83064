"""Rejoins the chunks of dialogues, for models whose input is the whole dialogue."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from iemomecp_dataset.errors import InvalidDataError

__all__ = ["whole_dialogues"]

_LOGGER = logging.getLogger(__name__)

_PAIR_COLUMNS = ("pairs", "gold_outside_candidates")
_JOINED = ("dialogue_id", "source_dialogue_id", "chunk_index", "utterances", *_PAIR_COLUMNS)


def whole_dialogues(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rejoins the chunks of IEMO-MECP; rows of corpora without chunks stay as they are.

    Args:
        rows: Rows of one split as :func:`iemomecp_dataset.load` gives them, in any order.

    Returns:
        One row per ``source_dialogue_id``, in the order in which the dialogues first occur: utterances in the order of
        ``source_turn`` with turns from 1, the pairs within chunks under the new turns, ``chunk_index`` -1. Pairs across
        chunks were never candidates and are none now.

    Raises:
        InvalidDataError: Chunks overlap or contradict each other, or do not state which dialogue or turns they are.

    Example:
        >>> def chunk(number, *source_turns):
        ...     return {"dialogue_id": f"d__c{number}", "source_dialogue_id": "d", "chunk_index": number,
        ...             "utterances": [{"turn": turn, "source_turn": source}
        ...                            for turn, source in enumerate(source_turns, start=1)],
        ...             "pairs": [{"target_turn": 2, "cause_turn": 1, "label": 0}]}
        >>> [row] = whole_dialogues([chunk(2, 4, 5), chunk(1, 1, 2, 3)])
        >>> [(pair["target_turn"], pair["cause_turn"]) for pair in row["pairs"]]
        [(2, 1), (5, 4)]
    """
    chunks: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        chunks.setdefault(_source_of(row), []).append(row)
    gaps = 0
    joined = []
    for name, of_dialogue in chunks.items():
        if len(of_dialogue) == 1 and of_dialogue[0]["dialogue_id"] == name:
            joined.append(dict(of_dialogue[0]))
            continue
        ordered = _in_source_order(name, of_dialogue)
        gaps += sum(_turns(after)[0] > _turns(before)[-1] + 1 for before, after in itertools.pairwise(ordered))
        joined.append(_join(name, ordered))
    if gaps:
        _LOGGER.warning(
            "%d times, a chunk does not begin where the one before it in its dialogue ends: the rejoined dialogues "
            "lack the turns between them.",
            gaps,
        )
    return joined


def _source_of(row: Mapping[str, Any]) -> str:
    source = row.get("source_dialogue_id")
    if source is None and row.get("chunk_index", -1) not in (None, -1):
        raise InvalidDataError(
            f"Dialogue {row['dialogue_id']!r} is chunk {row['chunk_index']} of a dialogue that is not named "
            "(source_dialogue_id is null), so chunks cannot be rejoined. Load the configuration '3class', which names "
            "it."
        )
    return str(row["dialogue_id"] if source is None else source)


def _turns(chunk: Mapping[str, Any]) -> list[int]:
    return [utterance["source_turn"] for utterance in chunk["utterances"]]


def _in_source_order(name: str, chunks: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    for chunk in chunks:
        turns = [utterance.get("source_turn") for utterance in chunk["utterances"]]
        known = [turn for turn in turns if turn is not None]
        if not turns or known != turns or any(after <= before for before, after in itertools.pairwise(known)):
            raise InvalidDataError(
                f"Dialogue {chunk['dialogue_id']!r}, a chunk of {name!r}: its source turns must rise, but are "
                f"{str(turns)[:80]}. Load the configuration '3class' again."
            )
    ordered = sorted(chunks, key=lambda chunk: _turns(chunk)[0])
    for before, after in itertools.pairwise(ordered):
        if _turns(after)[0] <= _turns(before)[-1]:
            raise InvalidDataError(
                f"Dialogue {name!r}: the chunks {before['dialogue_id']!r} (source turns {_turns(before)[0]} to "
                f"{_turns(before)[-1]}) and {after['dialogue_id']!r} (from {_turns(after)[0]}) overlap. Give each "
                "chunk once."
            )
    ids = [u["utterance_id"] for chunk in ordered for u in chunk["utterances"] if u.get("utterance_id") is not None]
    if len(set(ids)) < len(ids):
        repeated = next(utterance_id for utterance_id in ids if ids.count(utterance_id) > 1)
        raise InvalidDataError(f"Dialogue {name!r}: the utterance {repeated!r} stands at two source turns.")
    return ordered


def _join(name: str, chunks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    joined: dict[str, Any] = {"dialogue_id": name, "source_dialogue_id": name, "chunk_index": -1}
    columns = list(dict.fromkeys(column for chunk in chunks for column in chunk))
    for column in columns:
        values = [chunk.get(column) for chunk in chunks]
        if column in _JOINED:
            continue
        if any(value != values[0] for value in values):
            raise InvalidDataError(
                f"Dialogue {name!r}: its chunks differ in the column {column!r} ({str(values[0])[:40]!r} in "
                f"{chunks[0]['dialogue_id']!r}), which belongs to the whole dialogue. Leave the column out, or "
                "correct it."
            )
        joined[column] = values[0]
    utterances: list[dict[str, Any]] = []
    pairs: dict[str, list[dict[str, Any]]] = {column: [] for column in _PAIR_COLUMNS if column in columns}
    for chunk in chunks:
        new = {u["turn"]: turn for turn, u in enumerate(chunk["utterances"], start=len(utterances) + 1)}
        utterances += [{**u, "turn": new[u["turn"]]} for u in chunk["utterances"]]
        for column, listed in pairs.items():
            for pair in chunk.get(column) or []:
                turns = {side: new.get(pair[side]) for side in ("target_turn", "cause_turn")}
                if None in turns.values():
                    raise InvalidDataError(
                        f"Dialogue {chunk['dialogue_id']!r}, pair ({pair['target_turn']}, {pair['cause_turn']}): "
                        "points outside the dialogue."
                    )
                listed.append({**pair, **turns})
    return {**joined, "utterances": utterances, **pairs}
