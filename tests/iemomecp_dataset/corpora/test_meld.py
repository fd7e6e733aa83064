"""MELD, one CSV file per split."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest
from corpus_case import CorpusCase, emotions_of
from corpus_files import ecf_text, ecf_to_meld, meld_csv, write
from reader_case import ReaderCase

import iemomecp_dataset
from iemomecp_dataset.benchmark.runs.contamination import SplitData, contamination_warnings
from iemomecp_dataset.corpora.meld import read_meld
from iemomecp_dataset.corpora.metadata import CORPORA
from iemomecp_dataset.corpora.utterance_map import read_utterance_map
from iemomecp_dataset.corpus import load_corpus
from iemomecp_dataset.errors import InvalidDataError, UsageError
from iemomecp_dataset.metrics.evaluation.gold import load_gold_split

GOLD = {f"{split}_dia{number}": set() for split in ("train", "dev", "test") for number in (0, 2)}
FILES = ("train_sent_emo.csv", "dev_sent_emo.csv", "test_sent_emo.csv")


class TestMeld(CorpusCase):
    name = "meld"
    gold = GOLD

    def write(self, folder):
        for file in FILES:
            write(folder / "data" / "MELD" / file, meld_csv())


class TestMeldFile(ReaderCase):
    of = read_meld
    file = "train_sent_emo.csv"

    @pytest.fixture
    def content(self):
        return meld_csv().replace("\r", "").encode()

    def read(self, path):
        return list(read_meld(path))


def load(path, **options):
    return iemomecp_dataset.load("meld", data_dir=path.parent, split="train", **options)


def test_a_row_by_hand(tmp_path, caplog):
    path = write(tmp_path / "train_sent_emo.csv", meld_csv(5))
    write(tmp_path / "train_splits" / "dia5_utt2.mp4", "a clip")
    write(tmp_path / "train_splits" / "._dia5_utt3.mp4", "what another system leaves behind")
    write(tmp_path / "dev_splits_complete" / "dia5_utt0.mp4", "a clip of another split")
    rows = load(path)
    row = rows[0]
    assert (row["dialogue_id"], row["source_dialogue_id"], row["chunk_index"]) == ("train_dia5", "train_dia5", -1)
    assert row["pairs"] == iemomecp_dataset.gold_pairs(row) == []
    assert row["utterances"][1] == {
        "turn": 2,
        "source_turn": 3,
        "utterance_id": "train_dia5_utt2",
        "speaker": "Bob and Ann",
        "text": 'So "they" say?',
        "emotion": 1,
        "start": 963.25,
        "end": 1024.5,
        "wav": None,
        "video": str(tmp_path / "train_splits" / "dia5_utt2.mp4"),
    }
    assert [utterance["video"] is None for utterance in row["utterances"]] == [True, False, True]
    assert emotions_of(rows) == [["joy", "surprise", "neutral"], ["fear"]]
    assert "no validation split of MELD (looked for dev_sent_emo.csv" in caplog.text
    assert "start times fall back within 1 dialogues, such as train_dia5" in caplog.text
    assert "train_dia5_utt2 (61 s), train_dia7_utt0 (0 s). The times are kept." in caplog.text


def test_a_clip_that_comes_later_is_found(tmp_path):
    path = write(tmp_path / "train_sent_emo.csv", meld_csv())
    assert load(path)[0]["utterances"][0]["video"] is None
    clip = tmp_path / "train_splits" / "dia0_utt0.mp4"
    write(clip, "a clip")
    assert load(path)[0]["utterances"][0]["video"] == str(clip)


def test_every_form_of_the_rows_is_complete_without_pairs(tmp_path):
    path = write(tmp_path / "train_sent_emo.csv", meld_csv())
    rows = load(path)
    assert load(path, num_proc=2, download_mode="force_redownload").to_list() == rows.to_list()
    flat = iemomecp_dataset.to_pairs(rows)
    assert (len(flat), "target_text" in flat.column_names) == (0, True)
    assert list(iemomecp_dataset.to_pairs(load(path, streaming=True))) == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Emotion,", "Feeling,", "line 1: expected the columns Sr No., .* without Emotion"),
        ("Speaker,", "Utterance,", "line 1: expected the columns .* without Speaker"),
        ("EndTime\r\n", "EndTime,EndTime\r\n", "one of them twice"),
        (",joy,", ",jo,", "line 2, dialogue 0, Utterance_ID 0: unknown emotion 'jo'. Did you mean 'joy'"),
        (",All,", ", ,", "there is no speaker"),
        (",0,2,1,2,", ",x,2,1,2,", "line 3: Dialogue_ID must be a whole number from 0, but is 'x'"),
        (",0,2,1,2,", ",0,-2,1,2,", "line 3: Utterance_ID must be a whole number from 0, but is '-2'"),
        (",0,2,1,2,", ",0,0,1,2,", "line 3, dialogue 0: Utterance_ID 0 occurs twice"),
        (",0,2,1,2,", ",0,9,1,2,", "line 4, dialogue 0: Utterance_ID 3 comes after Utterance_ID 9"),
        (",0,2,1,2,", ",8,2,1,2,", "line 4, dialogue 0: the dialogue already ended"),
        ('"00:16:04,000"', '"16m"', "line 4, dialogue 0, Utterance_ID 3: EndTime must be a time like"),
        ('"0:16:01,500"', "0:16:01,500", "line 2: expected 11 fields, found 12. A comma in a text needs quotes"),
        ('"So ""they"" say?"', '"So "they" say?"', "line 3: the quotes or commas are not those of a CSV file"),
    ],
)
def test_what_breaks_the_format_is_one_sentence(tmp_path, old, new, message):
    content = meld_csv()
    assert old in content
    path = write(tmp_path / "train_sent_emo.csv", content.replace(old, new, 1))
    with pytest.raises(InvalidDataError, match=message) as caught:
        load(path)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize("candidates", ["all", "past"])
@pytest.mark.parametrize("name", ["meld", "iemocap"])
def test_there_are_no_candidates_to_choose(tmp_path, name, candidates):
    with pytest.raises(UsageError, match="it has emotions and no causes, hence no candidate pairs"):
        iemomecp_dataset.load(name, data_dir=tmp_path, candidates=candidates)


def test_pairs_cannot_be_scored(tmp_path):
    write(tmp_path / "test_sent_emo.csv", meld_csv())
    with pytest.raises(UsageError, match=r"meld \(meld\) has no cause pairs"):
        load_gold_split("meld", tmp_path, "test")


@pytest.mark.parametrize(("trained", "tested"), [("ecf", "meld"), ("meld", "ecf")])
@pytest.mark.parametrize("map_in", ["ecf", "meld"])
def test_ecf_and_meld_are_compared_through_the_map_of_the_authors(tmp_path, trained, tested, map_in):
    files = {"ecf": ("train.txt", "test.txt", ecf_text()), "meld": ("train_sent_emo.csv", "test_sent_emo.csv", "")}
    for name, split in ((trained, "train"), (tested, "test")):
        train, test, content = files[name]
        write(tmp_path / name / (train if split == "train" else test), content or meld_csv(5))
    prefix = "train" if trained == "meld" else "test"
    write(tmp_path / map_in / "all_data_pair_ECFvsMELD.txt", ecf_to_meld().replace("train_dia5", f"{prefix}_dia5"))
    corpora = [load_corpus(name, tmp_path / name, for_training=False) for name in (trained, tested)]
    data = [SplitData(c.name, split, rows, c.data_dir) for c in corpora for split, rows in c.rows.items()]
    said = contamination_warnings(data)
    assert said[0] == (
        f"{trained}/train and {tested}/test share 2 utterances; such as {prefix}_dia5 {prefix}_dia5_utt0, "
        f"{prefix}_dia5 {prefix}_dia5_utt2."
    )


@pytest.fixture(scope="module", name="genuine")
def fixture_genuine(tmp_path_factory):
    """MELD itself, in the splits that the folder has."""
    if "IEMOMECP_MELD_DIR" not in os.environ:
        pytest.skip("IEMOMECP_MELD_DIR does not name a folder with the genuine files")
    cache = tmp_path_factory.mktemp("meld")
    return iemomecp_dataset.load("meld", data_dir=os.environ["IEMOMECP_MELD_DIR"], cache_dir=cache)


def test_genuine_files_give_the_published_counts(genuine):
    published = {
        # dialogues of one turn, speakers, most speakers in one, shifts of a speaker's emotion, dialogues with gaps
        "train": (70, 260, 9, 4001, 72),
        "validation": (6, 47, 8, 427, 2),
        "test": (12, 100, 8, 1003, 2),
    }
    corpus = CORPORA["meld"]
    for split, rows in genuine.items():
        counts = corpus.published[split]
        spoken = [row["utterances"] for row in rows]
        lengths = [len(utterances) for utterances in spoken]
        assert (len(rows), sum(lengths), max(lengths)) == (counts.dialogues, counts.utterances, counts.longest)
        emotions = list(itertools.chain.from_iterable(emotions_of(rows)))
        by_emotion = tuple(emotions.count(name) for name in corpus.emotions)
        assert by_emotion == corpus.published_emotions[split].by_emotion
        assert corpus.published_emotions[split].utterances == len(emotions)
        of_dialogue = [{utterance["speaker"] for utterance in utterances} for utterances in spoken]
        shifts = 0
        for utterances in spoken:
            last = {}
            for utterance in utterances:
                shifts += last.get(utterance["speaker"], utterance["emotion"]) != utterance["emotion"]
                last[utterance["speaker"]] = utterance["emotion"]
        gaps = sum([u["source_turn"] for u in us] != [u["turn"] for u in us] for us in spoken)
        speakers = set.union(*of_dialogue)
        assert (lengths.count(1), len(speakers), max(map(len, of_dialogue)), shifts, gaps) == published[split]
    if set(genuine) == set(published):
        names = {u["speaker"] for rows in genuine.values() for row in rows for u in row["utterances"]}
        assert len(names) == 304


def test_genuine_files_join_ecf_through_its_map(genuine):
    if "IEMOMECP_ECF_DIR" not in os.environ:
        pytest.skip("IEMOMECP_ECF_DIR does not name a folder with the genuine files")
    ecf = iemomecp_dataset.load("ecf", data_dir=os.environ["IEMOMECP_ECF_DIR"])
    mapped = read_utterance_map(Path(os.environ["IEMOMECP_ECF_DIR"]) / "all_data_pair_ECFvsMELD.txt")
    for split, n_mapped in (("train", 9776), ("validation", 1078), ("test", 2524)):
        if split not in genuine or split not in ecf:
            continue
        ids = {utterance["utterance_id"] for row in genuine[split] for utterance in row["utterances"]}
        found = [entry.utterance for row in ecf[split] for entry in mapped[row["dialogue_id"]] if entry.utterance]
        assert len(ids & set(found)) == n_mapped, split
        # Conversation 544 of ECF's train split has 11 utterances of a test dialogue.
        assert len(found) - n_mapped == (11 if split == "train" else 0), split
