"""Dialogues as every export writes them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from peer_dialogues_case import SPLITS, peer_corpus

from iemomecp_dataset.benchmark.peers.exports.peer_dialogues import PeerDialogue, integer_ids, peer_dialogues, speakers
from iemomecp_dataset.corpus import Corpus
from iemomecp_dataset.errors import InvalidDataError


def made(corpus: Corpus, **options: Any) -> tuple[dict[str, list[PeerDialogue]], dict[str, Counter[str]]]:
    names = {name: name.upper() for name in corpus.emotion_names}
    ids = integer_ids(corpus)
    return peer_dialogues(corpus, **{"peer": "X", "positive": "pair", "emotions": names, "ids": ids} | options)


@pytest.mark.parametrize(
    ("names", "ids"),
    [
        (["9", "10", "4", "7"], ["9", "10", "4", "7"]),
        (["9", "9", "4", "7"], ["1", "2", "3", "4"]),
        (["9", "x", "4", "7"], ["1", "2", "3", "4"]),
        (["9", "0", "4", "7"], ["1", "2", "3", "4"]),
        (["9", "007", "4", "7"], ["1", "2", "3", "4"]),
        (["9", "٣", "4", "7"], ["1", "2", "3", "4"]),
    ],
)
def test_numbers_are_kept_where_all_are_and_none_is_repeated(names: list[str], ids: list[str]) -> None:
    given = [(name, [("Ada", "neutral", "Well .")], []) for name in names]
    corpus = peer_corpus(splits={"train": given[:2], "validation": given[2:3], "test": given[3:]})
    assert integer_ids(corpus) == {"train": ids[:2], "validation": ids[2:3], "test": ids[3:]}


def test_a_dialogue_is_rewritten_and_counted() -> None:
    dialogues, counts = made(peer_corpus())
    first, second, _ = dialogues["train"]
    assert (second.peer_id, second.dialogue_id, second.pairs) == ("10", "10", ((2, 1), (2, 2), (2, 3), (3, 1)))
    assert [(u.key, u.speaker, u.emotion, u.text) for u in second.utterances] == [
        ("dia10utt1", "Ben", "NEUTRAL", "It rains again ."),
        ("dia10utt2", "Ada", "ANGER", "left / right"),
        ("dia10utt3", "Cleo / Dee", "SADNESS", "."),
    ]
    assert +counts["train"] == {
        "dialogues": 3,
        "utterances": 6,
        "positive pairs": 5,
        "positive pairs with a later cause": 1,
        "emotions under another name": 6,
        "texts with white space collapsed": 1,
        "texts with | replaced by /": 1,
        "empty texts written as .": 1,
        "speakers with | replaced by /": 1,
    }
    assert speakers([first, second]) == {"Ada", "Ben", "Cleo / Dee"}


def test_json_keeps_texts_and_speakers() -> None:
    dialogues, counts = made(peer_corpus(), layout="json")
    third = dialogues["train"][1].utterances[2]
    assert (third.speaker, third.text) == ("Cleo | Dee", "  ")
    assert not any("texts" in kind for kind in counts["train"])


def test_words_and_other_ids_are_counted() -> None:
    ids = {split: [f"x{number}" for number in range(len(rows))] for split, rows in SPLITS.items()}
    dialogues, counts = made(peer_corpus(), ids=ids, words=lambda text, counted: counted.update(["w"]) or text.upper())
    assert dialogues["test"][0].utterances[0].key == "diax0utt1"
    assert dialogues["test"][0].utterances[0].text == "OLD FISH ."
    assert counts["test"]["w"] == 4
    assert counts["test"]["dialogues under another id"] == 2


@pytest.mark.parametrize(
    ("change", "further", "time"),
    [
        ({}, {}, "9: 01:01:01.500 - 01:01:02.250"),
        ({}, {"episode": "S1E2"}, "S1E2: 01:01:01.500 - 01:01:02.250"),
        ({"start": 59.99960}, {}, "9: 00:01:00.000 - 01:01:02.250"),
        ({"end": None}, {}, "-"),
        ({}, {"episode": "S1E2", "listed_times": ["01:01:01.5 - 01:01:02.25", None]}, "S1E2: 01:01:01.5 - 01:01:02.25"),
        ({}, {"episode": None, "listed_times": [None, None]}, "9: 01:01:01.500 - 01:01:02.250"),
    ],
)
def test_times(change: dict[str, Any], further: dict[str, Any], time: str) -> None:
    corpus = peer_corpus()
    row = corpus.rows["train"][0]
    row["utterances"][0] |= change
    corpus.rows["train"][0] = row | further
    assert made(corpus)[0]["train"][0].utterances[0].time == time


@pytest.mark.parametrize(
    ("change", "video"),
    [
        ({}, "dia9utt1.mp4"),
        ({"utterance_id": None}, "dia9utt1.mp4"),
        ({"utterance_id": "own"}, "own.mp4"),
        ({"video": "clips/a.avi"}, "a.avi"),
    ],
)
def test_clips(change: dict[str, Any], video: str) -> None:
    corpus = peer_corpus()
    corpus.rows["train"][0]["utterances"][0] |= change
    assert made(corpus)[0]["train"][0].utterances[0].video == video


@pytest.mark.parametrize("emotion", [None, -1, 7])
def test_an_unknown_emotion_is_refused_by_its_place(emotion: int | None) -> None:
    corpus = peer_corpus()
    corpus.rows["test"][1]["utterances"][1]["emotion"] = emotion
    with pytest.raises(InvalidDataError, match=r"test, dialogue '1', turn 2: the emotion is not known .* X needs one"):
        made(corpus)
