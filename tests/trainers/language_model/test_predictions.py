"""What answers predict, and the threshold that their probabilities give."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from two_dialogues import two_dialogue_corpus

from iemomecp_dataset.trainers.language_model.answering import Answer
from iemomecp_dataset.trainers.language_model.answers import BY_SCHEMA, UNUSABLE
from iemomecp_dataset.trainers.language_model.asking import Asking, dialogues_of
from iemomecp_dataset.trainers.language_model.predictions import (
    LabelFacts,
    PairPredictions,
    pair_probabilities,
    read,
    threshold_on,
)
from iemomecp_dataset.trainers.language_model.prompts import read_prompt


def test_gold_pairs_that_were_not_asked_about_lower_the_threshold():
    # Of four pairs that were asked about two are gold, and at 0.9 and 0.4 F1 is the same; of each pair more that no
    # threshold can find, the lower one loses less.
    values = np.array([0.9, 0.4, 0.4, 0.4] + [0.0] * 10)
    labels = np.array([0, 0, 1, 1] + [0] * 10)
    asked = np.array([True] * 4 + [False] * 10)
    probabilities = np.stack([values, 1 - values], axis=1)
    corpus = SimpleNamespace(tables={"validation": SimpleNamespace(labels=labels, missed_positives=0)})
    assert threshold_on(corpus, "validation", PairPredictions(probabilities, asked)) == pytest.approx(0.4)
    few = SimpleNamespace(tables={"validation": SimpleNamespace(labels=labels[:4], missed_positives=0)})
    assert threshold_on(few, "validation", PairPredictions(probabilities[:4], asked[:4])) == pytest.approx(0.9)


def test_without_an_answer_nothing_reaches_the_threshold():
    corpus = SimpleNamespace(tables={"validation": SimpleNamespace(labels=np.array([0]), missed_positives=0)})
    predicted = PairPredictions(np.array([[0.0, 1.0]]), np.array([False]))
    assert threshold_on(corpus, "validation", predicted) > 0


def test_an_answer_whose_labels_have_no_mass_is_counted_and_predicts_a_non_pair():
    corpus = two_dialogue_corpus(2)
    asking = Asking("pairs", "pair", read_prompt("pairs"), corpus.emotion_names, "")
    dialogues = dialogues_of(corpus, "test")
    requests = [request for dialogue in dialogues for request in asking.requests(dialogue)]
    nothing = {"A": -np.inf, "B": -np.inf, "So": 0.0}
    answers = [
        Answer("So", first_tokens=nothing),
        *[Answer("A", first_tokens={"A": -0.1, "B": -2.4})] * (len(requests) - 1),
    ]
    assert [read(asking, dialogues[0], requests[0], answer).step for answer in answers[:2]] == [UNUSABLE, BY_SCHEMA]
    facts = LabelFacts()
    predicted = pair_probabilities(corpus, "test", requests, answers, facts)
    assert (facts.unusable, predicted.asked.sum()) == (1, len(requests) - 1)
    assert predicted.values[~predicted.asked].tolist() == [[0.0, 1.0]]
    assert np.isfinite(predicted.values).all()
