"""Dialogue rows become one array entry per utterance."""

from __future__ import annotations

import numpy as np

from iemomecp_dataset.emotion_table import NO_EMOTION, emotion_table

ROWS = [
    {
        "dialogue_id": "d1",
        "utterances": [
            {"turn": 1, "speaker": "A", "emotion": 2},
            {"turn": 2, "speaker": "B", "emotion": None},
        ],
    },
    {"dialogue_id": "d2", "utterances": [{"turn": 1, "speaker": None, "emotion": 0}]},
]


def test_utterances_stand_in_row_order_and_unknown_emotions_are_told_apart() -> None:
    table = emotion_table(ROWS)
    assert table.dialogue_ids.tolist() == ["d1", "d1", "d2"]
    assert table.turns.tolist() == [1, 2, 1]
    assert table.speakers.tolist() == ["A", "B", ""]
    assert table.labels.tolist() == [2, NO_EMOTION, 0]
    assert table.labelled.tolist() == [True, False, True]


def test_a_selection_keeps_the_columns_together() -> None:
    table = emotion_table(ROWS)
    taken = table.take(np.array([2, 0]))
    assert (taken.dialogue_ids.tolist(), taken.labels.tolist()) == (["d2", "d1"], [0, 2])
    assert len(table.take(table.labelled)) == 2


def test_no_rows_give_an_empty_table() -> None:
    assert len(emotion_table([])) == 0
