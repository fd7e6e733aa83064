"""Requests: one per dialogue, utterance or pair, with shots whose answers are the gold ones."""

from __future__ import annotations

import json

import pytest
from two_dialogues import two_dialogue_corpus

from iemomecp_dataset.trainers.language_model.answers import BY_SCHEMA, read_answer
from iemomecp_dataset.trainers.language_model.asking import Asking, base_rates, dialogues_of, task_of, window_losses
from iemomecp_dataset.trainers.language_model.prompts import read_prompt
from iemomecp_dataset.trainers.language_model.schemas import fits


def asking(task, ask, corpus, **options):
    prompt = read_prompt(task)
    rates = base_rates(dialogues_of(corpus, "train"), task)
    system = prompt.system_message(corpus.emotion_names, rates)
    return Asking(task, ask, prompt, corpus.emotion_names, system, **options)


@pytest.fixture(params=[2, 3])
def corpus(request):
    return two_dialogue_corpus(request.param)


def test_a_request_per_dialogue_utterance_and_candidate(corpus):
    task = task_of(corpus)
    dialogue = dialogues_of(corpus, "test")[0]
    counts = {ask: len(list(asking(task, ask, corpus).requests(dialogue))) for ask in ("dialogue", "target", "pair")}
    assert counts == {"dialogue": 1, "target": 5, "pair": 15}
    assert len(list(asking(task, "pair", corpus, window=1).requests(dialogue))) == 9
    losses = window_losses([dialogue], 1)
    assert losses == {"candidates_not_asked": 6, "gold_pairs_not_asked": 3}  # in test a cause is two turns back


def test_the_dialogue_comes_first_and_is_one_object_for_all_its_questions(corpus):
    dialogue = dialogues_of(corpus, "test")[0]
    requests = list(asking(task_of(corpus), "pair", corpus).requests(dialogue))
    assert len({id(request.shown) for request in requests}) == 1
    user = requests[4].messages[-1]["content"]
    assert user.startswith("Conversation:\n1. ")
    assert "A: " in user.splitlines()[-1]


@pytest.mark.parametrize("ask", ["dialogue", "target"])
def test_gold_answers_of_shots_are_valid_and_read_as_the_gold(corpus, ask):
    task = task_of(corpus)
    made = asking(task, ask, corpus)
    shot = dialogues_of(corpus, "train")[1]
    places = [(None, None)] if ask == "dialogue" else [(turn, None) for turn in range(1, shot.n_turns + 1)]
    found = set()
    for place in places:
        text = made._gold(shot, *place)
        assert fits(made._schema(shot.n_turns), json.loads(text))
        reading = read_answer(text, made.reads(shot, place[0]), made._schema(shot.n_turns))
        assert reading.step == BY_SCHEMA
        found |= {(pair.target, pair.cause, 0 if pair.role == "causes" else 1) for pair in reading.pairs}
    # In an answer about one utterance the corpus's own emotion stands, and neutral targets have no pairs.
    gold = {(t, c, label) for (t, c), label in shot.labels.items() if label < len(corpus.class_names) - 1}
    assert found == (gold if ask == "dialogue" else {one for one in gold if shot.emotions[one[0] - 1] != "neutral"})


def test_shots_precede_the_question_with_both_kinds_of_answers(corpus):
    made = asking(task_of(corpus), "pair", corpus)
    train, test = dialogues_of(corpus, "train"), dialogues_of(corpus, "test")
    (first, *_) = made.requests(test[0], train)
    assert [message["role"] for message in first.messages] == ["system", *["user", "assistant"] * 4, "user"]
    answers = {message["content"] for message in first.messages if message["role"] == "assistant"}
    assert "A" in answers < {*made.labels, ""}
    assert len(answers) > 1


def test_base_rates_are_those_of_train():
    corpus = two_dialogue_corpus(2)
    said = base_rates(dialogues_of(corpus, "train"), "pairs")
    # 9 utterances, every second one emotional; all gold pairs are of an utterance with itself.
    assert "44 % of the turns have an emotion" in said
    assert "of all causes 100 % are the target itself, 0 % the turn before it" in said


def test_emotions_are_asked_for_too():
    corpus = two_dialogue_corpus(2)
    made = asking("emotions", "dialogue", corpus)
    (request,) = made.requests(dialogues_of(corpus, "test")[1], dialogues_of(corpus, "train")[:1])
    assert json.loads(request.messages[2]["content"]) == {"emotions": ["neutral", "joy", "neutral", "joy"]}
    assert request.schema["properties"]["emotions"]["maxItems"] == 3
