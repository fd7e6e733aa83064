"""What answers predict, and the threshold that their probabilities give."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from two_dialogues import two_dialogue_corpus

from iemomecp_dataset.corpus import corpus_of
from iemomecp_dataset.trainers.language_model.answering import Answer
from iemomecp_dataset.trainers.language_model.answers import BY_SCHEMA, IN_WORDS, UNUSABLE, Reading
from iemomecp_dataset.trainers.language_model.asking import Asking, dialogues_of
from iemomecp_dataset.trainers.language_model.predictions import (
    LabelFacts,
    PairPredictions,
    emotion_predictions,
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


@pytest.fixture(name="letters")
def fixture_letters():
    """What is asked about the pairs of a split, and how answers on them are read."""
    corpus = two_dialogue_corpus(2)
    asking = Asking("pairs", "pair", read_prompt("pairs"), corpus.emotion_names, "")
    dialogues = dialogues_of(corpus, "test")
    requests = [request for dialogue in dialogues for request in asking.requests(dialogue)]

    def answered(*first):
        answers = [*first, *[Answer("A", first_tokens={"A": -0.1, "B": -2.4})] * (len(requests) - len(first))]
        readings = [read(asking, dialogues[0], requests[0], answer) for answer in first]
        facts = LabelFacts()
        return readings, pair_probabilities(corpus, "test", requests, answers, facts), facts

    return answered


@pytest.mark.parametrize(("finish", "ending"), [("refusal", "refused"), ("content_filter", "content filter")])
@pytest.mark.parametrize("tokens", [None, {"A": -0.1, "B": -2.4}])
def test_a_refused_or_filtered_letter_is_unusable_whatever_probabilities_come_with_it(letters, finish, ending, tokens):
    (reading,), predicted, facts = letters(Answer("A", finish, first_tokens=tokens))
    assert (reading.step, reading.ending) == (UNUSABLE, ending)
    assert (facts.unusable, predicted.asked.tolist().count(False)) == (1, 1)
    assert predicted.values[~predicted.asked].tolist() == [[0.0, 1.0]]


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("A", BY_SCHEMA),
        (" B", BY_SCHEMA),
        ("\u0120A", BY_SCHEMA),
        ("So", IN_WORDS),
        ("<think>", IN_WORDS),
        ("", IN_WORDS),
    ],
)
def test_an_answer_is_valid_where_it_is_a_letter_and_not_where_letters_are_among_the_probable_tokens(
    letters, text, step
):
    (reading,), predicted, facts = letters(Answer(text, "length", first_tokens={"So": -0.01, "A": -5.0, "B": -6.0}))
    assert (reading.step, reading.ending) == (step, "")
    assert (facts.unusable, predicted.asked.all()) == (0, True)  # the probabilities are read all the same


def test_a_letter_without_probabilities_is_never_ranked_among_those_that_have_some(letters):
    _, predicted, facts = letters(Answer("B"), Answer(".", first_tokens=None))
    assert predicted.values.ndim == 1
    assert predicted.values.tolist().count(1) == 2  # the letter B, and the answer without one
    assert (facts.letters_alone, facts.unusable) == (1, 1)
    assert facts.as_record()["answers_without_log_probabilities"] == 1


def test_an_utterance_without_an_answer_is_neutral_wherever_neutral_stands():
    rows = two_dialogue_corpus(2).rows
    corpus = corpus_of(rows, config_name="ecf", emotion_names=("joy", "neutral", "anger"))
    dialogue = corpus.rows["test"][0]["dialogue_id"]
    found, without = emotion_predictions(corpus, "test", {dialogue: [Reading(BY_SCHEMA, emotions={2: "anger"})]})
    assert found.tolist() == [1, 2] + [1] * 6
    assert without == 7
