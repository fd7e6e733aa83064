"""ECF 2.0, the JSON of SemEval-2024 Task 3, and ECF re-encoded by dialogue."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from corpus_case import PublishedCorpusCase
from corpus_files import ECF_GOLD, GOLD, ecf_json, ecf_text, turn_lists, write
from reader_case import ReaderCase

import iemomecp_dataset
from iemomecp_dataset.corpora.ecf_json import read_ecf_json


class TestEcfJson(PublishedCorpusCase):
    name = "ecf"
    gold = ECF_GOLD

    def write(self, folder):
        for number, file in ((1, "Subtask_2_train.json"), (3, "valid.json"), (5, "test.json")):
            write(folder / file, ecf_json(number))


class TestEcfReEncodedByDialogue(PublishedCorpusCase):
    name = "ecf"
    gold = GOLD

    def write(self, folder):
        for split in self.gold:
            write(folder / f"{split}_data_pair.json", turn_lists(split))


class TestEcfJsonFile(ReaderCase):
    of = read_ecf_json
    file = "x.json"

    @pytest.fixture
    def content(self):
        document = ecf_json()
        document[0]["emotion-cause_pairs"][0][1] += "_rain"
        return json.dumps(document, indent=1).encode()

    def read(self, path):
        return list(read_ecf_json(path, Counter()))


@pytest.mark.parametrize("with_spans", [False, True], ids=["subtask 2", "subtask 1"])
def test_rows_are_those_of_the_text_form_without_times(tmp_path, with_spans):
    document = ecf_json()
    if with_spans:
        for pair in document[0]["emotion-cause_pairs"]:
            pair[1] += "_some words_of the span"
    write(tmp_path / "json" / f"Subtask_{1 if with_spans else 2}_train.json", document)
    write(tmp_path / "text" / "train.txt", ecf_text())
    as_json, as_text = (
        list(iemomecp_dataset.load("ecf", data_dir=tmp_path / name, split="train")) for name in ("json", "text")
    )
    for row in as_text:
        for utterance in row["utterances"]:
            utterance.update(start=None, end=None)
    assert as_json == as_text
