"""ECF 1.0, one text file per split."""

from __future__ import annotations

import pytest
from corpus_case import PublishedCorpusCase, emotions_of
from corpus_files import ECF_GOLD, ecf_text, write
from reader_case import ReaderCase

import iemomecp_dataset
from iemomecp_dataset.corpora.ecf import read_ecf_text


class TestEcf(PublishedCorpusCase):
    name = "ecf"
    gold = ECF_GOLD

    def write(self, folder):
        for number, file in ((1, "train.txt"), (3, "dev.txt"), (5, "test.txt")):
            write(folder / file, ecf_text(number))


class TestEcfFile(ReaderCase):
    of = read_ecf_text
    file = "x.txt"

    @pytest.fixture
    def content(self):
        return ecf_text().encode()

    def read(self, path):
        return list(read_ecf_text(path))


def load(path):
    return iemomecp_dataset.load("ecf", data_dir=path.parent, split="train")


def test_a_row_by_hand(tmp_path):
    rows = load(write(tmp_path / "train.txt", ecf_text()))
    row = rows[0]
    assert (row["source_dialogue_id"], row["chunk_index"], row["session"]) == ("7", -1, -1)
    assert row["utterances"][1] == {
        "turn": 2,
        "source_turn": 2,
        "utterance_id": "dia7utt2",
        "speaker": "Bob",
        "text": "It did what ?",
        "emotion": 2,
        "start": 2.0,
        "end": 3603.25,
        "wav": None,
        "video": None,
    }
    assert emotions_of(rows) == [["joy", "surprise", "neutral"], ["neutral"]]


@pytest.mark.parametrize("change", [lambda text: text + "\n\n", str.rstrip], ids=["blank lines", "no line feed"])
def test_the_end_of_the_file_may_be_as_editors_leave_it(tmp_path, change):
    changed = load(write(tmp_path / "a" / "train.txt", change(ecf_text())))
    assert list(changed) == list(load(write(tmp_path / "b" / "train.txt", ecf_text())))


def test_fields_are_split_at_spaced_bars_alone(tmp_path):
    rows = load(write(tmp_path / "train.txt", ecf_text().replace("It did what ?", "It|did what\u2028now ?")))
    assert rows[0]["utterances"][1]["text"] == "It|did what\u2028now ?"
