"""Structural rows of emotion recognition."""

import dataclasses

import numpy as np
import pytest

from iemomecp_dataset.benchmark.baselines.emotion_rows import (
    FROZEN_ENCODER,
    MAJORITY,
    PREVIOUS_EMOTION,
    TFIDF_WORDS,
    emotion_systems,
    previous_of_speaker,
)
from iemomecp_dataset.emotion_table import EmotionTable, emotion_table
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.metrics.emotion_scoring import emotion_scores


def weighted_f1(corpus, system, split="test"):
    table = emotion_table(corpus.rows[split])
    predicted = system.probabilities[split][table.labelled]
    return emotion_scores(predicted, table.labels[table.labelled], corpus.emotion_names)["weighted_f1"]


def with_gold(corpus, split, emotion):
    rows = [{**row, "utterances": [{**u, "emotion": emotion} for u in row["utterances"]]} for row in corpus.rows[split]]
    return dataclasses.replace(corpus, rows={**corpus.rows, split: rows})


def test_rows_from_the_least_to_the_most_informed(emotion_corpus):
    corpus = emotion_corpus()
    features = {
        split: np.random.default_rng(0).normal(size=(len(emotion_table(rows)), 4)).astype(np.float32)
        for split, rows in corpus.rows.items()
    }
    systems = emotion_systems(corpus, utterance_features=features, feature_source="frozen tiny")
    assert [system.key for system in systems] == [MAJORITY, PREVIOUS_EMOTION, TFIDF_WORDS, FROZEN_ENCODER]
    assert systems[0].display_name == "majority (neutral)"
    assert "frozen tiny" in systems[3].display_name
    assert weighted_f1(corpus, systems[2]) > weighted_f1(corpus, systems[0]) + 0.1
    for system in systems:
        for split, rows in corpus.rows.items():
            assert system.probabilities[split].shape == (len(emotion_table(rows)), 3)
            assert system.probabilities[split].sum(axis=1) == pytest.approx(1)


def test_no_row_uses_the_gold_of_the_split_that_it_predicts(emotion_corpus):
    corpus = emotion_corpus()
    features = {
        split: np.random.default_rng(0).normal(size=(len(emotion_table(rows)), 4))
        for split, rows in corpus.rows.items()
    }
    found, again = (
        emotion_systems(one, utterance_features=features, feature_source="frozen tiny")
        for one in (corpus, with_gold(corpus, "test", 2))
    )
    for one, other in zip(found, again, strict=True):
        np.testing.assert_array_equal(one.probabilities["test"], other.probabilities["test"])


def test_the_previous_emotion_is_what_the_words_of_the_previous_utterance_predict(emotion_corpus):
    corpus = emotion_corpus()
    _, previous, words, _ = emotion_systems(corpus)
    own = words.probabilities["test"].argmax(axis=1)
    i = 0
    for row in corpus.rows["test"]:
        last = {}
        for utterance in row["utterances"]:
            last_of_speaker = last.get(utterance["speaker"], own[i])
            assert previous.probabilities["test"][i].argmax() == last_of_speaker
            last[utterance["speaker"]] = own[i]
            i += 1


def test_previous_utterances_follow_turns_within_a_dialogue_whatever_the_order():
    table = EmotionTable(
        np.array(["e", "d", "d", "d", "d"]),
        np.array([1, 3, 1, 2, 4]),
        np.array(["A", "A", "A", "", ""]),
        np.zeros(5, dtype=int),
    )
    assert previous_of_speaker(table).tolist() == [0, 2, 2, 3, 4]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("no train", []),
        ("nothing known", []),
        ("no text", [True, False, False, False]),
        ("one emotion", [True, True, True, False]),
    ],
)
def test_rows_of_poor_data(emotion_corpus, change, expected):
    corpus = emotion_corpus()
    rows = {split: of_split for split, of_split in corpus.rows.items() if change != "no train" or split != "train"}
    if change == "no text":
        rows = {
            split: [{**row, "utterances": [{**u, "text": None} for u in row["utterances"]]} for row in of_split]
            for split, of_split in rows.items()
        }
    corpus = dataclasses.replace(corpus, rows=rows)
    if change in ("nothing known", "one emotion"):
        corpus = with_gold(corpus, "train", None if change == "nothing known" else 1)
    systems = emotion_systems(corpus)
    assert [bool(system.probabilities) for system in systems] == expected
    assert all("Not built" in system.description for system in systems if not system.probabilities)
    if change == "one emotion":
        assert (systems[2].probabilities["test"].argmax(axis=1) == 1).all()


def test_a_system_without_text_vectors_has_the_row_with_its_reason(emotion_corpus):
    frozen = emotion_systems(emotion_corpus())[-1]
    assert (frozen.key, frozen.display_name) == (FROZEN_ENCODER, "frozen encoder + logistic regression")
    assert frozen.probabilities == {}
    assert "Not built: the run has no vectors of a frozen text encoder" in frozen.description


def test_missing_vectors_are_neither_fitted_on_nor_guessed_and_are_counted(emotion_corpus):
    corpus = emotion_corpus()
    tables = {split: emotion_table(rows) for split, rows in corpus.rows.items()}
    rng = np.random.default_rng(0)
    # The vectors tell the emotion, so that those of a whole regression differ from its prior.
    features = {
        split: (np.eye(3)[table.labels] + 0.1 * rng.normal(size=(len(table), 3))).astype(np.float32)
        for split, table in tables.items()
    }
    whole = emotion_systems(corpus, utterance_features=features, feature_source="frozen tiny")[-1]
    assert "missing" not in whole.description
    absent = {split: array.copy() for split, array in features.items()}
    absent["train"][:2], absent["test"][1] = np.nan, np.nan
    found = emotion_systems(corpus, utterance_features=absent, feature_source="frozen tiny")[-1]
    assert "Vectors are missing (2 of train, 1 of test)" in found.description
    known = tables["train"].labels[tables["train"].labelled]
    shares = np.bincount(known, minlength=3) / len(known)
    np.testing.assert_allclose(found.probabilities["test"][1], shares)
    fitted = dataclasses.replace(
        corpus,
        rows={
            **corpus.rows,
            "train": [
                {**row, "utterances": [{**u, "emotion": None} if (i, j) in ((0, 0), (0, 1)) else u
                                       for j, u in enumerate(row["utterances"])]}
                for i, row in enumerate(corpus.rows["train"])
            ],
        },
    )  # fmt: skip
    expected = emotion_systems(fitted, utterance_features=features, feature_source="frozen tiny")[-1]
    rest = np.arange(len(tables["test"])) != 1
    np.testing.assert_allclose(found.probabilities["test"][rest], expected.probabilities["test"][rest])
    absent["train"][:] = np.nan
    none = emotion_systems(corpus, utterance_features=absent, feature_source="frozen tiny")[-1]
    assert none.probabilities == {}
    assert "no train utterance with a known emotion has a vector" in none.description


def test_features_must_cover_every_split(emotion_corpus):
    corpus = emotion_corpus()
    features = {"train": np.zeros((len(emotion_table(corpus.rows["train"])), 2), np.float32)}
    with pytest.raises(UsageError, match="these splits have none"):
        emotion_systems(corpus, utterance_features=features, feature_source="frozen tiny")
