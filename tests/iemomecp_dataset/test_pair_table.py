"""Pair tables: what they hold, and which utterances are emotional, by one rule everywhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from iemomecp_dataset import gold_pairs, load, to_pairs
from iemomecp_dataset.benchmark.baselines.utterance_table import utterance_table
from iemomecp_dataset.pair_table import emotional_utterances, pair_table

EMOTIONS = ("neutral", "joy")
ROW = {
    "dialogue_id": "d__c001",
    "source_dialogue_id": "d",
    "utterances": [
        {"turn": 1, "text": "", "emotion": 1},
        {"turn": 2, "text": "", "emotion": 0},
        {"turn": 3, "text": "", "emotion": None},
        {"turn": 4, "text": "", "emotion": None},
    ],
    "pairs": [
        {"target_turn": 2, "cause_turn": 1, "label": 0},
        {"target_turn": 3, "cause_turn": 1, "label": 1},
        {"target_turn": 4, "cause_turn": 4, "label": 1},
    ],
    "gold_outside_candidates": [{"target_turn": 3, "cause_turn": 4}],
}


@pytest.mark.parametrize(
    ("names", "expected"),
    [(EMOTIONS, [True, False, True, False]), (None, [False, True, True, False])],
    ids=["by emotion, by gold pair where there is none", "by gold pair"],
)
def test_the_same_utterances_are_emotional_in_every_table(names, expected):
    assert emotional_utterances(ROW, names) == expected
    assert utterance_table([ROW], names).emotional.tolist() == expected
    table = pair_table([ROW], names)
    assert table.emotional_targets.tolist() == [expected[turn - 1] for turn in table.target_turns.tolist()]


def test_a_table_is_flat_and_counts_distances_from_the_cause_to_the_target():
    table = pair_table([ROW, {**ROW, "dialogue_id": "e", "source_dialogue_id": None}], EMOTIONS)
    assert table.dialogue_ids.tolist() == ["d__c001"] * 3 + ["e"] * 3
    assert table.source_dialogue_ids.tolist() == ["d"] * 3 + ["e"] * 3
    assert table.distances.tolist() == [1, 2, 0] * 2
    assert table.labels.tolist() == [0, 1, 1] * 2
    assert table.missed_positives == 2


def test_every_gold_pair_of_a_row_is_listed():
    assert gold_pairs(ROW) == [(2, 1), (3, 4)], "those outside the candidates, too"
    assert gold_pairs({**ROW, "gold_outside_candidates": None}) == [(2, 1)]


def test_a_pair_has_the_utterances_of_its_own_turns(tmp_path):
    lines = [f"{turn} | {'AB'[turn % 2]} | joy | words {turn} | x: 00:00:0{turn}.000 - 00:00:0{turn}.500"
             for turn in (1, 2, 3)]  # fmt: skip
    (tmp_path / "dev.txt").write_text("\n".join(["7 3", "(3,1),(1,2)", *lines, ""]), encoding="utf-8")
    rows = load("ecf", data_dir=tmp_path, candidates="past")["validation"]
    assert gold_pairs(rows[0]) == [(1, 2), (3, 1)]
    pairs = to_pairs(rows)
    assert [(pair["target_turn"], pair["cause_turn"], pair["label"]) for pair in pairs] == [
        (1, 1, 1), (2, 1, 1), (2, 2, 1), (3, 1, 0), (3, 2, 1), (3, 3, 1)
    ]  # fmt: skip
    for pair in pairs:
        for side in ("target", "cause"):
            turn = pair[f"{side}_turn"]
            assert pair[f"{side}_text"] == f"words {turn}"
            assert pair[f"{side}_utterance_id"] == f"dia7utt{turn}"
            assert pair[f"{side}_speaker"] == "AB"[turn % 2]


def test_pairs_are_taken_with_everything_that_belongs_to_them():
    table = pair_table([ROW], EMOTIONS)
    turned = table.take(np.array([2, 0]))
    assert [values.tolist() for values in turned.keys] == [["d__c001"] * 2, [4, 2], [4, 1]]
    assert turned.source_dialogue_ids.tolist() == ["d", "d"]
    assert turned.labels.tolist() == [1, 0]
    assert turned.emotional_targets.tolist() == [False, False]
    assert turned.missed_positives == table.missed_positives == 1
    bare = replace(table, emotional_targets=None)
    assert bare.take(table.labels == 0).emotional_targets is None
    assert len(bare.take(table.labels == 0)) == 1


def test_tables_of_the_same_pairs_have_the_same_gold_in_the_same_order():
    table = pair_table([ROW], EMOTIONS)
    assert table.same_pairs(replace(table, emotional_targets=None))
    assert not table.same_pairs(table.take(np.array([1, 0, 2])))
    assert not table.same_pairs(table.take(np.array([0, 1])))
    assert not table.same_pairs(replace(table, labels=1 - table.labels))
