"""Cross-validation as a user starts it: every dialogue predicted once, by a run that was not trained on it."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from here_backend import HereBackend

from iemomecp_dataset.benchmark.board import leaderboard
from iemomecp_dataset.benchmark.comparison import compare
from iemomecp_dataset.benchmark.cross_validation.joining import FoldRun, join_folds
from iemomecp_dataset.benchmark.ensembles.making import EnsembleRequest, make_ensemble
from iemomecp_dataset.benchmark.runs.index import index_runs
from iemomecp_dataset.benchmark.runs.results import read_results
from iemomecp_dataset.commands import call
from iemomecp_dataset.corpus import load_corpus
from iemomecp_dataset.errors import InvalidDataError, RunFolderError, UsageError
from iemomecp_dataset.folds import read_folds
from iemomecp_dataset.metrics.evaluation.predictions import read_predictions
from iemomecp_dataset.metrics.scoring import pair_scores
from iemomecp_dataset.metrics.signature import Signature

pytestmark = pytest.mark.slow

SMALL = ["--hidden_size", "8", "--num_heads", "2", "--num_layers", "1", "--pair_size", "8", "--bilinear_size", "2",
         "--epochs", "1", "--max_tokens", "16", "--encoder_mode", "frozen", "--text_layers", "-1"]  # fmt: skip


@pytest.fixture(name="start", scope="module")
def fixture_start(small_dir: Path, tiny_encoder: Path) -> Any:
    """Calls the command on the small synthetic corpus; cells run in this process."""

    def start(runs: Path, *more: str, failing: Sequence[str] = ()) -> tuple[int, list[str]]:
        backend = HereBackend(failing)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("iemomecp_dataset.benchmark.matrix.start.open_backend", lambda *_, **__: backend)
            arguments = ["--data_dir", str(small_dir), "--text_encoder", str(tiny_encoder), "--runs_dir", str(runs)]
            code = call("cross-validate", [*arguments, "--folds", "2", *SMALL, *more])
        return code or 0, backend.ran

    return start


@pytest.fixture(name="runs", scope="module")
def fixture_runs(start: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two variants on two folds with one seed."""
    runs = tmp_path_factory.mktemp("cross") / "cv"
    code, ran = start(runs, "--vary", "learning_rate=0.05")
    assert code == 0
    assert ran == [f"{variant}-s42-fold{fold}" for fold in (1, 2) for variant in ("baseline", "learning_rate=0.05")]
    return runs


def table(runs: Path) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in json.loads((runs / "cross_validation.json").read_text())["rows"]}


def test_every_pair_is_predicted_by_the_run_that_was_not_trained_on_it(runs: Path, small_dir: Path) -> None:
    corpus = load_corpus("3class", small_dir)
    folds = read_folds(runs / "folds.json")
    for variant in ("baseline", "learning_rate=0.05"):
        joined = read_predictions(runs / "out-of-fold" / f"{variant}-s42" / "predictions_train.parquet")
        assert joined.pairs.same_pairs(corpus.tables["train"])
        assert joined.folds is not None
        assert joined.folds.tolist() == [folds.fold_of[name] for name in joined.dialogue_ids.tolist()]
        decided = np.full(len(joined), -1)
        for fold in (1, 2):
            cell = runs / "cells" / f"{variant}-s42-fold{fold}"
            config = yaml.safe_load((cell / "config.yaml").read_text())
            assert (config["fold"], Path(config["folds"]).name) == (fold, "folds.json")
            own = read_predictions(cell / "predictions_test.parquet")
            assert {folds.fold_of[name] for name in own.dialogue_ids.tolist()} == {fold}
            np.testing.assert_array_equal(own.probabilities, joined.probabilities[joined.folds == fold])
            assert joined.thresholds is not None
            assert set(joined.thresholds[joined.folds == fold].tolist()) == {own.threshold}
            decided[joined.folds == fold] = own.decided
        np.testing.assert_array_equal(joined.decided, decided)
        record = read_results(runs / "out-of-fold" / f"{variant}-s42")
        scores = pair_scores(decided, joined.labels, corpus.class_names, missed_positives=joined.missed_positives)
        ranked = pair_scores(joined.probabilities, joined.labels, corpus.class_names)
        assert record.metrics["train"]["pair_f1"] == scores["pair_f1"]
        assert record.metrics["train"]["pair_auprc"] == pytest.approx(ranked["pair_auprc"], abs=1e-12)


