"""Loading a configuration whole or one split of it."""

from __future__ import annotations

import copy
import logging

import pytest
from corpus_files import mec4, write, write_meld

from iemomecp_dataset import load
from iemomecp_dataset.corpus import corpus_of, load_corpus
from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UsageError
from iemomecp_dataset.fingerprints import data_fingerprint, text_fingerprint
from iemomecp_dataset.metrics.evaluation.gold import load_gold_split

ECF = """\
1 2
(1,1)
1 | A | anger | We are late ! | Own_S1E1: 00:00:00.000 - 00:00:01.000
2 | B | neutral | I know . | Own_S1E1: 00:00:01.000 - 00:00:02.000
"""


@pytest.fixture(name="ecf_dir")
def fixture_ecf_dir(tmp_path):
    (tmp_path / "dev.txt").write_text(ECF, encoding="utf-8")
    return tmp_path


def test_one_split_is_what_the_whole_has_of_it(synthetic_dir):
    whole, alone = load_corpus("3class", synthetic_dir), load_corpus("3class", synthetic_dir, split="test")
    assert list(whole.rows) == ["train", "validation", "test"]
    assert list(alone.rows) == list(alone.tables) == ["test"]
    assert alone.fingerprints == {"test": whole.fingerprints["test"]}
    assert alone.fingerprints["test"] == data_fingerprint(load("3class", data_dir=synthetic_dir)["test"])
    assert alone.tables["test"].same_pairs(whole.tables["test"])
    assert (alone.name, alone.definition, alone.candidates) == ("iemomecp", "F", "triangle+exceptions")
    assert (alone.forward_pairs, alone.synthetic, alone.missing_splits) == ("as_published", True, ())


def test_training_needs_a_train_split_and_scoring_the_split_that_is_scored(ecf_dir, caplog):
    with pytest.raises(MissingDataError, match="no train split, which training needs"):
        load_corpus("ecf", ecf_dir)
    with pytest.raises(UsageError, match="no split 'test' of ecf"):
        load_corpus("ecf", ecf_dir, split="test")
    caplog.clear()
    with caplog.at_level(logging.WARNING, "iemomecp_dataset.corpus"):
        corpus = load_corpus("ecf", ecf_dir, split="validation", candidates="past")
    own = [record for record in caplog.records if record.name == "iemomecp_dataset.corpus"]
    assert not own, "splits that are not asked for need no warning"
    assert (corpus.name, corpus.definition, corpus.candidates, corpus.forward_pairs) == ("ecf", "A", "past", "past")
    assert corpus.missing_splits == ("train", "test")
    caplog.clear()
    with caplog.at_level(logging.WARNING, "iemomecp_dataset.corpus"):
        assert list(load_corpus("ecf", ecf_dir, for_training=False).rows) == ["validation"], "for features"
    assert not [record for record in caplog.records if record.name == "iemomecp_dataset.corpus"]


def _changed(path: tuple, value: object) -> list[dict]:
    rows = copy.deepcopy(ROWS)
    place = rows
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    return rows


ROWS = [
    {
        "dialogue_id": f"d{number}",
        "utterances": [
            {"turn": turn, "utterance_id": f"d{number}u{turn}", "text": f"word {turn}", "speaker": "A", "emotion": 0,
             "video": "a.mp4"}
            for turn in (1, 2)
        ],
        "pairs": [{"target_turn": 2, "cause_turn": 1, "label": 0}, {"target_turn": 2, "cause_turn": 2, "label": 1}],
        "gold_outside_candidates": [{"target_turn": 1, "cause_turn": 2}],
    }
    for number in range(2)
]  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "same_data", "same_texts"),
    [
        (ROWS[::-1], True, True),
        (_changed((0, "utterances", 0, "video"), "b.mp4"), True, True),
        (_changed((0, "utterances", 0, "utterance_id"), "other"), True, True),
        (_changed((0, "dialogue_id"), "other"), False, False),
        (_changed((0, "utterances", 1, "text"), "other"), True, False),
        (_changed((1, "utterances", 1, "speaker"), "B"), True, False),
        (_changed((1, "utterances", 0, "emotion"), 1), False, True),
        (_changed((0, "pairs", 1, "label"), 0), False, True),
        (_changed((0, "pairs", 0, "cause_turn"), 2), False, True),
        (_changed((1, "gold_outside_candidates"), []), False, True),
        (ROWS[:1], False, False),
    ],
)
def test_labels_and_texts_have_a_digest_each(rows, same_data, same_texts):
    assert (data_fingerprint(rows) == data_fingerprint(ROWS)) == same_data
    assert (text_fingerprint(rows) == text_fingerprint(ROWS)) == same_texts


