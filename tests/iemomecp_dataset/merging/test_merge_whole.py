"""Whole dialogues of IEMOCAP from ConvECPE, with and without the release."""

from __future__ import annotations

import shutil

import pytest
from corpus_case import CorpusCase

import iemomecp_dataset
from iemomecp_dataset.corpora.metadata import CORPORA
from iemomecp_dataset.errors import InvalidDataError, MissingDataError
from iemomecp_dataset.merging.merge_whole import validation_dialogues
from iemomecp_dataset.schema import IEMOCAP_EMOTIONS
from iemomecp_dataset.sources.ecpec import ECPEC_SOURCE
from iemomecp_dataset.sources.iemocap_release import IEMOCAP_SOURCE

NAMES = ("Ses01F_impro01", "Ses01F_script01_1", "Ses02M_impro02", "Ses05F_impro03")
GOLD = {name: set() for name in NAMES}


class TestIemocap(CorpusCase):
    name = "iemocap"
    gold = GOLD
    word = ("Line 1,", "LINE 1,")
    files = "IEMOCAP/**/transcriptions/*.txt"

    @pytest.fixture
    def folder(self, tree):
        shutil.rmtree(tree.root / "labels")
        return tree.root

    def how_to_obtain(self):
        return ECPEC_SOURCE, IEMOCAP_SOURCE


def ids(splits):
    return {split: [row["dialogue_id"] for row in rows] for split, rows in splits.items()}


def test_rows_are_those_of_the_chunks_rejoined(synthetic_dir):
    chunks = iemomecp_dataset.load("3class", data_dir=synthetic_dir)
    whole = iemomecp_dataset.load("iemocap", data_dir=synthetic_dir)
    assert iemomecp_dataset.is_synthetic(whole)
    rejoined = {row["dialogue_id"]: row for rows in chunks.values() for row in iemomecp_dataset.whole_dialogues(rows)}
    found = {row["dialogue_id"]: row for rows in whole.values() for row in rows}
    assert found.keys() == rejoined.keys()
    for name, row in found.items():
        assert (row["pairs"], row["chunk_index"], row["session"]) == ([], -1, rejoined[name]["session"])
        assert row["utterances"] == rejoined[name]["utterances"]
    assert set(ids(whole)["test"]) == {row["source_dialogue_id"] for row in chunks["test"]}


def test_validation_is_chosen_among_the_train_dialogues(synthetic_dir):
    none, tenth, first = (
        ids(iemomecp_dataset.load("iemocap", data_dir=synthetic_dir, validation=validation))
        for validation in ("none", "every_tenth", "first_tenth")
    )
    assert list(none) == ["train", "test"]
    train = none["train"]
    assert sorted(tenth["validation"]) == sorted(train)[9::10]
    assert first["validation"] == train[: len(train) // 10]
    for splits in (tenth, first):
        assert splits["train"] == [name for name in train if name not in splits["validation"]]
        assert splits["test"] == none["test"]


@pytest.mark.parametrize(("n_train", "n_validation"), [(120, 12), (12, 1), (3, 1)])
@pytest.mark.parametrize("validation", ["every_tenth", "first_tenth"])
def test_a_tenth_is_never_nothing(n_train, n_validation, validation):
    names = [f"Ses0{1 + number % 4}F_{number:03}" for number in range(n_train)]
    chosen = validation_dialogues(names, validation)
    assert len(chosen) == n_validation
    if n_train == 120 and validation == "every_tenth":
        assert {name[:5] for name in chosen} == {f"Ses0{session}" for session in (1, 2, 3, 4)}


def test_without_the_release_times_and_media_are_null(tree, caplog):
    shutil.rmtree(tree.root / "IEMOCAP")
    row = iemomecp_dataset.load("iemocap", data_dir=tree.root, split="test")[0]
    assert row["utterances"][1] == {
        "turn": 2,
        "source_turn": 2,
        "utterance_id": "Ses05F_impro03_M002",
        "speaker": "M",
        "text": "Line 2, of Ses05F impro03.",
        "emotion": IEMOCAP_EMOTIONS.index("hap"),
        "start": None,
        "end": None,
        "wav": None,
        "video": None,
    }
    assert "Without an IEMOCAP release the text is ConvECPE's" in caplog.text


def test_the_two_sources_are_held_against_each_other(tree, caplog):
    path = tree.transcript("Ses05F_impro03")
    path.write_text(path.read_text().replace("Line 2, of", "Another text of"))
    with pytest.raises(InvalidDataError, match=r"text of IEMOCAP against ConvECPE's.*1 of 18 differ"):
        iemomecp_dataset.load("iemocap", data_dir=tree.root)
    rows = iemomecp_dataset.load("iemocap", data_dir=tree.root, max_mismatch=0.1, split="test")
    assert rows[0]["utterances"][1]["text"] == "Another text of Ses05F impro03."
    assert "1 of 18 utterances differ, such as Ses05F_impro03_M002" in caplog.text
    rows = iemomecp_dataset.load("iemocap", data_dir=tree.root, text_source="ecpec", split="test")
    assert rows[0]["utterances"][1]["text"] == "Line 2, of Ses05F impro03."
    path.unlink()
    with pytest.raises(MissingDataError, match="although ConvECPE has the dialogue 'Ses05F_impro03'"):
        iemomecp_dataset.load("iemocap", data_dir=tree.root)


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        (NAMES[:3], NAMES[2:], r"lists of train \(3\) and test dialogues \(2\) must have every dialogue once, 4"),
        (NAMES[:2], NAMES[3:], "1 are missing, unknown or repeated, such as 'Ses02M_impro02'"),
        (NAMES[:3], ("Ses05F_other",), "2 are missing, unknown or repeated"),
        (NAMES, (), "must have every dialogue once, 4 together."),
        (3, NAMES, "expected a list of train dialogues, found int"),
        (NAMES[:1], NAMES[1:], "1 train dialogues are too few to take validation from. Pass validation='none'"),
    ],
)
def test_lists_that_do_not_divide_the_dialogues_are_refused(tree, train, test, message):
    tree.write_pickle((*tree.pickle_entries()[:-2], train, test))
    with pytest.raises(InvalidDataError, match=message):
        iemomecp_dataset.load("iemocap", data_dir=tree.root)


def test_sets_are_sorted_since_their_order_is_not_defined(tree):
    tree.write_pickle((*tree.pickle_entries()[:-2], set(NAMES[:3]), [NAMES[3].encode()]))
    loaded = ids(iemomecp_dataset.load("iemocap", data_dir=tree.root, validation="first_tenth"))
    assert loaded == {"train": list(NAMES[1:3]), "validation": [NAMES[0]], "test": [NAMES[3]]}


def test_published_counts_are_of_all_dialogues():
    published = CORPORA["iemocap"].published_emotions
    assert sum(counts.dialogues for counts in published.values()) == 151
    assert {split: counts.utterances for split, counts in published.items()} == {"train+validation": 5810, "test": 1623}
