"""Dialogue rows as flat arrays of pairs, on which scores, baselines and reports compute."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.schema import NEUTRAL_EMOTIONS

__all__ = ["PairKeys", "PairTable", "emotional_utterances", "pair_table"]


@dataclass(frozen=True)
class PairKeys:
    """Names some pairs, one array entry per pair.

    Attributes:
        dialogue_ids: ``(n,)`` str, the row's ``dialogue_id``.
        source_dialogue_ids: ``(n,)`` str, the dialogue a chunk was cut from (the unit to resample);
            the ``dialogue_id`` itself where a corpus has no chunks.
        target_turns: ``(n,)`` int64, 1-based.
        cause_turns: ``(n,)`` int64, 1-based.
    """

    dialogue_ids: NDArray[np.str_]
    source_dialogue_ids: NDArray[np.str_]
    target_turns: NDArray[np.int64]
    cause_turns: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.target_turns)

    @property
    def keys(self) -> tuple[NDArray[np.str_], NDArray[np.int64], NDArray[np.int64]]:
        """``dialogue_ids, target_turns, cause_turns``: what tells a pair from all others of a split."""
        return self.dialogue_ids, self.target_turns, self.cause_turns

    @property
    def distances(self) -> NDArray[np.int64]:
        """``(n,)`` signed distance ``target - cause`` in turns: 0 is a self pair, negative a forward pair."""
        return self.target_turns - self.cause_turns

    def take(self, chosen: NDArray[Any]) -> Self:
        """Selects or reorders pairs.

        Args:
            chosen: ``(n,)`` bool, or the positions of the pairs to take.

        Returns:
            Those pairs. Counts, such as that of missed positives, stay.
        """
        return replace(
            self, **{name: values[chosen] for name, values in vars(self).items() if isinstance(values, np.ndarray)}
        )


@dataclass(frozen=True)
class PairTable(PairKeys):
    """All candidate pairs of some dialogues with their gold, in row and (target, cause) order.

    Attributes:
        labels: ``(n,)`` int64, class ids; class 0 is the positive class.
        emotional_targets: ``(n,)`` bool, whether the target utterance is non-neutral; ``None`` where that is not known,
            as for pairs read from a predictions file.
        missed_positives: Gold pairs that are not candidates; no system can retrieve them, every recall counts them.
    """

    labels: NDArray[np.int64]
    emotional_targets: NDArray[np.bool_] | None = None
    missed_positives: int = 0

    def same_pairs(self, other: PairTable) -> bool:
        """Whether the other table has the same pairs with the same gold, in the same order."""
        return len(self) == len(other) and all(
            bool((mine == its).all())
            for mine, its in zip((*self.keys, self.labels), (*other.keys, other.labels), strict=True)
        )


def pair_table(rows: Iterable[Mapping[str, Any]], emotion_names: Sequence[str] | None = None) -> PairTable:
    """Flattens dialogue rows.

    Args:
        rows: Rows as :func:`iemomecp_dataset.load` gives them.
        emotion_names: Names of the emotions by id, as in :func:`emotional_utterances`.

    Returns:
        The table of all their candidate pairs.

    Example:
        >>> row = {"dialogue_id": "d1", "source_dialogue_id": "d1",
        ...        "utterances": [{"turn": 1, "emotion": 0}, {"turn": 2, "emotion": 1}],
        ...        "pairs": [{"target_turn": 1, "cause_turn": 1, "label": 1},
        ...                  {"target_turn": 2, "cause_turn": 1, "label": 0}]}
        >>> table = pair_table([row], emotion_names=["neutral", "joy"])
        >>> table.distances.tolist(), table.emotional_targets.tolist()
        ([0, 1], [False, True])
    """
    dialogue_ids: list[str] = []
    source_ids: list[str] = []
    targets: list[int] = []
    causes: list[int] = []
    labels: list[int] = []
    emotional: list[bool] = []
    missed = 0
    for row in rows:
        pairs = row["pairs"]
        missed += len(row.get("gold_outside_candidates") or [])
        turns = [utterance["turn"] for utterance in row["utterances"]]
        is_emotional = dict(zip(turns, emotional_utterances(row, emotion_names), strict=True))
        dialogue_ids.extend([row["dialogue_id"]] * len(pairs))
        source_ids.extend([row.get("source_dialogue_id") or row["dialogue_id"]] * len(pairs))
        for pair in pairs:
            targets.append(pair["target_turn"])
            causes.append(pair["cause_turn"])
            labels.append(pair["label"])
            emotional.append(is_emotional[pair["target_turn"]])
    return PairTable(
        dialogue_ids=np.asarray(dialogue_ids, dtype=np.str_),
        source_dialogue_ids=np.asarray(source_ids, dtype=np.str_),
        target_turns=np.asarray(targets, dtype=np.int64),
        cause_turns=np.asarray(causes, dtype=np.int64),
        labels=np.asarray(labels, dtype=np.int64),
        emotional_targets=np.asarray(emotional, dtype=np.bool_),
        missed_positives=missed,
    )


def emotional_utterances(row: Mapping[str, Any], emotion_names: Sequence[str] | None = None) -> list[bool]:
    """Tells which utterances of a row are emotional.

    Args:
        row: A row as :func:`iemomecp_dataset.load` gives it.
        emotion_names: Names of the emotions by id: an utterance is emotional when its emotion is not neutral. Without
            names, or where an utterance has no emotion, it is emotional when it is the target of a gold pair, inside
            or outside the candidates.

    Returns:
        One flag per utterance, in their order.

    Example:
        >>> row = {"utterances": [{"turn": 1, "emotion": 1}, {"turn": 2, "emotion": None}],
        ...        "pairs": [{"target_turn": 2, "cause_turn": 1, "label": 0}]}
        >>> emotional_utterances(row, ["neutral", "joy"]), emotional_utterances(row)
        ([True, True], [False, True])
    """
    neutral = {number for number, name in enumerate(emotion_names or ()) if name in NEUTRAL_EMOTIONS}
    gold_targets = {pair["target_turn"] for pair in row["pairs"] if pair["label"] == 0}
    gold_targets.update(pair["target_turn"] for pair in row.get("gold_outside_candidates") or ())
    return [
        utterance["turn"] in gold_targets
        if emotion_names is None or utterance["emotion"] is None
        else utterance["emotion"] not in neutral
        for utterance in row["utterances"]
    ]
