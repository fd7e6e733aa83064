"""Loading a configuration whole or one split of it."""

from __future__ import annotations

import copy
import logging

import pytest

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


def test_splits_may_be_called_as_files_call_them(synthetic_dir, ecf_dir):
    assert list(load_corpus("3class", synthetic_dir, split="dev").rows) == ["validation"]
    given = load("ecf", ecf_dir)
    assert list(corpus_of({"dev": given["validation"]}, config_name="ecf").rows) == ["validation"]
    with pytest.raises(UsageError, match="split validation is given 2 times, among 'dev', 'valid'"):
        corpus_of({"dev": given["validation"], "valid": given["validation"]}, config_name="ecf")
    with pytest.raises(UsageError, match=r"no split 'tset'\. Did you mean 'test'"):
        corpus_of({"tset": given["validation"]}, config_name="ecf")


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


def of_rows(config_name="rows", pairs=(), emotions=(0, 1), names=("neutral", "joy"), **more):
    utterances = [{"turn": turn, "speaker": "A", "text": "", "emotion": id_} for turn, id_ in enumerate(emotions, 1)]
    row = {"dialogue_id": "d", "utterances": utterances, "pairs": list(pairs), **more}
    return corpus_of({"train": [row]}, config_name=config_name, emotion_names=names)


def test_pairs_are_required_where_they_are_used():
    pair = {"target_turn": 2, "cause_turn": 1, "label": 1}
    missed = [{"target_turn": 1, "cause_turn": 2}]
    for corpus in (of_rows(pairs=[pair]), of_rows(gold_outside_candidates=missed)):
        assert corpus.require_pairs() is corpus
    with pytest.raises(UsageError, match=r"meld \(meld\) has no cause pairs.*trainers/ecerc.py or trainers/emotion.py"):
        of_rows("meld").require_pairs()


@pytest.mark.parametrize(
    ("corpus", "error", "message"),
    [
        (of_rows("mec4", names=("neutral", "emotional")), UsageError, "label no emotions; neutral and emotional are"),
        (of_rows(names=("joy",), emotions=(0, 0)), UsageError, "are joy alone"),
        (of_rows(names=None), UsageError, "No utterance of the train split of rows .rows. has an emotion"),
        (of_rows(emotions=(None, None)), UsageError, "No utterance of the train split .* Choose a corpus"),
        (of_rows(emotions=(0, 2)), InvalidDataError, "has the emotion 2; expected 0 to 1 for neutral, joy"),
    ],
)
def test_emotions_are_required_where_they_are_used(corpus, error, message):
    with pytest.raises(error, match=message):
        corpus.require_emotions()
    assert of_rows(emotions=(None, 1)).require_emotions().emotion_names == ("neutral", "joy")
