"""Written explanations of emotions as flat arrays, on which scores and baselines compute."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.emotion_table import NO_EMOTION
from iemomecp_dataset.schema import EXPLANATION_STATUSES

__all__ = ["ExplanationTable", "explanation_table"]


@dataclass(frozen=True)
class ExplanationTable:
    """Explanations of some dialogues, one array entry per explanation, in row order.

    Attributes:
        dialogue_ids: ``(m,)`` str, the row's ``dialogue_id``.
        target_turns: ``(m,)`` int64, 1-based within the row.
        speakers: ``(m,)`` str, of the target utterances; empty where not known.
        emotions: ``(m,)`` int64, ids of their emotions;
            :data:`~iemomecp_dataset.emotion_table.NO_EMOTION` where not known.
        texts: ``m`` texts of the target utterances.
        references: ``m`` explanations.
        statuses: ``(m,)`` int64, ids of :data:`~iemomecp_dataset.schema.EXPLANATION_STATUSES`.
        cause_turns: ``m`` tuples of gold cause turns.
    """

    dialogue_ids: NDArray[np.str_]
    target_turns: NDArray[np.int64]
    speakers: NDArray[np.str_]
    emotions: NDArray[np.int64]
    texts: tuple[str, ...]
    references: tuple[str, ...]
    statuses: NDArray[np.int64]
    cause_turns: tuple[tuple[int, ...], ...]

    def __len__(self) -> int:
        return len(self.target_turns)


def explanation_table(rows: Iterable[Mapping[str, Any]], statuses: Sequence[str] = ("complete",)) -> ExplanationTable:
    """Flattens the explanations of dialogue rows.

    Args:
        rows: Rows as :func:`iemomecp_dataset.load` gives them.
        statuses: Explanations of which status to take.

    Returns:
        The table of these explanations.

    Example:
        >>> row = {"dialogue_id": "d1", "utterances": [{"turn": 1, "speaker": "A", "text": "No!", "emotion": 2}],
        ...        "explanations": [{"target_turn": 1, "text": "The plan failed.", "status": 0, "cause_turns": [1]}]}
        >>> table = explanation_table([row])
        >>> table.references, table.emotions.tolist(), table.cause_turns
        (('The plan failed.',), [2], ((1,),))
    """
    wanted = {EXPLANATION_STATUSES.index(status) for status in statuses}
    found = []
    for row in rows:
        utterances = {utterance["turn"]: utterance for utterance in row["utterances"]}
        for explanation in row.get("explanations") or ():
            if explanation["status"] not in wanted:
                continue
            target = utterances[explanation["target_turn"]]
            found.append(
                (
                    row["dialogue_id"],
                    explanation["target_turn"],
                    target.get("speaker") or "",
                    NO_EMOTION if target.get("emotion") is None else target["emotion"],
                    target.get("text") or "",
                    explanation["text"],
                    explanation["status"],
                    tuple(explanation.get("cause_turns") or ()),
                )
            )
    columns = list(zip(*found, strict=True)) if found else [()] * 8
    return ExplanationTable(
        dialogue_ids=np.asarray(columns[0], dtype=np.str_),
        target_turns=np.asarray(columns[1], dtype=np.int64),
        speakers=np.asarray(columns[2], dtype=np.str_),
        emotions=np.asarray(columns[3], dtype=np.int64),
        texts=columns[4],
        references=columns[5],
        statuses=np.asarray(columns[6], dtype=np.int64),
        cause_turns=columns[7],
    )
