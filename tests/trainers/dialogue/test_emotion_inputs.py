"""Emotions that another run predicted: aligned with a corpus of pairs, and refused where they do not fit."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from two_dialogues import EMOTIONS, two_dialogue_corpus, two_dialogues, write_emotions

from iemomecp_dataset.corpus import Corpus
from iemomecp_dataset.emotion_table import emotion_table
from iemomecp_dataset.errors import IemomecpError
from iemomecp_dataset.metrics.evaluation.emotions.predictions import (
    EmotionFacts,
    emotions_file,
    read_emotion_predictions,
    write_emotion_predictions,
)
from iemomecp_dataset.trainers.dialogue.emotion_inputs import (
    EMOTION_INPUTS,
    checked_emotion_inputs,
    read_emotion_inputs,
)


@pytest.fixture(name="corpus")
def fixture_corpus() -> Corpus:
    return two_dialogue_corpus(2)


@pytest.fixture(name="folder")
def fixture_folder(tmp_path: Path, corpus: Corpus) -> Path:
    return write_emotions(tmp_path / "emotion-run", corpus.rows, "ecf")


def rewrite(folder: Path, split: str, rows: Any = slice(None), **changed: Any) -> None:
    """Writes a file again with some of its rows, or other facts."""
    file = read_emotion_predictions(emotions_file(folder, split))
    chosen = np.arange(len(file))[rows]
    facts = EmotionFacts(**{**dataclasses.asdict(file.facts), **changed})
    assert file.probabilities is not None
    write_emotion_predictions(emotions_file(folder, split), file.table.take(chosen), file.probabilities[chosen], facts)


def test_every_utterance_gets_its_own_probabilities_whatever_the_order_of_the_file(
    folder: Path, corpus: Corpus
) -> None:
    straight = read_emotion_inputs(folder, corpus)
    for split, rows in corpus.rows.items():
        file = read_emotion_predictions(emotions_file(folder, split))
        of_key = {
            (dialogue, turn): values
            for dialogue, turn, values in zip(
                file.table.dialogue_ids.tolist(), file.table.turns.tolist(), file.probabilities, strict=True
            )
        }
        for row in straight.attached(split, rows):
            for utterance in row["utterances"]:
                assert np.array_equal(utterance[EMOTION_INPUTS], of_key[row["dialogue_id"], utterance["turn"]])
        rewrite(folder, split, slice(None, None, -1))
    assert not any(EMOTION_INPUTS in u for rows in corpus.rows.values() for row in rows for u in row["utterances"])
    assert read_emotion_inputs(folder, corpus).digest == straight.digest
    assert (straight.run_name, straight.folds, straight.class_names) == ("emotion-run", 2, EMOTIONS)


def test_p_of_an_emotion_is_that_of_all_but_neutral(folder: Path, corpus: Corpus) -> None:
    name, emotional = read_emotion_inputs(folder, corpus).emotional
    assert name == "emotion-run"
    for split, values in emotional.items():
        file = read_emotion_predictions(emotions_file(folder, split))
        assert file.probabilities is not None
        np.testing.assert_allclose(values, 1 - file.probabilities[:, EMOTIONS.index("neutral")], atol=1e-12)


def test_other_probabilities_are_other_inputs(folder: Path, corpus: Corpus, tmp_path: Path) -> None:
    facts = read_emotion_inputs(folder, corpus).facts
    assert (facts["model"], facts["width"], facts["settings"]["classes"]) == ("emotion-run", 3, list(EMOTIONS))
    same = write_emotions(tmp_path / "copy", corpus.rows, "ecf")
    assert read_emotion_inputs(same, corpus).facts["digest"] == facts["digest"]
    table = emotion_table(corpus.rows["test"])
    changed = np.tile([0.5, 0.25, 0.25], (len(table), 1))
    stated = EmotionFacts(corpus="ecf", split="test", class_names=EMOTIONS)
    write_emotion_predictions(emotions_file(same, "test"), table, changed, stated)
    assert read_emotion_inputs(same, corpus).facts["digest"] != facts["digest"]


def test_chunks_take_the_emotions_of_their_source_dialogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunk 1 holds the later turns of its source, whose earlier one is in chunk 0."""
    corpus = two_dialogue_corpus(3)
    for rows in corpus.rows.values():
        for row in rows:
            for utterance in row["utterances"]:
                utterance["source_turn"] = utterance["turn"] + 1

    def whole_dialogues(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        first = {"turn": 1, "source_turn": 1, "speaker": "B", "text": "", "emotion": 0}
        return [
            {
                **row,
                "dialogue_id": row["source_dialogue_id"],
                "utterances": [first, *({**u, "turn": u["source_turn"]} for u in row["utterances"])],
                "pairs": [],
                "gold_outside_candidates": [],
            }
            for row in rows
        ]

    monkeypatch.setattr("iemomecp_dataset.corpus.whole_dialogues", whole_dialogues)
    whole = {split: whole_dialogues(rows) for split, rows in corpus.rows.items()}
    found = read_emotion_inputs(write_emotions(tmp_path / "run", whole, "iemocap"), corpus)
    for split in corpus.rows:
        file = read_emotion_predictions(emotions_file(tmp_path / "run", split))
        assert file.probabilities is not None
        later = file.probabilities[file.table.turns > 1]
        np.testing.assert_array_equal(np.concatenate(found.probabilities[split]), later)


def gone(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()


def of_pairs(folder: Path) -> None:
    gone(folder)
    (folder / "predictions_test.parquet").touch()


WRONG: dict[str, tuple[Callable[[Path], None], str]] = {
    "no run": (gone, "there are no emotions_<split>.parquet"),
    "a run of pairs": (of_pairs, "is a run of pairs"),
    "no train": (
        lambda folder: emotions_file(folder, "train").unlink(),
        "has no emotions_train.parquet.* --train_folds 5",
    ),
    "no validation": (
        lambda folder: emotions_file(folder, "validation").unlink(),
        "Train it on data that has the split validation",
    ),
    "train not cross-fitted": (
        lambda folder: rewrite(folder, "train", cross_fitted_folds=None),
        "predictions of a model on its own training utterances.* --train_folds 5",
    ),
    "another corpus": (
        lambda folder: rewrite(folder, "test", corpus="meld"),
        "recognises the emotions of meld, and these dialogues are of ecf",
    ),
    "other classes": (
        lambda folder: rewrite(folder, "test", class_names=("neutral", "joy", "fear")),
        "its emotions are neutral, joy, fear; those of ecf are neutral, joy, anger",
    ),
    "the same classes in another order": (
        lambda folder: rewrite(folder, "test", class_names=("joy", "neutral", "anger")),
        "its emotions are joy, neutral, anger",
    ),
    "utterances missing": (
        lambda folder: rewrite(folder, "test", slice(2, None)),
        r"2 utterances of ecf, test, are missing: \(dialogue test0__c1, turn 1\)",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_is_refused_with_a_way_out(case: str, folder: Path, corpus: Corpus) -> None:
    spoil, words = WRONG[case]
    spoil(folder)
    with pytest.raises(IemomecpError, match=words):
        read_emotion_inputs(folder, corpus)


ROWS = two_dialogues(2)["test"]
GIVEN = [np.tile([0.5, 0.25, 0.25], (len(row["utterances"]), 1)) for row in ROWS]


@pytest.mark.parametrize(
    ("given", "names", "words"),
    [
        (None, EMOTIONS, r"give emotions= .* \(utterances, 3\) probabilities of neutral, joy, anger"),
        (GIVEN, None, "trained without --emotion_from"),
        (GIVEN[:1], EMOTIONS, "1 entries for 2 rows"),
        ([GIVEN[0], GIVEN[1][:-1]], EMOTIONS, r"emotions\[1\] has shape \(2, 3\); expected \(3, 3\)"),
        ([GIVEN[0], 3 * GIVEN[1]], EMOTIONS, r"emotions\[1\]: The probabilities of utterance 0"),
    ],
)
def test_emotions_of_new_dialogues_are_checked(given: Any, names: Any, words: str) -> None:
    with pytest.raises(IemomecpError, match=words):
        checked_emotion_inputs(given, ROWS, names)


def test_emotions_that_fit_are_taken_as_they_are() -> None:
    found = checked_emotion_inputs([values.tolist() for values in GIVEN], ROWS, EMOTIONS)
    assert found is not None
    assert all(np.array_equal(one, other) for one, other in zip(found, GIVEN, strict=True))
    assert checked_emotion_inputs(None, ROWS, None) is None
