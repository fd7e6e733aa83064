"""What splits share is found; what merely looks alike is not."""

from __future__ import annotations

import dataclasses
import os
import re
from itertools import pairwise
from pathlib import Path

import pytest
from corpus_files import ecf_text, ecf_to_meld, write
from hypothesis import given
from hypothesis import strategies as st

import iemomecp_dataset
from iemomecp_dataset.benchmark.runs.contamination import (
    SplitData,
    contamination_warnings,
    find_leaks,
    passages,
    related_dialogues,
    shared_dialogues,
    utterance_keys,
)
from iemomecp_dataset.corpora import metadata
from iemomecp_dataset.corpora.metadata import CORPORA
from iemomecp_dataset.corpus import corpus_of, load_corpus

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


def test_every_folder_is_compared_with_every_other():
    """Of two folders of one corpus that are split differently, say of two configurations."""
    a, b, c = ([dialogue(name, *lines(9 * i, 7))] for i, name in enumerate("abc"))
    here = [SplitData("iemomecp", "train", a, Path("x")), SplitData("iemomecp", "test", b, Path("x"))]
    there = [SplitData("iemomecp", "train", b, Path("y")), SplitData("iemomecp", "test", c, Path("y"))]
    assert kinds(*here) == kinds(*there) == []
    leaks = find_leaks([*here, *there])
    assert [leak.kind for leak in leaks] == ["utterance", "dialogue", "text"]
    assert {(leak.one, leak.other) for leak in leaks} == {(("iemomecp (y)", "train"), ("iemomecp (x)", "test"))}
    copied = [dataclasses.replace(split, folder=Path("z")) for split in here]
    assert find_leaks([*here, *copied]) == [], "the same content in another folder"


def test_a_count_by_text_is_called_a_lower_bound():
    rows = [dialogue("d", *lines(0, 6))]
    said = contamination_warnings([SplitData("ecf", "train", rows), SplitData("mecad", "test", rows)])
    assert len(said) == 1
    assert said[0].startswith("at least 1 dialogues of mecad/test hold text of ecf/train")
    assert "a count by text is a lower bound" in said[0]


def meld(name: str, *numbers: int) -> dict:
    """A dialogue of MELD whose text is nowhere else."""
    utterances = [{"utterance_id": f"{name}_utt{n}", "text": f"{name} {n}", "speaker": "Ann"} for n in numbers]
    return {"dialogue_id": name, "utterances": utterances}


@pytest.fixture(name="ecf")
def fixture_ecf(tmp_path):
    """Two conversations of ECF as its train split, with the map to MELD."""
    write(tmp_path / "ecf" / "train.txt", ecf_text())
    write(tmp_path / "ecf" / "all_data_pair_ECFvsMELD.txt", ecf_to_meld())
    return load_corpus("ecf", tmp_path / "ecf")


def beside(ecf, corpus="meld"):
    """The utterances 0 and 1 of MELD's fifth dialogue, of which ECF has 0 and 2; and a dialogue that it has whole."""
    test = [meld("train_dia5", 0, 1), meld("dev_dia1", 0), meld("test_dia1", 0)]
    return [
        SplitData("ecf", "train", ecf.rows["train"], ecf.data_dir),
        SplitData(corpus, "train", [meld("train_dia9", 0)]),
        SplitData(corpus, "test", test),
    ]


@pytest.mark.parametrize("map_beside", ["ecf", "meld", "named"])
def test_corpora_are_compared_through_the_map_of_their_authors(map_beside, ecf, tmp_path):
    data = beside(ecf)
    if map_beside == "meld":
        (tmp_path / "meld").mkdir()
        (tmp_path / "ecf" / "all_data_pair_ECFvsMELD.txt").rename(tmp_path / "meld" / "all_data_pair_ECFvsMELD.txt")
        data[1] = dataclasses.replace(data[1], folder=tmp_path / "meld")
    elif map_beside == "named":
        (tmp_path / "ecf" / "all_data_pair_ECFvsMELD.txt").rename(tmp_path / "map.txt")
        data[1] = dataclasses.replace(data[1], ecf_map=tmp_path / "map.txt")
    assert contamination_warnings(data) == [
        "ecf/train and meld/test share 2 utterances; such as dev_dia1 dev_dia1_utt0, train_dia5 train_dia5_utt0.",
        "2 source dialogues have utterances in both ecf/train and meld/test; such as dev_dia1, train_dia5.",
    ]


