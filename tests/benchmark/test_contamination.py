"""What splits share is found; what merely looks alike is not."""

from __future__ import annotations

import os
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

import iemomecp_dataset
from iemomecp_dataset.benchmark.contamination import SplitData, find_leaks, passages, utterance_keys

LONG = "This line has enough words in it that nobody says it by accident, {}."


def dialogue(name: str, *texts: str, source: str | None = None) -> dict:
    return {
        "dialogue_id": name,
        "source_dialogue_id": source or name,
        "utterances": [
            {"turn": i, "utterance_id": f"{source or name}_{name}_{i}", "text": text} for i, text in enumerate(texts, 1)
        ],
    }


def lines(first: int, n: int) -> list[str]:
    return [LONG.format(f"number {i}") for i in range(first, first + n)]


def kinds(*data: SplitData) -> list[tuple[str, str, str, int]]:
    return [(leak.kind, leak.one[1], leak.other[1], leak.n) for leak in find_leaks(data)]


def test_separate_data_share_nothing():
    assert (
        kinds(
            SplitData("ecf", "train", [dialogue("a", *lines(0, 7))]),
            SplitData("ecf", "test", [dialogue("b", *lines(9, 7))]),
        )
        == []
    )


def test_chunks_of_a_dialogue_must_share_a_split():
    one = dialogue("d__c0", *lines(0, 3), source="d")
    two = dialogue("d__c1", *lines(3, 3), source="d")
    assert kinds(SplitData("iemomecp", "train", [one]), SplitData("iemomecp", "test", [two])) == [
        ("dialogue", "train", "test", 1)
    ]
    assert kinds(SplitData("iemomecp", "train", [one, two])) == []


def test_the_same_utterance_in_two_splits_is_named_without_its_text():
    row = dialogue("d", "secret words")
    leaks = find_leaks([SplitData("ecf", "validation", [row]), SplitData("ecf", "test", [row])])
    assert [leak.kind for leak in leaks] == ["utterance", "dialogue"], "two words are too few to count as shared text"
    assert leaks[0].examples == ("d d_d_1",)
    assert "secret" not in " ".join(map(str, leaks))


def test_corpora_that_edit_one_transcript_differently_are_found():
    shouted = [text.upper().replace(",", " --") + "!" for text in lines(0, 3)]
    leaks = find_leaks(
        [
            SplitData("ecf", "train", [dialogue("e", *lines(0, 3))]),
            SplitData("reccon", "test", [dialogue("r", *shouted)]),
        ]
    )
    assert [(leak.kind, leak.one, leak.other) for leak in leaks] == [("text", ("ecf", "train"), ("reccon", "test"))]
    assert "r (also e)" in str(leaks[0])


def test_the_same_split_of_two_corpora_may_overlap():
    rows = [dialogue("d", *lines(0, 6))]
    assert kinds(SplitData("ecf", "train", rows), SplitData("mecad", "train", rows)) == []


def test_configurations_of_one_corpus_count_once():
    train, test = [dialogue("d", *lines(0, 6))], [dialogue("d", *lines(0, 6))]
    data = [SplitData("iemomecp", "train", train), SplitData("iemomecp", "test", test)]
    assert find_leaks(data) == find_leaks([*data, *data])


def test_utterances_without_ids_go_by_their_turn():
    row = {"dialogue_id": "d", "utterances": [{"turn": 1, "utterance_id": None, "source_turn": 4}, {"turn": 2}]}
    assert [key.utterance for key in utterance_keys(SplitData("c", "test", [row]))] == ["4", "2"]


@given(st.integers(1, 9), st.integers(0, 9), st.integers(0, 9))
def test_five_lines_on_end_are_enough_and_four_are_not(n, begin, before):
    """Independent reference: the longest common stretch, by brute force."""
    one = lines(0, 10)
    other = [*lines(100, before), *one[begin : begin + n]]
    common = one[begin : begin + n]
    found = kinds(SplitData("a", "train", [dialogue("x", *one)]), SplitData("b", "test", [dialogue("y", *other)]))
    assert bool(found) == (len(common) >= 5)


def test_texts_that_are_not_there_share_nothing():
    rows = [dialogue("d", "", "", None)]
    assert passages(rows) == []


def test_the_synthetic_splits_share_no_dialogue(synthetic_dir):
    data = iemomecp_dataset.load("3class", data_dir=str(synthetic_dir))
    assert find_leaks(SplitData("iemomecp", split, rows.to_list()) for split, rows in data.items()) == []


@pytest.mark.slow
@pytest.mark.parametrize("config_name", ["ecf", "reccon", "mecad"])
def test_real_corpora_are_read_without_a_word_of_them_in_the_message(config_name):
    folder = os.environ.get(f"IEMOMECP_{config_name.upper()}_DIR")
    if not folder:
        pytest.skip(f"IEMOMECP_{config_name.upper()}_DIR is not set")
    data = iemomecp_dataset.load(config_name, data_dir=folder)
    splits = [SplitData(config_name, split, rows.to_list()) for split, rows in data.items()]
    names = {row["dialogue_id"] for split in splits for row in split.rows}
    for leak in find_leaks(splits):
        if leak.kind == "text":
            for example in leak.examples:
                assert set(example.removesuffix(")").split(" (also ")) <= names
    assert all(a.split != b.split for a, b in pairwise(splits))
