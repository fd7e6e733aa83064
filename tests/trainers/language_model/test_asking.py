"""Requests: one per dialogue, utterance or pair, with shots whose answers are the gold ones."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from two_dialogues import two_dialogue_corpus

from iemomecp_dataset.trainers.language_model.answers import BY_SCHEMA, read_answer
from iemomecp_dataset.trainers.language_model.asking import (
    Asking,
    base_rates,
    dialogues_of,
    has_later_causes,
    task_of,
    window_losses,
)
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
    # No emotion is made up for neutral targets, of which the model is told that they have no pairs.
    gold = {(t, c, label) for (t, c), label in shot.labels.items() if label < len(corpus.class_names) - 1}
    assert found == {one for one in gold if shot.emotions[one[0] - 1] != "neutral"} != gold
    assert made.gold_left_out(shot) == (len(gold) - len(found) if ask == "dialogue" else 0)


def test_no_shot_names_an_emotion_that_is_not_known(corpus):
    task = task_of(corpus)
    shot = dialogues_of(corpus, "train")[1]
    unknown = replace(shot, emotions=(None, None, *shot.emotions[2:]))
    for ask in ("dialogue", "target"):
        answers = [json.loads(text) for _, text in asking(task, ask, corpus).examples(unknown)]
        records = answers[0]["records"] if ask == "dialogue" else answers
        assert records
        assert all(record["emotion"] in shot.emotions[2:] for record in records)
    assert [record["target"] for record in json.loads(asking(task, "dialogue", corpus).examples(unknown)[0][1])[
        "records"]] == [4]  # fmt: skip
    emotions = asking("emotions", "dialogue", corpus)
    assert (emotions.examples(unknown), emotions.gold_left_out(unknown)) == ([], shot.n_turns)
    assert (len(emotions.examples(shot)), emotions.gold_left_out(shot)) == (1, 0)


def test_context_outside_a_window_is_counted_as_causes_are():
    dialogue = dialogues_of(two_dialogue_corpus(3), "test")[0]
    far = replace(dialogue, labels={(5, 1): 0, (5, 2): 1, (4, 1): 1, (3, 1): 2, (2, 1): 1})
    losses = window_losses([far], 1, roles=True)
    assert losses["gold_pairs_not_asked"] == 3
    assert losses["gold_pairs_not_asked_by_role"] == {"emo_cause": 1, "emo_context": 2}
    assert window_losses([far], 1) == {"candidates_not_asked": 4, "gold_pairs_not_asked": 1}


def test_later_turns_are_spoken_of_where_they_are_candidates():
    dialogues = dialogues_of(two_dialogue_corpus(2), "train")
    assert not has_later_causes(dialogues)
    assert "later turns" not in base_rates(dialogues, "pairs")
    forward = [replace(dialogues[0], candidates=(*dialogues[0].candidates, (1, 2)))]
    assert has_later_causes(forward)
    assert "0 % earlier and 0 % later turns" in base_rates(forward, "pairs")


def test_shots_precede_the_question_with_all_kinds_of_answers(corpus):
    made = asking(task_of(corpus), "pair", corpus)
    train, test = dialogues_of(corpus, "train"), dialogues_of(corpus, "test")
    (first, *_) = made.requests(test[0], train)
    assert [message["role"] for message in first.messages] == [
        "system",
        *["user", "assistant"] * 2 * len(made.labels),
        "user",
    ]
    answers = {message["content"] for message in first.messages if message["role"] == "assistant"}
    assert answers == set(made.labels)


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


def test_a_shot_of_pairs_shows_every_letter_and_of_each_the_middle_example():
    corpus = two_dialogue_corpus(3)
    shot = replace(
        dialogues_of(corpus, "train")[1], labels={(1, 1): 0, (2, 1): 2, (2, 2): 0, (3, 1): 1, (3, 3): 0, (4, 1): 2}
    )
    shot = replace(shot, candidates=tuple(shot.labels))
    shown = asking("roles", "pair", corpus).examples(shot)
    assert [letter for _, letter in shown] == ["A", "B", "C"]
    turns = [question.rsplit("\n\n", 1)[1] for question, _ in shown]
    for turn, question in zip((2, 1, 1), turns, strict=True):
        assert f"turn {turn}, " in question.split(", to an emotion")[0]
    assert "turn 2, " in turns[0].split("to an emotion")[1]
    assert all(question.count("Conversation:") == 1 for question, _ in shown)


def test_of_many_gold_causes_the_last_are_shown_as_the_nearest():
    corpus = two_dialogue_corpus(2)
    shot = replace(dialogues_of(corpus, "train")[1], labels={(2, cause): 0 for cause in range(1, 12)})
    record = json.loads(asking("pairs", "target", corpus)._gold(shot, 2, None))
    assert record["causes"] == list(range(4, 12))


def test_a_distance_is_counted_from_the_target_back():
    dialogue = dialogues_of(two_dialogue_corpus(2), "train")[0]
    past = replace(dialogue, labels={(3, 2): 0, (3, 1): 0}, candidates=((3, 2), (3, 1)))
    assert "0 % are the target itself, 50 % the turn before it and 50 % earlier turns" in base_rates([past], "pairs")