def test_the_mean_of_out_of_fold_predictions_has_no_threshold_unless_it_is_given(runs: Path, tmp_path: Path) -> None:
    members = [runs / "out-of-fold" / f"{variant}-s42" for variant in ("baseline", "learning_rate=0.05")]
    with pytest.raises(UsageError, match=r"each fold is decided by a threshold of its own.*or give --threshold"):
        make_ensemble(EnsembleRequest(members, tmp_path / "mean"))
    assert not (tmp_path / "mean").exists()
    record = make_ensemble(EnsembleRequest(members, tmp_path / "mean", threshold=0.3))
    stored = read_predictions(tmp_path / "mean" / "predictions_train.parquet")
    assert (stored.threshold, record.threshold) == (0.3, {"value": 0.3, "chosen_on": "fixed"})
    of_fold = [runs / "cells" / f"{variant}-s42-fold1" for variant in ("baseline", "learning_rate=0.05")]
    assert make_ensemble(EnsembleRequest(of_fold, tmp_path / "one")).threshold["chosen_on"] == "validation"


def test_the_table_is_that_of_the_runs(runs: Path) -> None:
    rows = table(runs)
    assert list(rows)[-2:] == ["baseline", "learning_rate=0.05"]
    f1 = {
        name: [read_results(runs / "cells" / f"{name}-s42-fold{fold}").metrics for fold in (1, 2)]
        for name in ("baseline", "learning_rate=0.05")
    }
    differences = np.array(
        [
            other["test"]["pair_f1"] - base["test"]["pair_f1"]
            for base, other in zip(f1["baseline"], f1["learning_rate=0.05"], strict=True)
        ]
    )
    row = rows["learning_rate=0.05"]
    assert row["pair_f1_difference"] == pytest.approx(differences.mean())
    assert row["pair_f1_difference_error"] == pytest.approx(differences.std(ddof=1) / math.sqrt(2))
    development = [metrics["validation"]["pair_f1"] for metrics in f1["learning_rate=0.05"]]
    assert row["development"] == pytest.approx(np.mean(development))
    of_folds = [metrics["test"]["pair_f1"] for metrics in f1["learning_rate=0.05"]]
    assert row["gap"] == pytest.approx(np.mean(development) - np.mean(of_folds))
    assert (row["cells"], row["cells_in_all"], row["missing"]) == (2, 2, "")
    assert rows["baseline"]["pair_f1_difference"] is None
    text = (runs / "cross_validation.md").read_text()
    assert "SYNTHETIC" in text
    assert f"{100 * row['pair_f1']:.2f} ± {100 * row['pair_f1_error']:.2f}" in text
    assert (runs / "cross_validation.csv").read_text().count("\n") == len(rows) + 1


def test_structural_rows_are_fitted_without_their_fold(runs: Path) -> None:
    rows = table(runs)
    cells = [read_results(runs / "cells" / f"baseline-s42-fold{fold}") for fold in (1, 2)]
    # Distance alone needs no encoder, so that the rule in each cell is the very one of the table.
    of_cells = [cell.structural_baselines["distance_only"]["splits"]["test"] for cell in cells]
    row = rows["distance only"]
    values = np.array([scores["pair_f1"] for scores in of_cells])
    assert row["pair_f1_error"] == pytest.approx(values.std(ddof=1) / math.sqrt(2))
    assert row["gap"] == pytest.approx(row["development"] - values.mean())
    base = np.array([cell.metrics["test"]["pair_f1"] for cell in cells])
    assert row["pair_f1_difference"] == pytest.approx((values - base).mean())
    gold = [(cell.counts["test"]["gold_pairs"], scores) for cell, scores in zip(cells, of_cells, strict=True)]
    recalled = sum(n * scores["pair_recall"] for n, scores in gold)
    recorded = read_results(runs / "out-of-fold" / "baseline-s42").structural_baselines["distance_only"]
    assert recorded["splits"]["train"]["pair_recall"] == pytest.approx(recalled / sum(n for n, _ in gold))


def test_report_and_paired_tests_read_it_in_a_table_of_its_own(runs: Path) -> None:
    index = index_runs(runs)
    assert index.remarks == ()  # the recorded scores are those of the files
    boards = leaderboard(index.runs)
    assert len(boards) == 3  # two folds, and all of them together
    parts = {Signature.parse(text).part for run in index.runs for text in run.results.extra["signatures"].values()}
    folds = read_folds(runs / "folds.json")
    assert parts == {"none", folds.word(1), folds.word(2), folds.all_folds}  # none: the validation split is whole
    (joined,) = (board for board in boards if board.splits == ("train",))
    assert [row.name.rpartition("=")[2] for row in joined.trained] != []
    assert not any(row.oracle("train") for row in joined.rows)
    compared = compare(joined, n_resamples=20)
    assert compared is not None
    assert compared.left_out == ()
    row = next(row for row in joined.trained if row.runs[0].results.run_name.startswith("learning"))
    assert compared.intervals[row.name]["pair_f1"].estimate == pytest.approx(
        table(runs)["learning_rate=0.05"]["pair_f1"]
    )


