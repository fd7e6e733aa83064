"""Dialogue rows as flat arrays of utterances, and the lookup from pairs to their target utterances."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.pair_table import PairKeys, emotional_utterances

__all__ = ["UtteranceTable", "target_utterances", "utterance_table"]


@dataclass(frozen=True)
class UtteranceTable:
    """All utterances of some dialogues, one array entry per utterance, in row order.

    Attributes:
        dialogue_ids: ``(m,)`` str, the row's ``dialogue_id``.
        turns: ``(m,)`` int64, 1-based within the row.
        texts: One text per utterance; empty where the corpus has none.
        emotional: ``(m,)`` bool, whether the utterance is non-neutral.
        features: ``(m, d)`` float32 in the same order, or None.
    """

    dialogue_ids: NDArray[np.str_]
    turns: NDArray[np.int64]
    texts: tuple[str, ...]
    emotional: NDArray[np.bool_]
    features: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.turns)


def utterance_table(
    rows: Iterable[Mapping[str, Any]],
    emotion_names: Sequence[str] | None = None,
    features: NDArray[np.float32] | None = None,
) -> UtteranceTable:
    """Flattens the utterances of dialogue rows.

    Args:
        rows: Rows as :func:`iemomecp_dataset.load` gives them.
        emotion_names: Names of the emotions by id, as in
            :func:`~iemomecp_dataset.pair_table.emotional_utterances`.
        features: ``(m, d)``, one vector per utterance, in the order of the rows.

    Returns:
        The table of all their utterances.

    Raises:
        InvalidDataError: ``features`` has another number of rows than there are utterances, or another shape.

    Example:
        >>> row = {"dialogue_id": "d1", "utterances": [{"turn": 1, "text": "Hm.", "emotion": 0},
        ...        {"turn": 2, "text": "Great!", "emotion": 1}], "pairs": []}
        >>> utterance_table([row], emotion_names=["neutral", "joy"]).emotional.tolist()
        [False, True]
    """
    dialogue_ids: list[str] = []
    turns: list[int] = []
    texts: list[str] = []
    emotional: list[bool] = []
    for row in rows:
        emotional.extend(emotional_utterances(row, emotion_names))
        for utterance in row["utterances"]:
            dialogue_ids.append(row["dialogue_id"])
            turns.append(utterance["turn"])
            texts.append(utterance.get("text") or "")
    if features is not None:
        features = np.asarray(features, dtype=np.float32)
        if features.ndim != 2 or len(features) != len(turns):
            raise InvalidDataError(
                f"Utterance features have shape {features.shape}, but the rows hold {len(turns)} utterances. "
                f"Expected ({len(turns)}, d): one vector for each utterance, in the order of the rows."
            )
    return UtteranceTable(
        dialogue_ids=np.asarray(dialogue_ids, dtype=np.str_),
        turns=np.asarray(turns, dtype=np.int64),
        texts=tuple(texts),
        emotional=np.asarray(emotional, dtype=np.bool_),
        features=features,
    )


def target_utterances(pairs: PairKeys, utterances: UtteranceTable) -> NDArray[np.int64]:
    """Finds the target utterance of each pair.

    Args:
        pairs: ``n`` pairs.
        utterances: ``m`` utterances of the same dialogues.

    Returns:
        ``(n,)`` int64, for each pair the index of its target utterance.

    Raises:
        InvalidDataError: A pair names an utterance that is missing, or an utterance occurs twice.
    """
    import pandas as pd

    keys = pd.MultiIndex.from_arrays([utterances.dialogue_ids, utterances.turns])
    if not keys.is_unique:
        dialogue, turn = keys[keys.duplicated()][0]
        raise InvalidDataError(
            f"Dialogue {dialogue!r} has turn {turn} more than once among the utterances. "
            "Every (dialogue_id, turn) must be unique; check that no split was read twice."
        )
    found = np.asarray(keys.get_indexer(pd.MultiIndex.from_arrays([pairs.dialogue_ids, pairs.target_turns])))
    if (found < 0).any():
        at = int(np.argmax(found < 0))
        raise InvalidDataError(
            f"Dialogue {str(pairs.dialogue_ids[at])!r} has a pair with target turn {int(pairs.target_turns[at])}, but "
            "no such utterance. Pairs and utterances must come from the same rows."
        )
    return found.astype(np.int64)
