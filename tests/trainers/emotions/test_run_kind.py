"""A run of emotion recognition from its data to its files: what it refuses, says, keeps and writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from accelerate.state import AcceleratorState
from two_dialogues import EMOTIONS, two_dialogues, write_vectors

from iemomecp_dataset.errors import MissingDataError, RunFolderError, UsageError
from iemomecp_dataset.trainers import load_scorer, predict, train

Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture(autouse=True)
def _fresh_accelerator() -> None:
    AcceleratorState._reset_state(reset_partial_state=True)


def changed(rows: Rows, split: str, emotion: Any) -> Rows:
    """The rows with one emotion for every utterance of a split."""
    of_split = [{**row, "utterances": [{**u, "emotion": emotion} for u in row["utterances"]]} for row in rows[split]]
    return {**rows, split: of_split}


def trained(rows: Rows, folder: Path, **options: Any) -> Any:
    data = folder / "data"
    if not data.exists():
        write_vectors(data)
    given = {"modalities": "a", "hidden_size": 4, "epochs": 3, "patience": 1, "quiet": True, **options}
    return train(
        rows, task="erc", output_dir=folder / "run", emotion_names=EMOTIONS, data_dir=str(data), **given
    )  # fmt: skip


def test_a_run_leaves_what_the_next_steps_read(tmp_path: Path) -> None:
    rows = changed(two_dialogues(), "validation", 1)
    rows["validation"][0]["utterances"][0]["emotion"] = None
    results = trained(rows, tmp_path)
    assert (results.task, results.scorer, results.objective, results.class_names) == (
        "erc", "ecerc", "corrected", EMOTIONS
    )  # fmt: skip
    assert (results.definition, results.candidates, results.threshold) == ("", "", {"value": None, "chosen_on": None})
    assert results.epoch_chosen_on == "validation"
    assert {split: counts["labelled"] for split, counts in results.counts.items()} == {
        "train": 9, "validation": 6, "test": 8
    }  # fmt: skip
    assert list(results.features) == ["audio"]
    assert results.metrics["validation"]["n_utterances"] == 6
    written = pq.read_table(tmp_path / "run" / "emotions_test.parquet")
    assert written.column_names == ["dialogue_id", "turn", "label", *(f"prob_{name}" for name in EMOTIONS)]
    assert "cross_fitted_folds" not in json.loads(written.schema.metadata[b"iemomecp"])
    expected = np.stack([written[f"prob_{name}"].to_numpy() for name in EMOTIONS], axis=1)
    vectors = {"audio": tmp_path / "data" / "features" / "audio.parquet"}
    for model in (tmp_path / "run", load_scorer(tmp_path / "run" / "model")):
        # Rows as they were joined for training: the utterances of both dialogues.
        found = predict(model, rows["test"], **vectors)
        assert [len(matrix) for matrix in found] == [5, 3]
        np.testing.assert_allclose(np.concatenate(found), expected, atol=1e-6)
    with pytest.raises(MissingDataError, match="needs audio features"):
        predict(tmp_path / "run", rows["test"])
    with pytest.raises(UsageError, match="predicts emotions alone"):
        predict(tmp_path / "run", rows["test"], with_emotions=True, **vectors)
    card = (tmp_path / "run" / "model" / "README.md").read_text()
    assert "emotion-recognition-in-conversation" in card
    assert "| test | this model |" in card
    assert "Pair F1" not in card
    with pytest.raises(RunFolderError, match="already holds another run"):
        trained(rows, tmp_path, focal_gamma=2.0)
    assert trained(rows, tmp_path) == results, "a finished run stands"


@pytest.mark.parametrize(
    ("options", "name", "said"),
    [
        ({"modalities": "a"}, "frozen encoder + logistic regression", "Not built: the run has no vectors of a frozen"),
        ({"modalities": "t"}, "frozen text vectors + logistic regression", "Vectors are missing (1 of test)"),
    ],
)
def test_the_row_of_a_frozen_encoder_is_in_every_record(
    options: dict[str, Any], name: str, said: str, tmp_path: Path
) -> None:
    rows = two_dialogues()
    text = write_vectors(tmp_path / "data") / "features" / "audio.parquet"
    if options["modalities"] == "t":
        table = pq.read_table(text)
        last = rows["test"][-1]["utterances"][-1]["utterance_id"]
        store = tmp_path / "text.parquet"
        pq.write_table(table.filter([i != last for i in table["utterance_id"].to_pylist()]), store)
        options = {
            **options, "text_features": str(store), "event_features": str(store), "max_missing_features": 0.5
        }  # fmt: skip
    row = trained(rows, tmp_path, epochs=1, **options).structural_baselines["frozen_encoder"]
    assert row["display_name"] == name
    assert said in row["description"]
    assert list(row["splits"]) == (["validation", "test"] if options["modalities"] == "t" else [])


@pytest.mark.parametrize("validation", ["absent", "without emotions"])
def test_without_validation_the_last_epoch_is_kept_and_said(
    validation: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = two_dialogues()
    rows = changed(rows, "validation", None) if validation != "absent" else {**rows}
    if validation == "absent":
        del rows["validation"]
    results = trained(rows, tmp_path)
    assert (results.best_epoch, results.epochs, results.epoch_chosen_on) == (3, 3, "none")
    assert "|epoch:none|" in results.extra["signatures"]["test"]
    assert list(results.metrics) == ["test"]
    assert any("the last epoch is kept" in message for message in caplog.messages)
    assert [path.name for path in sorted((tmp_path / "run").glob("*.parquet"))] == ["emotions_test.parquet"]


def test_what_cannot_be_learned_of_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    rows = two_dialogues()
    with pytest.raises(UsageError, match="No utterance of the train split"):
        trained(changed(rows, "train", None), tmp_path)
    with pytest.raises(UsageError, match="--train_folds 3 is more than the 2 dialogues"):
        trained(rows, tmp_path, train_folds=3)
    without_pairs = {
        split: [{**row, "pairs": [], "gold_outside_candidates": []} for row in of_split]
        for split, of_split in rows.items()
    }
    with pytest.raises(UsageError, match="has no cause pairs"):
        train(without_pairs, output_dir=tmp_path / "run", emotion_names=EMOTIONS, modalities="a")
    with pytest.raises(UsageError, match="There is no task 'emotions'"):
        train(rows, task="emotions", output_dir=tmp_path / "run")
    with pytest.raises(UsageError, match="train takes validation from the data"):
        trained(rows, tmp_path, validation="first_tenth")
    assert not (tmp_path / "run").exists()