def test_the_evaluation_of_the_file_gives_the_recorded_scores(
    runs: Path, small_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = runs / "out-of-fold" / "baseline-s42"
    call("evaluate", [str(folder / "predictions_train.parquet"), "--data-dir", str(small_dir), "--resamples", "0",
                      "--no-structural", "--output", str(tmp_path / "scores.json")])  # fmt: skip
    assert "each fold by its own threshold" in capsys.readouterr().out
    content = json.loads((tmp_path / "scores.json").read_text())
    text = json.dumps(content)
    recorded = read_results(folder)
    assert str(recorded.metrics["train"]["pair_f1"]) in text
    assert recorded.extra["signatures"]["train"] in text


def test_the_same_command_again_trains_nothing_and_shows_the_same(start: Any, runs: Path) -> None:
    before = (runs / "cross_validation.json").read_bytes(), (runs / "folds.json").stat().st_mtime_ns
    assert start(runs, "--vary", "learning_rate=0.05") == (0, [])
    assert ((runs / "cross_validation.json").read_bytes(), (runs / "folds.json").stat().st_mtime_ns) == before


def test_a_cell_that_fails_is_shown_and_counted(start: Any, runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    more = ("--vary", "learning_rate=0.05", "dropout=0.2")
    code, ran = start(runs, *more, failing=["dropout=0.2-s42-fold2"])
    assert (code, ran) == (1, ["dropout=0.2-s42-fold1"])
    out = capsys.readouterr().out
    assert "dropout=0.2: 1 of 2 runs are missing (fold 2 seed 42 failed)" in out
    row = table(runs)["dropout=0.2"]
    assert (row["cells"], row["cells_in_all"], row["pair_f1"], row["pair_auprc"]) == (1, 2, None, None)
    assert row["pair_f1_difference"] is not None  # of the fold that both have
    assert row["pair_f1_difference_error"] is None
    assert not (runs / "out-of-fold" / "dropout=0.2-s42").exists()
    assert start(runs, *more, "--retry_failed") == (0, ["dropout=0.2-s42-fold2"])
    assert table(runs)["dropout=0.2"]["pair_f1"] is not None


def test_other_folds_or_other_data_are_refused(start: Any, runs: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"has other folds: --salt 'iemomecp' there and 'other' here"):
        start(runs, "--salt", "other")
    folder = tmp_path / "cv"
    folder.mkdir()
    content = json.loads((runs / "folds.json").read_text())
    (folder / "folds.json").write_text(json.dumps(content))
    with pytest.raises(InvalidDataError, match="belong to another state of the train split"):
        start(folder, "--config_name", "source_binary")


def test_predictions_of_another_fold_are_not_joined(runs: Path, small_dir: Path) -> None:
    corpus = load_corpus("3class", small_dir)
    folds = read_folds(runs / "folds.json")
    folders = [runs / "cells" / f"baseline-s42-fold{fold}" for fold in (2, 1)]
    exchanged = [FoldRun(n, folder, read_results(folder)) for n, folder in enumerate(folders, start=1)]
    with pytest.raises(RunFolderError, match=r"holds predictions of fold-2-of-2.\w+, not of fold-1-of-2"):
        join_folds(corpus, folds, exchanged)


def test_a_dry_run_writes_nothing(start: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert start(tmp_path / "cv", "--dry_run", "--seeds", "1", "2", "--objective", "base", "rpcl") == (0, [])
    printed = capsys.readouterr()
    assert "2 variants x 2 seeds x 2 folds: 8 runs." in printed.err
    assert "objective=rpcl-s2-fold2" in printed.out
    assert "--folds=" in printed.out
    assert not (tmp_path / "cv").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--seeds", "1", "1"], "each once; found 1 1"),
        (["--per_gpu", "8"], "needs --gpus"),
        (["--fold", "1"], "--fold is not an option of a cross-validation"),
        (["--scorer", "isolatd"], "isolatd"),
        (["--emotion_from", "runs/erc"], "--emotion_from runs/erc"),
    ],
)
def test_options_that_do_not_fit_are_refused_before_the_data_are_read(
    more: list[str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        call("cross-validate", ["--data_dir", str(tmp_path / "nothing"), "--runs_dir", str(tmp_path / "cv"), *more])


def test_the_columns_are_those_of_the_documentation(runs: Path, repository: Path) -> None:
    names = pq.read_schema(runs / "out-of-fold/baseline-s42/predictions_train.parquet").names
    text = (repository / "docs/cross-validation.md").read_text()
    for name in names:
        assert ("prob_CLASS" if name.startswith("prob_") else name) in text