@pytest.mark.parametrize(
    ("splits", "selection"),
    [
        (("train", "validation", "test"), "validation"),
        (("train", "validation"), "validation"),
        (("train", "test"), "train"),
        (("train",), "train"),
    ],
)
def test_epoch_and_threshold_are_chosen_on_validation_else_on_train(splits, selection):
    corpus = corpus_of(dict.fromkeys(splits, ROWS), config_name="ecf")
    assert corpus.selection_split == selection
    assert all({part["emotion"] for part in row["utterances"]} == {None} for row in corpus.rows["train"]), (
        "ids of emotions without names say nothing"
    )
    assert "SYNTHETIC" not in corpus.statement
    assert "SYNTHETIC" in corpus_of({"train": ROWS}, config_name="ecf", synthetic=True).statement


def test_gold_of_source_binary_says_how_forward_pairs_are_treated(synthetic_dir):
    published = load_gold_split("source_binary", synthetic_dir, "test")
    gold = load_gold_split("source_binary", synthetic_dir, "test", forward_pairs="gold")
    assert (published.forward_pairs, gold.forward_pairs) == ("as_published", "gold")
    assert (published.table.labels == 0).sum() < (gold.table.labels == 0).sum()


def test_pairs_of_a_corpus_without_pairs_are_refused(tmp_path):
    write_meld(tmp_path)
    corpus = load_corpus("meld", tmp_path)
    assert [len(table) for table in corpus.tables.values()] == [0, 0, 0]
    corpus.require_emotions()
    for ask in (corpus.require_pairs, lambda: load_gold_split("meld", tmp_path, "test")):
        with pytest.raises(
            UsageError, match=r"meld \(meld\) has no causes, so there are no pairs .* Use a corpus of pairs"
        ):
            ask()
    corpus_of({"train": ROWS}, config_name="ecf").require_pairs()


def test_emotions_of_a_corpus_without_emotions_are_refused(tmp_path):
    write(tmp_path / "train.json", mec4())
    with pytest.raises(UsageError, match=r"files of mec4 .* label no emotions; neutral and emotional only state"):
        load_corpus("mec4", tmp_path).require_emotions()
    names = ("neutral", "joy")
    unknown = _changed((0, "utterances", 0, "emotion"), 7)
    for rows, emotion_names, error, message in (
        (ROWS, None, UsageError, r"there are no two names to tell apart \(there are: none\)"),
        (ROWS, names[:1], UsageError, r"\(there are: neutral\)"),
        ([{**row, "utterances": [{**u, "emotion": None} for u in row["utterances"]]} for row in ROWS], names,
         UsageError, "No utterance of the train split"),
        (unknown, names, InvalidDataError, "has the emotion 7; expected 0 to 1"),
    ):  # fmt: skip
        with pytest.raises(error, match=message):
            corpus_of({"train": rows}, config_name="ecf", emotion_names=emotion_names).require_emotions()
    corpus_of({"train": ROWS}, config_name="ecf", emotion_names=names).require_emotions()


def test_the_validation_rule_of_iemocap_can_be_chosen(synthetic_dir):
    with_validation = load_corpus("iemocap", synthetic_dir, validation="first_tenth")
    without = load_corpus("iemocap", synthetic_dir, validation="none")
    assert without.missing_splits == ("validation",)
    first = [row["dialogue_id"] for row in with_validation.rows["validation"]]
    assert first == [row["dialogue_id"] for row in without.rows["train"]][: len(first)]
