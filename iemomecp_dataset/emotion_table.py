"""Dialogue rows as flat arrays of utterances with their emotions, on which emotion scores and baselines compute."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["NO_EMOTION", "EmotionTable", "emotion_table"]

NO_EMOTION = -1
"""Label of an utterance whose emotion is not known."""


@dataclass(frozen=True)
class EmotionTable:
    """All utterances of some dialogues with their gold emotions, one array entry per utterance, in row order.

    Attributes:
        dialogue_ids: ``(m,)`` str, the row's ``dialogue_id``.
        turns: ``(m,)`` int64, 1-based within the row.
        speakers: ``(m,)`` str.
        labels: ``(m,)`` int64, ids of the emotions; :data:`NO_EMOTION` where it is not known.
    """

    dialogue_ids: NDArray[np.str_]
    turns: NDArray[np.int64]
    speakers: NDArray[np.str_]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.turns)

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """``(m,)`` whether the emotion of the utterance is known; the others are neither learned nor scored."""
        return np.asarray(self.labels != NO_EMOTION)

    def take(self, chosen: NDArray[Any]) -> EmotionTable:
        """Selects or reorders utterances.

        Args:
            chosen: ``(m,)`` bool, or the positions of the utterances to take.
        """
        return replace(self, **{name: values[chosen] for name, values in vars(self).items()})


def emotion_table(rows: Iterable[Mapping[str, Any]]) -> EmotionTable:
    """Flattens the utterances of dialogue rows.

    Args:
        rows: Rows as :func:`iemomecp_dataset.load` gives them.

    Returns:
        The table of all their utterances.

    Example:
        >>> row = {"dialogue_id": "d1", "utterances": [{"turn": 1, "speaker": "A", "emotion": 2},
        ...        {"turn": 2, "speaker": "B", "emotion": None}]}
        >>> table = emotion_table([row])
        >>> table.labels.tolist(), table.labelled.tolist()
        ([2, -1], [True, False])
    """
    found = [
        (
            row["dialogue_id"],
            utterance["turn"],
            utterance.get("speaker") or "",
            NO_EMOTION if utterance.get("emotion") is None else utterance["emotion"],
        )
        for row in rows
        for utterance in row["utterances"]
    ]
    dialogue_ids, turns, speakers, labels = zip(*found, strict=True) if found else ((), (), (), ())
    return EmotionTable(
        dialogue_ids=np.asarray(dialogue_ids, dtype=np.str_),
        turns=np.asarray(turns, dtype=np.int64),
        speakers=np.asarray(speakers, dtype=np.str_),
        labels=np.asarray(labels, dtype=np.int64),
    )
