from __future__ import annotations

import dataclasses

import pytest

from iemomecp_dataset.benchmark.board import leaderboard
from iemomecp_dataset.benchmark.comparison import compare
from iemomecp_dataset.benchmark.runs.index import index_runs
from iemomecp_dataset.benchmark.runs.log import read_epochs
from iemomecp_dataset.errors import MissingDataError, RunFolderError
from iemomecp_dataset.metrics.evaluation.predictions import read_predictions


def test_finds_runs_at_any_depth_and_names_the_unfinished(tmp_path, write_run):
    write_run(tmp_path / "base_42")
    write_run(tmp_path / "ecf" / "rpcl_42", objective="rpcl")
    (tmp_path / "killed").mkdir()
    (tmp_path / "killed" / "config.yaml").write_text("seed: 1")
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "results.json").write_text('{"format_version": 1, "run')
    (tmp_path / "notes").mkdir()
    index = index_runs(tmp_path)
    assert [run.folder.name for run in index.runs] == ["base_42", "rpcl_42"]
    reasons = {run.folder.name: run.reason for run in index.unfinished}
    assert reasons.keys() == {"killed", "torn"}
    assert "has not finished" in reasons["killed"]
    assert "not valid JSON" in reasons["torn"]


def test_a_run_folder_is_an_index_of_one(tmp_path, write_run):
    write_run(tmp_path / "base_42")
    assert len(index_runs(tmp_path / "base_42").runs) == 1


def test_an_empty_folder_says_how_to_make_a_run(tmp_path):
    with pytest.raises(RunFolderError, match=r"holds no run.*trainers/fusion\.py --data_dir DIR --output_dir runs/"):
        index_runs(tmp_path)


def test_a_folder_of_unfinished_runs_names_them(tmp_path):
    (tmp_path / "killed" / "checkpoint").mkdir(parents=True)
    with pytest.raises(RunFolderError, match=r"(?s)no finished run, but 1 unfinished:.*killed"):
        index_runs(tmp_path)


def test_a_missing_folder(tmp_path):
    with pytest.raises(MissingDataError, match="is not a folder"):
        index_runs(tmp_path / "nowhere")


def test_predictions_come_back_with_their_facts(tmp_path, write_run):
    record = write_run(tmp_path / "run", n_classes=3)
    predictions = read_predictions(tmp_path / "run" / "predictions_test.parquet")
    assert predictions.class_names == record.class_names
    assert predictions.threshold == record.threshold["value"]
    assert predictions.facts.split == "test"
    assert predictions.facts.synthetic
    assert len(predictions) == record.counts["test"]["candidates"]
    assert predictions.probabilities.shape == (len(predictions), 3)
    gold, decided = predictions.labels == 0, predictions.decided == 0
    f1 = 2 * (gold & decided).sum() / (gold.sum() + decided.sum())
    assert f1 == pytest.approx(record.metrics["test"]["pair_f1"], abs=1e-9)


def test_broken_prediction_files_are_named(tmp_path):
    with pytest.raises(MissingDataError, match="is not there"):
        read_predictions(tmp_path / "predictions_test.parquet")
    (tmp_path / "predictions_test.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(RunFolderError, match="cannot be read as Parquet"):
        read_predictions(tmp_path / "predictions_test.parquet")


def test_a_log_may_hold_other_events_a_torn_line_and_an_epoch_twice(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text(
        '{"event": "start"}\n'
        '{"event": "epoch", "epoch": 1, "step": 5, "train_loss": 0.9, "validation": {"pair_f1": 0.1}}\n'
        '{"event": "epoch", "epoch": 2, "step": 10, "train_loss": 0.8, "validation": {"pair_f1": null}}\n'
        '{"event": "resume"}\n'
        '{"event": "epoch", "epoch": 2, "step": 10, "train_loss": 0.7, "validation": {"pair_f1": 0.2}}\n'
        '{"event": "epoch", "epo'
    )
    epochs = read_epochs(path)
    assert [(epoch.number, epoch.train_loss, epoch.validation["pair_f1"]) for epoch in epochs] == [
        (1, 0.9, 0.1),
        (2, 0.7, 0.2),
    ]
    assert read_epochs(tmp_path / "none.jsonl") == []


def test_runs_of_one_name_are_named_by_their_folders(tmp_path, write_run):
    for experiment, quality in (("slow", 1.0), ("fast", 5.0)):
        write_run(tmp_path / experiment / "s1", quality=quality, settings={"quality": quality}, n_dialogues=6)
    write_run(tmp_path / "other", objective="rpcl", n_dialogues=6)
    runs = index_runs(tmp_path).runs
    assert [run.results.run_name for run in runs] == ["fast/s1", "other", "slow/s1"]
    (board,) = leaderboard(tmp_path)
    compared = compare(board, n_resamples=20)
    for row in board.trained:
        f1 = row.score("test", "pair_f1").mean
        assert compared.intervals[row.name]["pair_f1"].estimate == pytest.approx(f1)
    bare = [dataclasses.replace(run.results, run_name="s1", seed=seed) for seed, run in enumerate(runs)]
    assert len({run.results.run_name for board in leaderboard(bare) for run in board.runs}) == 3
