"""Emotion categories: what can be learned, what a pair's target is called, and how recognition is scored."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from iemomecp_dataset.corpus import Corpus, FurtherTraining, corpus_of
from iemomecp_dataset.errors import InvalidDataError, UsageError
from iemomecp_dataset.trainers.options import CATEGORY_WEIGHT
from iemomecp_dataset.trainers.training.emotions import (
    categories_left_out,
    category_weight,
    check_emotions,
    emotion_category_scores,
    no_categories,
    target_emotions,
)

NAMES = ("neutral", "joy", "anger")


def rows(*emotions: tuple[int | None, ...]) -> list[dict[str, Any]]:
    """Dialogues of utterances with these emotions; every pair is a candidate."""
    return [
        {
            "dialogue_id": f"d{number}",
            "utterances": [
                {"turn": turn, "utterance_id": f"d{number}_{turn}", "speaker": "A", "text": "", "emotion": emotion}
                for turn, emotion in enumerate(of_dialogue, start=1)
            ],
            "pairs": [
                {"target_turn": target, "cause_turn": cause, "label": 1}
                for target in range(1, len(of_dialogue) + 1)
                for cause in range(1, len(of_dialogue) + 1)
            ],
        }
        for number, of_dialogue in enumerate(emotions)
    ]


def corpus(train: list[dict[str, Any]], names: tuple[str, ...] | None = NAMES) -> Corpus:
    return corpus_of({"train": train, "test": rows((1,))}, config_name="rows", emotion_names=names)


@pytest.mark.parametrize("train", [rows((0, 1)), rows((None, 2), (None,))])
def test_some_emotions_are_enough(train: list[dict[str, Any]]) -> None:
    check_emotions(corpus(train))


@pytest.mark.parametrize(
    ("train", "names", "error", "message"),
    [
        (rows((None, None)), NAMES, UsageError, "No utterance of the train split .* has an emotion"),
        (rows((0, 1)), None, UsageError, "Leave --emotion_category_weight out"),
        (rows((0, 1)), ("neutral", "emotional"), UsageError, "no two categories besides neutral"),
        (rows((0, 1)), ("joy", "neu"), UsageError, "no two categories besides neutral"),
        (rows((0, 3)), NAMES, InvalidDataError, r"the train split has the emotion 3; expected 0 to 2 for neutral, joy"),
        (rows((0, -1)), NAMES, InvalidDataError, "has the emotion -1"),
    ],
)
def test_what_cannot_be_learned_is_refused(
    train: list[dict[str, Any]], names: tuple[str, ...] | None, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        check_emotions(corpus(train, names))


def test_categories_are_learned_where_there_are_some_unless_a_weight_is_given() -> None:
    labelled, unlabelled = corpus(rows((0, 1))), corpus(rows((None, None)))
    assert category_weight(None, labelled, predicts=True) == CATEGORY_WEIGHT > 0
    assert category_weight(None, labelled, predicts=False) == 0
    assert category_weight(None, unlabelled, predicts=True) == 0
    assert category_weight(0.0, labelled, predicts=True) == 0
    assert category_weight(0.0, unlabelled, predicts=True) == 0
    assert category_weight(0.7, labelled, predicts=True) == 0.7
    with pytest.raises(UsageError, match="No utterance of the train split"):
        category_weight(0.7, unlabelled, predicts=True)
    assert no_categories(labelled) is None
    assert "has none to learn" in (no_categories(unlabelled) or "")


def test_further_corpora_with_other_categories_are_named() -> None:
    other = FurtherTraining("reccon", corpus(rows((0, 1)), (*NAMES, "fear")), "train", 1.0, {}, 0)
    same = replace(other, key="mecad", corpus=corpus(rows((0, 1))))
    mixed = replace(corpus(rows((0, 1))), further=(same, other))
    assert category_weight(None, mixed, predicts=True) == CATEGORY_WEIGHT
    (said,) = categories_left_out(mixed)
    assert said.startswith("The emotion categories of reccon are not those of")
    assert categories_left_out(replace(mixed, further=(same,))) == []


@pytest.mark.parametrize("names", [NAMES, ("joy", "neu", "anger"), ("joy", "anger", "fear")])
def test_a_target_has_its_most_probable_emotion_but_neutral(names: tuple[str, ...]) -> None:
    dialogues = rows((0, 1), (2,), (1, 1, 0))
    probabilities = np.random.default_rng(0).dirichlet(np.ones(3), size=6)
    found = target_emotions(probabilities, names, dialogues).tolist()
    expected = []
    for row, of_row in zip(dialogues, np.split(probabilities, [2, 3]), strict=True):
        for pair in row["pairs"]:
            by_name = dict(zip(names, of_row[pair["target_turn"] - 1], strict=True))
            expected.append(max((name for name in names if name not in ("neutral", "neu")), key=lambda n: by_name[n]))
    assert found == expected
    assert len(set(found)) > 1


def test_recognition_is_scored_as_elsewhere_on_the_utterances_with_an_emotion() -> None:
    rng = np.random.default_rng(1)
    probabilities = rng.dirichlet(np.ones(3), size=40)
    emotions = [None if rng.random() < 0.2 else int(rng.integers(3)) for _ in range(40)]
    found = emotion_category_scores(probabilities, NAMES, rows(tuple(emotions[:7]), tuple(emotions[7:])))
    known = [place for place, emotion in enumerate(emotions) if emotion is not None]
    gold, predicted = [emotions[place] for place in known], probabilities.argmax(axis=1)[known]
    assert found == {
        "accuracy": pytest.approx(accuracy_score(gold, predicted)),
        "weighted_f1": pytest.approx(f1_score(gold, predicted, average="weighted")),
        "n_utterances": len(known),
    }
    assert emotion_category_scores(probabilities[:2], NAMES, rows((None, None))) is None
