"""Full split JSON, one file per split."""

from __future__ import annotations

import json

import pytest
from reader_case import ReaderCase

import iemomecp_dataset
from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.sources.full_splits import read_full_split, write_full_splits


class TestFullSplit(ReaderCase):
    of = read_full_split
    file = "x.json"

    @pytest.fixture
    def content(self, tree):
        return write_full_splits(iemomecp_dataset.load(data_dir=tree.root), tree.root / "full")[0].read_bytes()


@pytest.mark.parametrize("value", [True, 7.0, None, [7]])
def test_an_id_is_text_or_an_integer(tree, value):
    path = write_full_splits(iemomecp_dataset.load(data_dir=tree.root), tree.root / "full")[0]
    entries = json.loads(path.read_text())
    for key in ("dialogue_id", "doc_id", "raw_doc_id"):
        entries[0][key] = value
    path.write_text(json.dumps(entries))
    with pytest.raises(InvalidDataError, match="dialogue number 1: expected an id"):
        read_full_split(path)
    entries[0]["doc_id"] = 7
    path.write_text(json.dumps(entries))
    assert read_full_split(path)[0].ids == {"doc_id": "7"}


@pytest.mark.parametrize("as_code", [True, False])
def test_an_utterance_that_ends_before_it_starts_is_an_error(tree, as_code):
    path = write_full_splits(iemomecp_dataset.load(data_dir=tree.root), tree.root / "full")[0]
    entries = json.loads(path.read_text())
    utterance = entries[0]["utterances"][1]
    utterance["start_sec"], utterance["end_sec"] = utterance["end_sec"], utterance["start_sec"]
    if as_code:
        utterance["timecode"] = f"[{utterance.pop('start_sec')} - {utterance.pop('end_sec')}]"
    path.write_text(json.dumps(entries))
    with pytest.raises(InvalidDataError, match=r"turn 2: starts at 5\.5 s and ends before that, at 4 s"):
        read_full_split(path)


def test_an_utterance_that_starts_before_the_dialogue_is_an_error(tree):
    path = write_full_splits(iemomecp_dataset.load(data_dir=tree.root), tree.root / "full")[0]
    entries = json.loads(path.read_text())
    entries[0]["utterances"][0]["start_sec"] = -1
    path.write_text(json.dumps(entries))
    with pytest.raises(InvalidDataError, match=r"turn 1: starts at -1 s, before the dialogue begins"):
        read_full_split(path)


@pytest.mark.parametrize(
    ("key", "value"), [("original_turn", 2**31), ("original_turn", -(10**30)), ("chunk_start_turn", 10**300)]
)
def test_turns_that_no_column_takes_are_refused(tmp_path, key, value):
    spoken = {"turn": 1, "speaker": "F", "text": "Rain.", "emotion": "hap"}
    entry = {"dialogue_id": "d", "utterances": [spoken], "emotion_cause_pairs": []}
    (spoken if key == "original_turn" else entry)[key] = value
    (tmp_path / "x.json").write_text(json.dumps([entry]))
    with pytest.raises(InvalidDataError, match=r"turn 1: the turn .* is no number of a turn"):
        read_full_split(tmp_path / "x.json")
