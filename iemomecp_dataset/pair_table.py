"""Dialogue rows as flat arrays of pairs: what scores, baselines and reports compute on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.schema import NEUTRAL_EMOTIONS

__all__ = ["PairTable", "pair_table"]


@dataclass(frozen=True)
class PairTable:
    """All candidate pairs of some dialogues, one array entry a pair, in row and (target, cause) order.

    Attributes:
        dialogue_ids: ``(n,)`` str, the row's ``dialogue_id``.
        source_dialogue_ids: ``(n,)`` str, the dialogue a chunk was cut from (the unit to resample);
            the ``dialogue_id`` itself where a corpus has no chunks.
        target_turns: ``(n,)`` int64, 1-based.
        cause_turns: ``(n,)`` int64, 1-based.
        labels: ``(n,)`` int64, class ids; class 0 is the positive class.
        emotional_targets: ``(n,)`` bool, whether the target utterance is non-neutral.
        missed_positives: Gold pairs that are no candidates; no system can retrieve them, every recall counts them.
    """

    dialogue_ids: NDArray[np.str_]
    source_dialogue_ids: NDArray[np.str_]
    target_turns: NDArray[np.int64]
    cause_turns: NDArray[np.int64]
    labels: NDArray[np.int64]
    emotional_targets: NDArray[np.bool_]
    missed_positives: int = 0

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def distances(self) -> NDArray[np.int64]:
        """``(n,)`` signed distance ``target - cause`` in turns: 0 is a self pair, negative a forward pair."""
        return self.target_turns - self.cause_turns


def pair_table(rows: Iterable[Mapping[str, Any]], emotion_names: Sequence[str] | None = None) -> PairTable:
    """Flattens dialogue rows.

    Args:
        rows: Rows as :func:`iemomecp_dataset.load` gives them.
        emotion_names: Names of the emotions by id, to tell which targets are emotional. Without it, or where an
            utterance has no emotion, a target is emotional when it is the target of a gold pair.

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
    neutral_ids = {i for i, name in enumerate(emotion_names or ()) if name in NEUTRAL_EMOTIONS}
    dialogue_ids: list[str] = []
    source_ids: list[str] = []
    targets: list[int] = []
    causes: list[int] = []
    labels: list[int] = []
    emotional: list[bool] = []
    missed = 0
    for row in rows:
        pairs = row["pairs"]
        outside = row.get("gold_outside_candidates") or []
        missed += len(outside)
        gold_targets = {pair["target_turn"] for pair in pairs if pair["label"] == 0}
        gold_targets.update(pair["target_turn"] for pair in outside)
        is_emotional = {
            utterance["turn"]: (
                utterance["emotion"] not in neutral_ids
                if emotion_names is not None and utterance["emotion"] is not None
                else utterance["turn"] in gold_targets
            )
            for utterance in row["utterances"]
        }
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
