"""Chunks rejoined to whole dialogues."""

from __future__ import annotations

import random

import pytest

import iemomecp_dataset
from iemomecp_dataset import whole_dialogues
from iemomecp_dataset.chunk_joining import whole_dialogues as joined
from iemomecp_dataset.corpus import corpus_of, whole_corpus
from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.fingerprints import data_fingerprint

NAMES = ("neutral", "joy")


def chunk(number, source_turns, *, dialogue="d", pairs=((1, 1, 0),), **more):
    return {
        "dialogue_id": f"{dialogue}__c{number}",
        "source_dialogue_id": dialogue,
        "chunk_index": number,
        "session": 1,
        "utterances": [
            {"turn": turn, "source_turn": source, "utterance_id": f"{dialogue}_{source}", "emotion": turn % 2}
            for turn, source in enumerate(source_turns, start=1)
        ],
        "pairs": [{"target_turn": target, "cause_turn": cause, "label": label} for target, cause, label in pairs],
        **more,
    }


def test_turns_and_pairs_are_renumbered_in_source_order():
    outside = [{"target_turn": 1, "cause_turn": 2}]
    rows = [
        chunk(2, [3, 4], pairs=[(2, 1, 0), (2, 2, 1)], gold_outside_candidates=outside),
        chunk(1, [1, 2], dialogue="e"),
        chunk(1, [1, 2], pairs=[(2, 1, 1)], gold_outside_candidates=[]),
    ]
    first, second = whole_dialogues(rows)
    assert (first["dialogue_id"], first["source_dialogue_id"], first["chunk_index"], first["session"]) == (
        "d", "d", -1, 1)  # fmt: skip
    assert [(u["turn"], u["source_turn"]) for u in first["utterances"]] == [(1, 1), (2, 2), (3, 3), (4, 4)]
    assert [tuple(pair.values()) for pair in first["pairs"]] == [(2, 1, 1), (4, 3, 0), (4, 4, 1)]
    assert first["gold_outside_candidates"] == [{"target_turn": 3, "cause_turn": 4}]
    assert iemomecp_dataset.gold_pairs(first) == [(3, 4), (4, 3)]
    assert (second["dialogue_id"], second["chunk_index"]) == ("e", -1)
    assert rows[0]["utterances"][0]["turn"] == 1


def test_rows_of_other_corpora_stay_as_they_are():
    turns = [{"turn": 1, "source_turn": 1, "emotion": 0}, {"turn": 2, "source_turn": 4, "emotion": 1}]
    row = {"dialogue_id": "d", "source_dialogue_id": "d", "chunk_index": -1, "session": -1, "pairs": [],
           "utterances": turns}  # fmt: skip
    plain = {"dialogue_id": "x", "utterances": [{"turn": 1}], "pairs": []}
    assert whole_dialogues([row, plain]) == [row, plain]
    corpus = corpus_of({"train": [row]}, config_name="meld", emotion_names=NAMES)
    assert whole_corpus(corpus) is corpus


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([chunk(1, [1, 2]), chunk(2, [2, 3])], r"chunks 'd__c1' \(source turns 1 to 2\) and 'd__c2'"),
        ([chunk(1, [1, 2]), chunk(1, [1, 2])], "overlap. Give each chunk once"),
        ([chunk(1, [1, 2]), chunk(2, [3, 4], session=2)], "chunks differ in the column 'session'"),
        ([chunk(1, [2, 1])], r"its source turns must rise, but are \[2, 1\]"),
        ([chunk(1, [1, None])], r"its source turns must rise, but are \[1, None\]"),
        ([chunk(1, [])], r"its source turns must rise, but are \[\]"),
        ([chunk(1, [1, 2], pairs=[(3, 1, 0)])], r"pair \(3, 1\): points outside"),
        ([chunk(1, [1, 2], source_dialogue_id=None)], "chunk 1 of a dialogue that is not named"),
        ([chunk(1, [1, 2]), {**chunk(2, [3]), "utterances": [{"turn": 1, "source_turn": 3, "utterance_id": "d_1"}]}],
         "'d_1' stands at two source turns"),
    ],
)  # fmt: skip
def test_chunks_that_do_not_fit_are_refused(rows, message):
    with pytest.raises(InvalidDataError, match=message):
        whole_dialogues(rows)


def test_turns_that_are_missing_between_chunks_are_said(caplog):
    [row] = whole_dialogues([chunk(1, [1, 2]), chunk(3, [5])])
    assert [u["turn"] for u in row["utterances"]] == [1, 2, 3]
    assert "1 times, a chunk does not begin" in caplog.text


def test_a_corpus_of_whole_dialogues_has_the_utterances_of_iemocap(tree):
    chunks = iemomecp_dataset.load("3class", data_dir=tree.root)
    rows = {split: part.to_list() for split, part in chunks.items()}
    for of_split in rows.values():
        random.Random(0).shuffle(of_split)
    corpus = corpus_of(rows, config_name="3class", emotion_names=("hap", "sad", "neu", "ang", "exc", "fru"))
    whole = whole_corpus(corpus)
    for split, of_split in whole.rows.items():
        assert len(whole.tables[split]) == len(corpus.tables[split])
        assert whole.tables[split].labels.sum() == corpus.tables[split].labels.sum()
        assert whole.fingerprints[split] == data_fingerprint(of_split) != corpus.fingerprints[split]
        assert whole.text_fingerprints[split] != corpus.text_fingerprints[split]
    iemocap = {
        row["dialogue_id"]: row["utterances"]
        for part in iemomecp_dataset.load("iemocap", data_dir=tree.root, validation="none").values()
        for row in part
    }
    found = {row["dialogue_id"]: row["utterances"] for part in whole.rows.values() for row in part}
    assert found == iemocap
    assert joined(list(whole.rows["train"])) == whole.rows["train"]
