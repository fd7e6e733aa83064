"""Cross-fitting: each train dialogue is predicted by a model that has not been trained on it, in the order of train."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from two_dialogues import two_dialogue_corpus

from iemomecp_dataset.corpus import Corpus
from iemomecp_dataset.trainers.emotions.cross_fitting import fold_corpus, in_train_order, kept_predictions


def corpus_of(dialogues: int) -> Corpus:
    corpus = two_dialogue_corpus()
    rows = [
        {**corpus.rows["train"][number % 2], "dialogue_id": f"train{number}", "utterances": [{}] * (number + 1)}
        for number in range(dialogues)
    ]
    return replace(corpus, rows={**corpus.rows, "train": rows})


@pytest.mark.parametrize(("dialogues", "folds"), [(5, 2), (7, 3), (3, 3), (4, 2)])
def test_every_dialogue_is_in_one_fold_and_in_the_training_data_of_the_others(dialogues: int, folds: int) -> None:
    corpus = corpus_of(dialogues)
    test = [row["dialogue_id"] for row in corpus.rows["test"]]
    held_out = []
    for fold in range(folds):
        found = fold_corpus(corpus, fold, folds)
        names = {split: [row["dialogue_id"] for row in rows] for split, rows in found.rows.items()}
        own = names["test"][: -len(test)]
        assert names["test"][-len(test) :] == test
        assert sorted(own + names["train"]) == [f"train{n}" for n in range(dialogues)]
        assert found.rows["validation"] is corpus.rows["validation"]
        held_out += own
    assert sorted(held_out) == [f"train{n}" for n in range(dialogues)]


@pytest.mark.parametrize(("dialogues", "folds"), [(5, 2), (7, 3), (3, 3)])
def test_predictions_of_the_folds_stand_in_the_order_of_train(dialogues: int, folds: int) -> None:
    corpus = corpus_of(dialogues)
    numbers = [np.array([[n, turn] for turn in range(n + 1)], dtype=float) for n in range(dialogues)]
    of_folds = [np.concatenate(numbers[fold::folds]) for fold in range(folds)]
    np.testing.assert_array_equal(in_train_order(corpus, of_folds, folds), np.concatenate(numbers))


def test_damaged_predictions_of_a_fold_are_said_and_not_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file, kept = tmp_path / "probabilities.npz", np.linspace(0, 1, 12).reshape(4, 3)
    assert kept_predictions(file) is None
    np.savez(file, probabilities=kept)
    whole = file.read_bytes()
    np.testing.assert_array_equal(kept_predictions(file), kept)
    assert not caplog.records
    changed = 0
    for position in range(0, len(whole), 5):
        file.write_bytes(whole[:position] + bytes([whole[position] ^ 16]) + whole[position + 1 :])
        found = kept_predictions(file)
        changed += found is None
        assert found is None or np.array_equal(found, kept), position
    assert changed
    for content in (b"", b"PK", whole[:-9], whole[:40]):
        file.write_bytes(content)
        assert kept_predictions(file) is None
    np.save(file.with_suffix(".npy"), kept)
    file.with_suffix(".npy").rename(file)
    assert kept_predictions(file) is None
    assert "is damaged: its fold is trained again" in caplog.text
