import numpy as np

from iemomecp_dataset.explanation_table import explanation_table

ROWS = [
    {
        "dialogue_id": "d1",
        "utterances": [
            {"turn": 1, "speaker": "A", "text": "It fell.", "emotion": None},
            {"turn": 2, "speaker": None, "text": None, "emotion": 3},
        ],
        "explanations": [
            {"target_turn": 2, "text": "It fell down.", "status": 0, "cause_turns": [1, 2]},
            {"target_turn": 1, "text": "Because of", "status": 1, "cause_turns": []},
        ],
    },
    {"dialogue_id": "d2", "utterances": []},
]


def test_only_complete_explanations_are_taken_by_default():
    table = explanation_table(ROWS)
    assert len(table) == 1
    assert (table.dialogue_ids[0], table.target_turns[0], table.speakers[0], table.texts[0]) == ("d1", 2, "", "")
    assert table.references == ("It fell down.",)
    assert table.cause_turns == ((1, 2),)


def test_others_are_taken_on_request_in_the_order_of_the_rows():
    table = explanation_table(ROWS, statuses=("truncated", "complete"))
    assert table.target_turns.tolist() == [2, 1]
    assert table.statuses.tolist() == [0, 1]
    np.testing.assert_array_equal(table.emotions, [3, -1])


def test_no_explanations_give_an_empty_table():
    table = explanation_table([{"dialogue_id": "d", "utterances": []}])
    assert len(table) == 0
    assert table.references == ()
