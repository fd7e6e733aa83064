"""MECAD and RECCON, one list of turns per dialogue."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from corpus_case import PublishedCorpusCase, emotions_of
from corpus_files import GOLD, turn_lists, write
from reader_case import ReaderCase

import iemomecp_dataset
from iemomecp_dataset.corpora.turn_lists import read_turn_lists


class TestMecad(PublishedCorpusCase):
    name = "mecad"
    gold = GOLD

    def write(self, folder):
        for split in self.gold:
            write(folder / f"{split}_data_pair.json", turn_lists(split, "Anger"))


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