def test_a_corpus_that_carries_the_ids_of_another_is_compared_by_them(ecf, monkeypatch):
    entry = dataclasses.replace(CORPORA["mec4"], name="ecem", origin="meld")
    monkeypatch.setattr(metadata, "CORPORA", {**CORPORA, "ecem": entry})
    monkeypatch.setattr("iemomecp_dataset.benchmark.runs.contamination.CORPORA", metadata.CORPORA)
    said = contamination_warnings(beside(ecf, "ecem"))
    assert said[0].startswith("ecf/train and ecem/test share 2 utterances")
    also = [*beside(ecf, "ecem")[1:], SplitData("meld", "validation", [meld("train_dia9", 0)])]
    assert [leak.kind for leak in find_leaks(also)] == ["utterance", "dialogue"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "the map all_data_pair_ECFvsMELD.txt is in none of the data folders"),
        ("nothing", "expected a conversation header"),
        (ecf_to_meld(17), "in 2 of 2 dialogues: .* does not have them, or with other turns or speakers"),
        (ecf_to_meld().replace("Bob", "Eve"), "in 1 of 2 dialogues"),
        (ecf_to_meld().replace("8 1", "9 1"), "in 1 of 2 dialogues"),
    ],
)
def test_a_map_that_is_missing_or_does_not_fit_is_said_where_it_is_needed(content, said, ecf, tmp_path):
    path = tmp_path / "ecf" / "all_data_pair_ECFvsMELD.txt"
    path.unlink()
    if content is not None:
        path.write_text(content)
    with_meld = contamination_warnings(beside(ecf))
    assert re.search(f"^ecf and meld are compared by text alone, .*{said}", with_meld[-1]), with_meld
    assert len(contamination_warnings(ecf)) == (content == "nothing"), "alone, a corpus needs no map"


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


def test_dialogues_that_another_split_knows_are_named_by_text_and_by_source():
    given = [dialogue("a", *lines(0, 7)), dialogue("b", *lines(20, 7)), dialogue("c__x", "hm", source="c")]
    tested = [dialogue("z", *lines(1, 5)), dialogue("c__c1", "no", source="c")]
    chosen = [dialogue("y", *lines(22, 9))]
    others = [SplitData("iemomecp", "validation", chosen), SplitData("iemomecp", "test", tested)]
    data = SplitData("iemocap", "train", given)
    assert shared_dialogues(data, others) == {"a": "test", "b": "validation", "c__x": "test"}
    assert shared_dialogues(dataclasses.replace(data, corpus="reccon"), others) == {"a": "test", "b": "validation"}
    assert shared_dialogues(data, []) == {}


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


def test_dialogues_that_share_a_passage_belong_together():
    rows = [
        dialogue("a", *lines(0, 7)),
        dialogue("b", *lines(20, 3), *lines(1, 5)),  # five consecutive utterances of a
        dialogue("c", *lines(0, 4), *lines(40, 3)),  # four
        dialogue("d", "Hello.", "Hello, you."),
        dialogue("e", "Hello.", "Hello, you."),  # too short to tell
        dialogue("f__1", *lines(60, 2), source="f"),
        dialogue("f__2", *lines(70, 2), source="f"),
    ]
    corpus = corpus_of({"train": [{**row, "pairs": []} for row in rows]}, config_name="rows")
    assert related_dialogues(corpus, "train") == [("f__1", "f__2"), ("a", "b")]
