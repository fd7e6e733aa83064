"""MECAD and RECCON, one list of turns per dialogue."""

from __future__ import annotations

import json
import os
from collections import Counter

import pytest
from corpus_case import PublishedCorpusCase, emotions_of
from corpus_files import GOLD, turn_lists, write
from reader_case import ReaderCase

import iemomecp_dataset
from iemomecp_dataset.corpora.turn_lists import read_turn_lists
from iemomecp_dataset.corpus_statistics import row_statistics
from iemomecp_dataset.errors import InvalidDataError


class TestMecad(PublishedCorpusCase):
    name = "mecad"
    gold = GOLD

    def write(self, folder):
        for split in self.gold:
            document = turn_lists(split, "Anger")
            for entry in document[split][0]:
                entry["utterance"] = f"下雨：{entry['utterance']}"  # its texts are Chinese, which tells it from RECCON
            write(folder / f"{split}_data_pair.json", document)


class TestReccon(PublishedCorpusCase):
    name = "reccon"
    gold = GOLD

    def write(self, folder):
        for split in self.gold:
            write(folder / f"dailydialog_{split}.json", turn_lists(split, "happy"))


class TestTurnListFile(ReaderCase):
    of = read_turn_lists
    file = "x.json"

    @pytest.fixture
    def content(self):
        return json.dumps(turn_lists("d1", "happy"), indent=1).encode()

    def read(self, path):
        return list(read_turn_lists(path, "reccon", Counter()))


def test_reccon_normalises_emotions_and_counts_what_is_no_pair(tmp_path):
    for split, label in (("train", "happines"), ("valid", "excited"), ("test", "angry")):
        write(tmp_path / f"dailydialog_{split}.json", turn_lists(split, label))
    rows = iemomecp_dataset.load("reccon", data_dir=tmp_path)
    names = {split: emotions_of(part)[0][1] for split, part in rows.items()}
    assert names == {"train": "happiness", "validation": "happiness", "test": "anger"}
    assert "train: latent causes outside the dialogue (no pairs) 1" in rows["train"].info.description
    assert "train: causes named more than once (counted once) 1" in rows["train"].info.description


def test_mecad_keeps_its_own_names_of_utterances_and_clips(tmp_path):
    document = turn_lists("d1", "Anger", [2])
    for number, entry in enumerate(document["d1"][0], start=1):
        entry["utterance_name"] = f"own_{number}"
        entry["emotion"] = entry["emotion"].title()
        entry["video"] = f"clips/own_{number}.mp4"
    write(tmp_path / "valid_data_pair.json", document)
    rows = iemomecp_dataset.load("mecad", data_dir=tmp_path, split="validation")
    assert [utterance["utterance_id"] for utterance in rows[0]["utterances"]] == ["own_1", "own_2"]
    assert [utterance["video"] for utterance in rows[0]["utterances"]] == ["own_1.mp4", "own_2.mp4"]
    assert emotions_of(rows) == [["neutral", "anger"]]


def test_written_explanations_of_reccon_come_with_their_causes(tmp_path):
    content = turn_lists("d1", "happy")
    content["d1"][0][1]["explanation"] = " The rain has stopped. "
    content["d1"][0][0]["explanation"] = ""
    write(tmp_path / "dailydialog_train.json", content)
    rows = iemomecp_dataset.load("reccon", data_dir=tmp_path, split="train")
    expected = {"target_turn": 2, "text": "The rain has stopped.", "status": 0, "cause_turns": [1, 2]}
    assert rows[0]["explanations"] == [expected]
    content["d1"][0][1]["explanation"] = 3
    write(tmp_path / "dailydialog_train.json", content)
    with pytest.raises(InvalidDataError, match="turn 2: 'explanation' must be text"):
        iemomecp_dataset.load("reccon", data_dir=tmp_path)
    write(tmp_path / "train_data_pair.json", content)
    assert iemomecp_dataset.load("mecad", data_dir=tmp_path, split="train")[0]["explanations"] == []


@pytest.mark.parametrize(("split", "found"), [("train", 243), ("validation", 11), ("test", 59)])
def test_genuine_explanations_of_reccon(split, found):
    if "IEMOMECP_RECCON_DIR" not in os.environ:
        pytest.skip("IEMOMECP_RECCON_DIR does not name a folder with the genuine files")
    loaded = iemomecp_dataset.load("reccon", data_dir=os.environ["IEMOMECP_RECCON_DIR"])
    if split not in loaded:
        pytest.skip(f"the genuine {split} file is not there")
    assert row_statistics(loaded[split]).explanations == {"complete": found}
