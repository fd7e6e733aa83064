"""MECAD and RECCON, one list of turns per dialogue."""

from __future__ import annotations

import json
import os
from collections import Counter

import pytest
from corpus_case import PublishedCorpusCase, emotions_of
from corpus_files import GOLD, turn_lists, write
from datasets import load_dataset
from reader_case import ReaderCase

import iemomecp_dataset
from iemomecp_dataset.benchmark.runs.contamination import splits_of
from iemomecp_dataset.corpora.metadata import CORPORA
from iemomecp_dataset.corpora.turn_lists import read_turn_lists
from iemomecp_dataset.corpus import corpus_of, load_corpus
from iemomecp_dataset.corpus_statistics import row_statistics
from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UsageError
from iemomecp_dataset.rows import list_item
from iemomecp_dataset.schema import COMMON_EMOTIONS, PAIR_LABELS, row_features


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


def iemocap_part(*labels):
    """The part of RECCON on IEMOCAP: an utterance of each emotion; the second has causes, one of them latent."""
    turns = [
        {"turn": turn, "speaker": "FM"[turn % 2], "utterance": f"Line {turn} .", "emotion": label}
        for turn, label in enumerate(labels, start=1)
    ]
    turns[1]["expanded emotion cause evidence"] = [1, 1, 2, "b"]
    return {"Ses02F_made_up": [turns]}


@pytest.fixture
def with_iemocap(tmp_path):
    for split in GOLD:
        write(tmp_path / f"dailydialog_{split}.json", turn_lists(split, "excited"))
    labels = ("neu", "excited", "frustrated", "xxx", "sad", "Angry", "hap", "oth", "Other")
    write(tmp_path / "iemocap_test.json", iemocap_part(*labels))
    return tmp_path


def test_the_part_of_reccon_on_iemocap_is_a_split_of_its_own_with_its_emotions(with_iemocap):
    loaded = iemomecp_dataset.load("reccon", data_dir=with_iemocap)
    assert list(loaded) == ["train", "validation", "test", "test_iemocap"]
    assert len({str(rows.features) for rows in loaded.values()}) == 1
    names = list_item(loaded["test"].features["utterances"])["emotion"].names
    assert names == [*CORPORA["reccon"].emotions, "excitement", "frustration", "other"]
    # DailyDialog has no excitement: its label goes where it always has.
    assert emotions_of(loaded["test"]) == [["neutral", "happiness"]]
    found = [None if u["emotion"] is None else names[u["emotion"]] for u in loaded["test_iemocap"][0]["utterances"]]
    assert found == ["neutral", "excitement", "frustration", None, "sadness", "anger", "happiness", "other", "other"]
    assert iemomecp_dataset.gold_pairs(loaded["test_iemocap"][0]) == [(2, 1), (2, 2)]
    for counted in (
        "latent causes outside the dialogue (no pairs) 1",
        "causes named more than once (counted once) 1",
        "emotions that annotators did not agree on (null) 1",
    ):
        assert f"test_iemocap: {counted}" in loaded["test"].info.description
    part = load_dataset("iemomecp", "reccon", data_dir=str(with_iemocap), split="test_iemocap[:1]")
    assert part.to_list() == loaded["test_iemocap"].to_list()
    streamed = iemomecp_dataset.load("reccon", data_dir=with_iemocap, split="test_iemocap", streaming=True)
    assert list(streamed) == list(part)


def test_common_emotions_cover_the_part_of_reccon_on_iemocap(with_iemocap):
    rows = iemomecp_dataset.load("reccon", data_dir=with_iemocap, split="test_iemocap", emotions="common")
    spoken = rows[0]["utterances"]
    found = [None if u["emotion"] is None else COMMON_EMOTIONS[u["emotion"]] for u in spoken]
    assert found == ["neutral", "excitement", "frustration", None, "sadness", "anger", "joy", "other", "other"]
    assert [u["emotion_source"] for u in spoken][1:4] == ["excitement", "frustration", None]


def test_without_its_file_the_part_of_reccon_on_iemocap_changes_nothing(with_iemocap, caplog):
    (with_iemocap / "iemocap_test.json").unlink()
    caplog.set_level("INFO", logger="iemomecp_dataset")
    loaded = iemomecp_dataset.load("reccon", data_dir=with_iemocap)
    assert list(loaded) == ["train", "validation", "test"]
    assert loaded["test"].features == row_features(PAIR_LABELS, CORPORA["reccon"].emotions)
    absent = (
        f"{with_iemocap}: no test_iemocap split of RECCON-DailyDialog (looked for iemocap_test.json); it is omitted."
    )
    # Most users cannot have it, so that it is no warning.
    assert {(r.levelname, r.message) for r in caplog.records if "test_iemocap" in r.message} == {("INFO", absent)}
    with pytest.raises(MissingDataError, match="There is no test_iemocap split here") as error:
        iemomecp_dataset.load("reccon", data_dir=with_iemocap, split="test_iemocap")
    assert absent in str(error.value)
    other = write(with_iemocap / "mecad" / "test_data_pair.json", turn_lists("d", "Sad")).parent
    with pytest.raises(UsageError, match="There is no split 'test_iemocap'"):
        iemomecp_dataset.load("mecad", data_dir=other, split="test_iemocap")


def test_training_and_the_comparison_of_splits_leave_the_part_on_iemocap_out(with_iemocap, caplog):
    corpus = load_corpus("reccon", with_iemocap)
    assert list(corpus.rows) == ["train", "validation", "test"]
    assert corpus.emotion_names == CORPORA["reccon"].emotions
    assert corpus.rows["test"][0]["dialogue_id"] == "test"
    assert {data.split for data in splits_of(corpus)} == {"train", "validation", "test"}
    assert "The split test_iemocap of reccon is left out" in caplog.text
    alone = load_corpus("reccon", with_iemocap, split="test_iemocap")
    for unknown in (
        lambda: load_corpus("reccon", with_iemocap, split="tset"),
        lambda: iemomecp_dataset.load("reccon", with_iemocap, split="tset"),
        lambda: corpus_of({"tset": alone.rows["test_iemocap"]}, config_name="reccon"),
    ):
        with pytest.raises(UsageError, match="train, validation, test, test_iemocap"):
            unknown()
    assert list(alone.rows) == ["test_iemocap"]
    assert alone.emotion_names[-3:] == ("excitement", "frustration", "other")
    (with_iemocap / "iemocap_test.json").unlink()
    assert load_corpus("reccon", with_iemocap).fingerprints == corpus.fingerprints


@pytest.mark.parametrize(("split", "found"), [("train", 243), ("validation", 11), ("test", 59)])
def test_genuine_explanations_of_reccon(split, found):
    if "IEMOMECP_RECCON_DIR" not in os.environ:
        pytest.skip("IEMOMECP_RECCON_DIR does not name a folder with the genuine files")
    loaded = iemomecp_dataset.load("reccon", data_dir=os.environ["IEMOMECP_RECCON_DIR"])
    if split not in loaded:
        pytest.skip(f"the genuine {split} file is not there")
    assert row_statistics(loaded[split]).explanations == {"complete": found}
