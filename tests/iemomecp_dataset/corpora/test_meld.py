"""MELD, one CSV file per split."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest
from corpus_case import CorpusCase, emotions_of
from corpus_files import MELD_GOLD, meld_csv, write, write_meld
from reader_case import ReaderCase

import iemomecp_dataset
from iemomecp_dataset.corpora.dialogues import Findings
from iemomecp_dataset.corpora.meld import read_meld, read_meld_lines
from iemomecp_dataset.corpora.metadata import CORPORA
from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UsageError


class TestMeld(CorpusCase):
    name = "meld"
    gold = MELD_GOLD

    def write(self, folder):
        write_meld(folder)

    def check_candidates(self, n_turns, pairs):
        assert pairs == []

    def test_candidates_are_refused(self, folder):
        with pytest.raises(UsageError, match=r"'meld' does not take the option 'candidates': MELD has no causes"):
            self.load(folder, candidates="past")

    def test_the_files_may_lie_where_the_repository_has_them(self, folder, tmp_path):
        for path in list(folder.iterdir()):
            write(tmp_path / "clone" / "data" / "MELD" / path.name, path.read_bytes())
        for split, rows in self.load(tmp_path / "clone").items():
            assert list(rows) == list(self.load(folder, split=split))

    def test_a_file_that_is_missing_leaves_its_split_out(self, folder, caplog):
        (folder / "dev_sent_emo.csv").unlink()
        assert list(self.load(folder)) == ["train", "test"]
        assert "no validation split of MELD (looked for dev_sent_emo.csv" in caplog.text

    def test_clips_are_found_as_soon_as_they_are_there(self, folder):
        assert {u["video"] for row in self.load(folder, split="train") for u in row["utterances"]} == {None}
        for path in ("train_splits/dia0_utt2.mp4", "train_splits/final_dia0_utt0.mp4", "train_splits/dia9_utt9.mp4",
                     "dev_splits_complete/dia2_utt0.mp4", "output_repeated_splits_test/dia0_utt0.mp4"):  # fmt: skip
            write(folder / path, "film")
        found = {
            u["utterance_id"]: str(Path(u["video"]).relative_to(folder))
            for rows in self.load(folder).values()
            for row in rows
            for u in row["utterances"]
            if u["video"] is not None
        }
        assert found == {
            "train_dia0_utt2": "train_splits/dia0_utt2.mp4",
            "dev_dia2_utt0": "dev_splits_complete/dia2_utt0.mp4",
            "test_dia0_utt0": "output_repeated_splits_test/dia0_utt0.mp4",
        }

    def test_rows_can_be_flattened_to_no_pairs(self, folder):
        assert len(iemomecp_dataset.to_pairs(self.load(folder, split="train"))) == 0
        assert list(iemomecp_dataset.to_pairs(self.load(folder, split="train", streaming=True))) == []


class TestMeldFile(ReaderCase):
    of = read_meld_lines
    file = "train_sent_emo.csv"

    @pytest.fixture
    def content(self):
        return meld_csv().encode()


def test_a_row_by_hand(tmp_path, caplog):
    write(tmp_path / "dev_sent_emo.csv", meld_csv())
    rows = iemomecp_dataset.load("meld", data_dir=tmp_path, split="validation")
    row = rows[0]
    assert (row["dialogue_id"], row["source_dialogue_id"], row["chunk_index"], row["session"]) == (
        "dev_dia0", "dev_dia0", -1, -1)  # fmt: skip
    first, second = row["utterances"]
    assert first["text"] == 'More rain, they say: "lots".'
    assert (first["start"], first["end"]) == (976.25, 978.5)
    assert second == {
        "turn": 2,
        "source_turn": 3,
        "utterance_id": "dev_dia0_utt2",
        "speaker": "Ann and Bob",
        "text": "Oh no’",
        "emotion": 3,
        "start": 970.0,
        "end": 1050.0,
        "wav": None,
        "video": None,
    }
    assert emotions_of(rows) == [["neutral", "sadness"], ["joy"]]
    for what in (
        "validation: dialogues with gaps in Utterance_ID 1",
        "validation: dialogues in which a start lies before that of the utterance before 1",
        "validation: utterances that end no later than they start 1",
        "validation: utterances longer than a minute 1",
    ):
        assert what in rows.info.description
        assert what in caplog.text


YES = "4,Yes.,Cy,joy,positive,2,0,1,2,"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Sr No.,", "", r"line 1: expected the header 'Sr No.,Utterance,.* found 'Utterance,Speaker"),
        ("Emotion,Sentiment", "Sentiment,Emotion", r"line 1: expected the header"),
        ("joy", "glee", r"line 4, dialogue 2, utterance 0: unknown emotion 'glee'"),
        ("joy", "neutrl", r"unknown emotion 'neutrl'. Did you mean 'neutral'"),
        ("positive", "good", r"line 4, .*unknown sentiment 'good'"),
        (YES, YES.replace(",2,0,1", ",two,0,1"), r"line 4: Dialogue_ID must be a number, but is 'two'"),
        (YES, YES.replace(",2,0,1", ",2,-1,1"), r"line 4: Utterance_ID must be a number, but is '-1'"),
        (",0,2,1,2", ",0,0,1,2", r"line 3, dialogue 0: utterance 0 is given twice"),
        ("neutral,0,0,", "neutral,0,5,", r"line 3, dialogue 0: utterance 2 follows utterance 5"),
        (YES, '3,Hm.,Cy,joy,positive,2,0,1,2,"1:00:00,250","1:00:00,250"\n4,No.,Ann,joy,positive,0,4,1,2,',
         r"line 5, dialogue 0: lines of this dialogue stand in two places"),
        ('"1:00:00,250"\n', '"1:00:00.250"\n', r"line 4, .*expected EndTime like '00:16:16,059', found '1:00:00.250'"),
        ('"0:16:10,000"', "soon", r"line 3, .*expected StartTime like '00:16:16,059', found 'soon'"),
        ("Cy", " ", r"line 4, .*Speaker is empty"),
        ("Yes.", "Yes, I do.", r"line 4: expected 11 fields, found 12"),
        ('""lots"".', '"lots".', r"line 2: not valid CSV"),
        ('"More', "More", r"line 2: expected 11 fields, found 12"),
        ("Yes.", '"Yes.', r"line 4: not valid CSV"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(tmp_path, old, new, message):
    assert old in meld_csv()
    path = write(tmp_path / "test_sent_emo.csv", meld_csv().replace(old, new))
    with pytest.raises(InvalidDataError, match=message) as caught:
        iemomecp_dataset.load("meld", data_dir=tmp_path)
    assert str(caught.value).startswith(f"{path}, line ")


def test_milliseconds_may_lack_leading_zeros(tmp_path):
    path = write(tmp_path / "train_sent_emo.csv", meld_csv().replace("0:16:16,250", "00:16:16,28"))
    assert read_meld_lines(path)[0].start == pytest.approx(976.028)


def test_an_utterance_may_span_lines(tmp_path):
    path = write(tmp_path / "train_sent_emo.csv", meld_csv().replace("Yes.", '"Yes.\r\nAgain."'))
    assert [(line.text, line.number) for line in read_meld_lines(path)][-1] == ("Yes.\r\nAgain.", 5)


SENTIMENTS = {
    "train": {"negative": 2945, "neutral": 4710, "positive": 2334},
    "dev": {"negative": 406, "neutral": 470, "positive": 233},
    "test": {"negative": 833, "neutral": 1256, "positive": 521},
}
ONE_TURN = {"train": 70, "dev": 6, "test": 12}
SPEAKERS = {"train": (260, 9), "dev": (47, 8), "test": (100, 8)}
SHIFTS = {"train": 4001, "dev": 427, "test": 1003}
GAPS = {"train": 72, "dev": 2, "test": 2}
FALLS_BACK = {"train": 23, "dev": 4, "test": 4}


@pytest.fixture(scope="module")
def genuine():
    if "IEMOMECP_MELD_DIR" not in os.environ:
        pytest.skip("IEMOMECP_MELD_DIR does not name a folder with the genuine files")
    return Path(os.environ["IEMOMECP_MELD_DIR"])


@pytest.mark.parametrize("part", ["train", "dev", "test"])
def test_genuine_files_give_the_published_facts(genuine, part):
    path = genuine / f"{part}_sent_emo.csv"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    findings = Findings()
    dialogues = list(read_meld(path, findings, {}))
    split = "validation" if part == "dev" else part
    assert Counter(u.emotion for d in dialogues for u in d.utterances) == CORPORA["meld"].class_counts[split]
    assert Counter(line.sentiment for line in read_meld_lines(path)) == SENTIMENTS[part]
    assert sum(len(d.utterances) == 1 for d in dialogues) == ONE_TURN[part]
    in_each = [{u.speaker for u in d.utterances} for d in dialogues]
    assert (len(set.union(*in_each)), max(map(len, in_each))) == SPEAKERS[part]
    shifts = 0
    for dialogue in dialogues:
        last: dict[str, str] = {}
        for utterance in dialogue.utterances:
            shifts += last.get(utterance.speaker, utterance.emotion) != utterance.emotion
            last[utterance.speaker] = utterance.emotion
    assert shifts == SHIFTS[part]
    assert findings.kept["dialogues with gaps in Utterance_ID"] == GAPS[part]
    assert findings.kept["dialogues in which a start lies before that of the utterance before"] == FALLS_BACK[part]
    if part == "train":
        assert "train_dia60" not in {dialogue.dialogue_id for dialogue in dialogues}
        assert dialogues[-1].dialogue_id == "train_dia1038"
    if part == "test":
        assert findings.kept["utterances longer than a minute"] == 2
        assert findings.kept["utterances that end no later than they start"] == 1


def test_without_any_file_it_is_said_how_to_obtain_them(tmp_path):
    with pytest.raises(MissingDataError, match=r"no file of MELD found\. Looked for train: train_sent_emo\.csv or "):
        iemomecp_dataset.load("meld", data_dir=tmp_path)
