"""Shots come from train alone, by similarity or at random, and their ids are recorded."""

from __future__ import annotations

from dataclasses import replace

import pytest
from two_dialogues import two_dialogue_corpus

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.trainers.language_model.asking import dialogues_of
from iemomecp_dataset.trainers.language_model.shots import _encoded, choose_shots

CORPUS = two_dialogue_corpus(2)
TRAIN, TEST = dialogues_of(CORPUS, "train"), dialogues_of(CORPUS, "test")


def said(dialogue, *texts):
    return replace(dialogue, texts=texts, dialogue_id=texts[0])


def test_the_most_similar_dialogue_is_nearest_to_the_question():
    train = [said(TRAIN[0], "we lost a match"), said(TRAIN[0], "the train was late"), said(TRAIN[0], "nice weather")]
    asked = said(TEST[0], "why was the train late today")
    shots = choose_shots(train, [asked], 2).of(asked)
    assert shots[-1].dialogue_id == "the train was late"


def test_random_shots_depend_on_the_seed_alone_and_are_recorded_once():
    train = [replace(TRAIN[0], dialogue_id=str(number)) for number in range(20)]
    one, again, other = (choose_shots(train, TEST, 3, choice="random", seed=seed) for seed in (1, 1, 2))
    assert one.as_record() == again.as_record() != other.as_record()
    assert len(one.as_record()["ids"]) == 3
    assert one.of(TEST[0]) == one.of(TEST[1])


def test_shots_from_test_are_refused_and_so_are_too_many():
    with pytest.raises(UsageError, match="Shots come from train alone, not from test"):
        choose_shots(TEST, TEST, 1)
    with pytest.raises(UsageError, match="3 shots need as many dialogues of train, which has 2"):
        choose_shots(TRAIN, TEST, 3)
    assert choose_shots(TEST, TEST, 0).of(TEST[0]) == ()


def test_an_encoder_compares_dialogues_and_is_named(tiny_encoder):
    train = [said(TRAIN[0], text) for text in ("the turtle sleeps", "we missed the bus", "rain again and again")]
    asked = said(TEST[0], "we missed the bus")
    found = choose_shots(train, [asked], 3, encoder=str(tiny_encoder))
    assert found.of(asked)[-1].dialogue_id == "we missed the bus"
    assert {shot.dialogue_id for shot in found.of(asked)} == {shot.dialogue_id for shot in train}
    assert found.by == f"similarity, {tiny_encoder}"
    similar = _encoded([*(one.texts[0] for one in train), asked.texts[0]], 3, str(tiny_encoder))
    assert similar.shape == (1, 3)
    assert similar.max() == pytest.approx(similar[0, 1]) == pytest.approx(1.0)
    assert (similar <= 1 + 1e-6).all()


def test_words_are_weighted_by_train_alone():
    train = [said(TRAIN[0], text) for text in ("the rain", "rain again", "the match")]
    asked = said(TEST[0], "rain match")
    others = [said(TEST[0], f"match {number}") for number in range(20)]
    # "match" is rare in train, and frequent in what is asked about.
    assert choose_shots(train, [asked, *others], 1).of(asked)[0].dialogue_id == "the match"


def test_of_equally_similar_dialogues_the_first_of_train_are_taken():
    train = [replace(said(TRAIN[0], "a match" if n % 3 else "rain"), dialogue_id=str(n)) for n in range(200)]
    asked = said(TEST[0], "rain")
    assert [shot.dialogue_id for shot in choose_shots(train, [asked], 3).of(asked)] == ["6", "3", "0"]
