"""ECF 2.0, the JSON of SemEval-2024 Task 3, and ECF re-encoded by dialogue."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
from corpus_case import PublishedCorpusCase
from corpus_files import (
    ECF_GOLD,
    GOLD,
    ecf_by_dialogue,
    ecf_json,
    ecf_json_with_clips,
    ecf_text,
    turn_lists,
    write,
)
from reader_case import ReaderCase

import iemomecp_dataset
from iemomecp_dataset.corpora.ecf_json import read_ecf_json
from iemomecp_dataset.corpus import load_corpus
from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.features.extraction_options import ExtractionOptions
from iemomecp_dataset.features.importers.importing import import_features


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


LAYOUTS = {
    "text": ("train.txt", ecf_text),
    "SemEval": ("Subtask_2_train.json", ecf_json_with_clips),
    "SemEval without clips": ("Subtask_2_train.json", ecf_json),
    "by dialogue": ("train_data_pair.json", ecf_by_dialogue),
}


def test_one_corpus_has_one_identity_in_every_layout(tmp_path):
    """Ids, digests, gold and texts; and the features of the authors fit."""
    np.save(tmp_path / "audio.npy", np.arange(1, 16, dtype=np.float32).reshape(5, 3))
    write(tmp_path / "all_data_pair.txt", ecf_text())
    found = {}
    for layout, (file, content) in LAYOUTS.items():
        write(tmp_path / layout / file, content())
        corpus = load_corpus("ecf", tmp_path / layout)
        ids = [[u["utterance_id"] for u in row["utterances"]] for row in corpus.rows["train"]]
        found[layout] = (ids, corpus.fingerprints, corpus.text_fingerprints)
        options = ExtractionOptions(
            data_dir=str(tmp_path / layout),
            config_name="ecf",
            modality="audio",
            output_dir=str(tmp_path / "f" / layout),
        )
        order = tmp_path / "all_data_pair.txt"
        assert import_features(options, [tmp_path / "audio.npy"], ecf_order=order).statuses == {"ok": 4}, layout
    assert found["text"][0] == [["dia7utt1", "dia7utt2", "dia7utt3"], ["dia8utt1"]]
    assert [layout for layout in LAYOUTS if found[layout] != found["text"]] == []


@pytest.mark.parametrize(
    ("layout", "times", "clips"),
    [
        ("text", True, False),
        ("SemEval", True, True),
        ("SemEval without clips", False, False),
        ("by dialogue", False, True),
    ],
)
def test_times_and_names_of_clips_are_kept_where_the_file_has_them(layout, times, clips, tmp_path):
    file, content = LAYOUTS[layout]
    write(tmp_path / file, content())
    utterances = iemomecp_dataset.load("ecf", data_dir=tmp_path, split="train")[0]["utterances"]
    expected = [(1.5, 2.0), (2.0, 3603.25), (4.0, 5.0)] if times else [(None, None)] * 3
    assert [(u["start"], u["end"]) for u in utterances] == expected
    assert [u["video"] for u in utterances] == [f"dia7utt{i}.mp4" if clips else None for i in (1, 2, 3)]


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("video_name", 5, "'video_name' must be the name of a clip, but is '5'"),
        ("video_source", ["S1E1", "00:01.5", "00:00:02"], "expected 'video_source' like"),
        ("video_source", "S1E1", "expected 'video_source' like"),
    ],
)
def test_a_clip_that_cannot_be_read_is_named(field, value, said, tmp_path):
    document = ecf_json_with_clips()
    document[0]["conversation"][1][field] = value
    path = write(tmp_path / "train.json", document)
    with pytest.raises(InvalidDataError, match=f"conversation 7, turn 2: {said}") as caught:
        list(read_ecf_json(path, Counter()))
    assert str(path) in str(caught.value)
