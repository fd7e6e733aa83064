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


@pytest.mark.parametrize(
    ("key", "value"), [("original_turn", 2**31), ("original_turn", -(10**30)), ("chunk_start_turn", 10**400)]
)
def test_turns_that_no_column_takes_are_refused(tmp_path, key, value):
    spoken = {"turn": 1, "speaker": "F", "text": "Rain.", "emotion": "hap"}
    entry = {"dialogue_id": "d", "utterances": [spoken], "emotion_cause_pairs": []}
    (spoken if key == "original_turn" else entry)[key] = value
    (tmp_path / "x.json").write_text(json.dumps([entry]))
    with pytest.raises(InvalidDataError, match=r"turn 1: the turn .* is no number of a turn"):
        read_full_split(tmp_path / "x.json")
