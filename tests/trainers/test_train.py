"""Training from Python: rows in memory, and what is refused before anything is trained."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from safetensors.torch import load_file

import iemomecp_dataset
import iemomecp_dataset.trainers.run
from iemomecp_dataset.benchmark.results_table import print_results
from iemomecp_dataset.benchmark.runs.identity import system_of
from iemomecp_dataset.benchmark.runs.results import RunResults, read_results, write_results
from iemomecp_dataset.commands import report
from iemomecp_dataset.errors import InvalidDataError, MissingDataError, RunFolderError, UsageError
from iemomecp_dataset.trainers import load_scorer, predict, train
from iemomecp_dataset.trainers.options import CATEGORY_WEIGHT, R_DROP_WEIGHT
from iemomecp_dataset.trainers.training.emotions import target_emotions


@pytest.mark.slow
def test_plain_rows_leave_the_run_that_their_dataset_leaves(
    small_dir: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    data = iemomecp_dataset.load("3class", data_dir=str(small_dir))
    options = {"text_encoder": str(tiny_encoder), "encoder_mode": "frozen", "epochs": 1, "hidden_size": 16,
               "num_heads": 2, "pair_size": 8, "bilinear_size": 4, "quiet": True}  # fmt: skip
    known = train(data, output_dir=tmp_path / "known", **options)
    names = {"emotion_names": tuple(data["train"].features["utterances"].feature["emotion"].names)}
    plain = train(
        {split: list(rows) for split, rows in data.items()}, output_dir=tmp_path / "plain", **names, **options
    )
    assert known is not None
    assert plain is not None
    assert plain.metrics["test"]["pair_auprc"] == known.metrics["test"]["pair_auprc"]
    assert known.synthetic, "the dataset is marked as synthetic"
    assert "of unstated origin" in plain.data_statement
    assert train(data, output_dir=tmp_path / "known", **options) == known, "a finished run is returned"
    with pytest.raises(UsageError, match="for a single row give"):
        predict(tmp_path / "plain", data["test"][0])


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (None, UsageError, "dialogues by split"),
        ([], UsageError, "dialogues by split"),
        ("path/to/data", UsageError, "dialogues by split"),
        ({"test": []}, MissingDataError, "needs the split 'train'"),
        ({"train": []}, InvalidDataError, "has no dialogues"),
        ({"train": [], "eval": []}, UsageError, "There is no split 'eval'"),
        ({"train": [], "dev": [], "validation": []}, UsageError, "validation is given 2 times"),
        ({"train": [{"dialogue_id": "d", "utterances": [], "pairs": []}]}, UsageError, "has no cause pairs.*ecerc.py"),
    ],
)
def test_what_is_no_data_is_refused(data: object, error: type[Exception], message: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=message):
        train(data, output_dir=tmp_path / "run")  # type: ignore[arg-type]
    assert not (tmp_path / "run").exists()


def test_an_objective_that_the_scorer_does_not_take_is_refused_before_the_data_is_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--scorer isolated cannot be trained with --objective rpcl"):
        train({"train": iter(())}, scorer="isolated", objective="rpcl", output_dir=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_the_splits_share_is_said_before_training(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    row = {
        "dialogue_id": "d",
        "source_dialogue_id": "d",
        "utterances": [{"turn": 1, "utterance_id": "d_1", "speaker": "A", "text": "Yes.", "emotion": 0}],
        "pairs": [{"target_turn": 1, "cause_turn": 1, "label": 0}],
    }
    with pytest.raises(MissingDataError, match="there is no feature file"):
        train({"train": [row], "test": [row]}, modalities="a", data_dir=str(tmp_path), output_dir=tmp_path / "run")
    assert "warning: rows/train and rows/test share 1 utterances; such as d d_1." in caplog.messages


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"output_dir": None}, "--output_dir is missing"),
        ({"config_name": "ecf"}, "train takes config_name from the data"),
        ({"candidates": "past"}, "train takes candidates from the data"),
    ],
)
def test_what_the_data_says_and_a_missing_folder_are_refused(
    options: dict[str, object], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=message):
        train({"train": []}, **{"output_dir": tmp_path / "run", **options})
    assert not list(tmp_path.iterdir())


def test_a_launcher_that_asks_for_another_precision_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    with pytest.raises(UsageError, match=r"mixed precision bf16 .* of the run is no"):
        train({"train": []}, output_dir=tmp_path / "run", mixed_precision="no")
    with pytest.raises(InvalidDataError, match="has no dialogues"):  # nothing is wrong with the options
        train({"train": []}, output_dir=tmp_path / "run")


EMOTIONS = ("neutral", "joy", "anger")


def two_dialogues() -> dict[str, list[dict[str, Any]]]:
    """Each utterance names its emotion, and the emotional ones are their own causes; validation and test are train."""
    rows = [
        {
            "dialogue_id": name,
            "source_dialogue_id": name,
            "utterances": [
                {"turn": turn, "utterance_id": f"{name}_{turn}", "speaker": "AB"[turn % 2], "emotion": emotion,
                 "text": ("What happened?", "We lost the match.", "I am so angry about it!")[emotion or 0]}
                for turn, emotion in enumerate(emotions, start=1)
            ],
            "pairs": [
                {"target_turn": target, "cause_turn": cause, "label": int(target != cause or not emotions[target - 1])}
                for target in range(1, len(emotions) + 1)
                for cause in range(1, target + 1)
            ],
        }
        for name, emotions in (("a", (0, 1, 2, 1)), ("b", (2, None, 0)))
    ]  # fmt: skip
    return dict.fromkeys(("train", "validation", "test"), rows)


def train_two(output: Path, encoder: Path, **options: Any) -> RunResults:
    small = {"text_encoder": str(encoder), "encoder_mode": "frozen", "hidden_size": 16, "num_heads": 2, "pair_size": 8,
             "bilinear_size": 4, "dropout": 0.0, "weight_averaging": 0.0, "learning_rate": 1e-2, "quiet": True,
             "epochs": 20, "patience": 0, "selection": "pair_auprc"}  # fmt: skip
    results = train(two_dialogues(), output_dir=output, emotion_names=EMOTIONS, **{**small, **options})
    assert results is not None
    return results


def test_results_stand_for_what_is_on_the_disk_and_a_folder_in_use_is_refused(
    tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def state(status: os.stat_result) -> tuple[int, int, int]:
        return status.st_ino, status.st_mtime_ns, status.st_size

    output, synced, fsync = tmp_path / "run", set(), os.fsync
    written: list[str] = []

    def noted_fsync(descriptor: int) -> None:
        fsync(descriptor)
        synced.add(state(os.fstat(descriptor)))

    def noted_results(path: Path, results: RunResults) -> None:
        entries = [output, *(entry for entry in output.rglob("*") if entry.name not in (".lock", "checkpoint"))]
        entries = [entry for entry in entries if "checkpoint" not in entry.parts]
        assert [str(entry) for entry in entries if state(entry.stat()) not in synced] == []
        written.extend(entry.name for entry in entries)
        with pytest.raises(RunFolderError, match=f"{output} is in use by process {os.getpid()} on "):
            train_two(output, tiny_encoder, epochs=1)
        write_results(path, results)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(iemomecp_dataset.trainers.run, "write_results", noted_results)
    train_two(output, tiny_encoder, epochs=1)
    assert {"config.yaml", "log.jsonl", "predictions_test.parquet", "model", "model.safetensors", "README.md"} <= {
        *written
    }
    assert not (output / ".lock").exists()
    (output / "checkpoint" / "epoch-0001").mkdir(parents=True)  # as if it was killed after its last file
    train_two(output, tiny_encoder, epochs=1)
    assert not (output / "checkpoint").exists()


def test_emotion_categories_are_learned_written_and_predicted_again(tiny_encoder: Path, tmp_path: Path) -> None:
    results = train_two(tmp_path / "run", tiny_encoder, emotion_category_weight=10.0)
    learned = {"accuracy": 1.0, "weighted_f1": 1.0, "n_utterances": 6}
    assert results.extra["emotion_categories"] == {"validation": learned, "test": learned}
    assert not any("emotion" in key for key in results.metrics["test"] if not key.startswith("turn_"))
    written = pq.read_table(tmp_path / "run" / "predictions_test.parquet")
    rows = two_dialogues()["test"]
    scorer = load_scorer(tmp_path / "run")
    assert scorer.config.emotion_names == list(EMOTIONS)
    probabilities, emotions = predict(scorer, rows, with_emotions=True)
    assert [matrix.shape for matrix in emotions] == [(4, 3), (3, 3)]
    assert written["emotion"].to_pylist() == target_emotions(np.concatenate(emotions), EMOTIONS, rows).tolist()
    gold = [row["utterances"][pair["target_turn"] - 1]["emotion"] for row in rows for pair in row["pairs"]]
    for name, emotion in zip(written["emotion"].to_pylist(), gold, strict=True):
        assert name == EMOTIONS[emotion] if emotion else name in EMOTIONS[1:]
    for alone, together in zip(predict(tmp_path / "run", rows), probabilities, strict=True):
        np.testing.assert_array_equal(alone, together)
    events = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert events[-1]["losses"]["emotion_category"] < 0.3 * events[0]["losses"]["emotion_category"]


def test_weights_that_are_not_given_are_recorded_with_the_values_that_took_effect(
    tiny_encoder: Path, tmp_path: Path
) -> None:
    results = train_two(tmp_path / "run", tiny_encoder, epochs=1, dropout=0.1)
    assert "emotion_categories" in results.extra
    given = train_two(tmp_path / "given", tiny_encoder, epochs=1, dropout=0.1, emotion_category_weight=CATEGORY_WEIGHT,
                      r_drop_weight=R_DROP_WEIGHT)  # fmt: skip
    assert (results.settings["emotion_category_weight"], results.settings["r_drop_weight"]) == (0.5, 1.0)
    assert system_of(results) == system_of(given)
    files = [(tmp_path / name / "model" / "model.safetensors").read_bytes() for name in ("run", "given")]
    assert files[0] == files[1]
    plain = train_two(
        tmp_path / "plain", tiny_encoder, epochs=1, dropout=0.1, emotion_category_weight=0.0, r_drop_weight=0.0
    )
    losses = [json.loads((tmp_path / name / "log.jsonl").read_text().splitlines()[0]) for name in ("run", "plain")]
    assert {"emotion_category", "r_drop"} == losses[0]["losses"].keys() - losses[1]["losses"].keys()
    assert "r_drop_weight 1.0" in (tmp_path / "run" / "model" / "README.md").read_text()
    assert system_of(plain) != system_of(given)
    without = train_two(tmp_path / "without", tiny_encoder, epochs=1, dropout=0.0)
    assert without.settings["r_drop_weight"] == 0, "two passes without dropout are one"


def test_without_weight_there_are_no_emotion_categories(tiny_encoder: Path, tmp_path: Path) -> None:
    results = train_two(tmp_path / "run", tiny_encoder, epochs=1, emotion_category_weight=0.0)
    assert "emotion_categories" not in results.extra
    columns = pq.read_table(tmp_path / "run" / "predictions_test.parquet").column_names
    assert columns == ["dialogue_id", "source_dialogue_id", "target_turn", "cause_turn", "label", "prob_pair",
                       "prob_non_pair"]  # fmt: skip
    assert not any("category" in name for name in load_file(tmp_path / "run" / "model" / "model.safetensors"))
    with pytest.raises(UsageError, match="predicts no emotions: it was trained on data without emotions"):
        predict(tmp_path / "run", two_dialogues()["test"], with_emotions=True)


def test_emotion_categories_of_data_without_emotions_are_refused(tiny_encoder: Path, tmp_path: Path) -> None:
    data = {"train": [{**row, "utterances": [{**u, "emotion": None} for u in row["utterances"]]}
                      for row in two_dialogues()["train"]]}  # fmt: skip
    options = {"text_encoder": str(tiny_encoder), "emotion_category_weight": 0.5, "quiet": True}
    with pytest.raises(UsageError, match="No utterance of the train split"):
        train(data, output_dir=tmp_path / "run", emotion_names=EMOTIONS, **options)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("decision", ["threshold", "argmax"])
def test_a_train_split_alone_is_trained_on_and_nothing_is_scored(
    decision: str, tiny_encoder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    data = {"train": two_dialogues()["train"]}
    options = {"text_encoder": str(tiny_encoder), "encoder_mode": "frozen", "epochs": 2, "quiet": True,
               "hidden_size": 16, "num_heads": 2, "pair_size": 8, "decision": decision}  # fmt: skip
    results = train(data, output_dir=tmp_path / "runs" / "x", emotion_names=EMOTIONS, **options)
    assert "Nothing is scored: there is neither validation nor test." in caplog.text
    assert results is not None
    assert results == read_results(tmp_path / "runs" / "x")
    assert results.metrics == {}
    assert results.missing_splits == ("validation", "test")
    assert results.threshold["chosen_on"] == (None if decision == "argmax" else "train")
    print_results(results)
    report.main([str(tmp_path / "runs"), "--output", str(tmp_path / "page.html")])
    assert capsys.readouterr().out.count("Runs without scores: x.") == 2
