from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from iemomecp_dataset.benchmark.baselines.structural import DISTANCE_ONLY, SELF_AND_PREVIOUS
from iemomecp_dataset.benchmark.board import leaderboard
from iemomecp_dataset.benchmark.comparison import compare, read_board_predictions
from iemomecp_dataset.benchmark.results_table import board_table
from iemomecp_dataset.benchmark.runs.index import index_runs
from iemomecp_dataset.benchmark.runs.results import EXTERNAL, write_results
from iemomecp_dataset.errors import RunFolderError, UsageError
from iemomecp_dataset.metrics.evaluation.predictions import read_predictions
from iemomecp_dataset.metrics.significance.bootstrap import bootstrap_intervals
from iemomecp_dataset.metrics.significance.counts import candidate_unit_counts
from iemomecp_dataset.metrics.significance.holm import holm


def loaded(folder):
    (board,) = leaderboard(index_runs(folder).runs)
    predictions = {run.results.run_name: read_predictions(run.predictions_path("test")) for run in board.runs}
    return board, predictions


@pytest.fixture(scope="module")
def matrix(tmp_path_factory, write_run):
    root = tmp_path_factory.mktemp("runs")
    for objective, quality in (("base", 1.0), ("rpcl", 4.0), ("cdmr", 1.0)):
        for seed in (42, 345):
            write_run(root / f"{objective}_{seed}", objective=objective, seed=seed, quality=quality, n_dialogues=30)
    return loaded(root)


@pytest.fixture(scope="module")
def found(matrix):
    return compare(*matrix, n_resamples=300)


def test_estimates_are_the_means_of_the_table(matrix, found):
    board, _ = matrix
    for row in board.trained:
        for metric in ("pair_f1", "pair_auprc"):
            interval = found.intervals[row.name][metric]
            assert interval.estimate == pytest.approx(row.score("test", metric).mean, abs=1e-9)
            assert interval.low < interval.estimate < interval.high
    assert found.n_units == 30


def test_splits_may_be_called_as_files_call_them(matrix):
    board, _ = matrix
    assert board_table(board, "dev") == board_table(board, "validation")
    assert read_board_predictions(board, "valid").keys() == read_board_predictions(board, "validation").keys() != set()
    assert compare(board, split="dev", n_resamples=20) == compare(board, split="validation", n_resamples=20)


def test_chunks_of_one_dialogue_are_resampled_together_and_missed_pairs_count(matrix):
    board, predictions = matrix
    chunked = {}
    for name, run in predictions.items():
        sources = np.array([f"source{int(dialogue[2:]) // 3}" for dialogue in run.pairs.dialogue_ids.tolist()])
        chunked[name] = replace(run, pairs=replace(run.pairs, source_dialogue_ids=sources, missed_positives=9))
    found = compare(board, chunked, n_resamples=50)
    assert found.n_units == 10
    for row in board.trained:
        runs = [chunked[run.results.run_name] for run in row.runs]
        counts = [
            candidate_unit_counts(
                [run.probabilities], run.labels, run.pairs.source_dialogue_ids, run.class_names,
                thresholds=[run.threshold], missed_positives=9,
            )[0]
            for run in runs
        ]  # fmt: skip
        expected = bootstrap_intervals(counts, n_resamples=50)
        for metric in ("pair_f1", "pair_auprc"):
            assert found.intervals[row.name][metric] == expected[metric]


def test_every_pair_of_systems_and_the_rule_are_compared(found):
    pairs = {(one.first, one.second) for one in found.comparisons if one.metric == "pair_f1"}
    assert len(pairs) == 3 + 3
    against_rule = {(one.first, one.second) for one in found.comparisons if one.against_rule}
    assert against_rule == {(name, "distance only") for name in ("RPCL T", "Base T", "CDMR only T")}
    assert against_rule <= pairs
    for one in found.comparisons:
        if not one.against_rule:
            bar = found.intervals[one.first][one.metric].estimate - found.intervals[one.second][one.metric].estimate
            assert one.difference.estimate == pytest.approx(bar)


def test_a_large_difference_is_found_and_none_is_not(found):
    p = {frozenset((one.first, one.second)): one.p_holm for one in found.comparisons if one.metric == "pair_f1"}
    assert p[frozenset(("RPCL T", "Base T"))] < 0.05
    assert p[frozenset(("Base T", "CDMR only T"))] > 0.05


def test_the_bar_of_tests_is_the_row_that_gains_are_measured_from(matrix, found):
    board, _ = matrix
    gains = {row.name: row.score("test", "gain_over_distance").mean for row in board.trained}
    against = {one.first: one.difference.estimate for one in found.comparisons if one.against_rule}
    assert against == pytest.approx(gains)
    assert board.baseline(DISTANCE_ONLY).threshold.endswith("from train")


def test_records_that_do_not_hold_the_decisions_of_the_bar_are_tested_against_self_and_previous(matrix):
    board, predictions = matrix
    runs = []
    for run in board.runs:
        baselines = {key: dict(one) for key, one in run.results.structural_baselines.items()}
        baselines[DISTANCE_ONLY].pop("by_distance")
        runs.append(replace(run, results=replace(run.results, structural_baselines=baselines)))
    (earlier,) = leaderboard(runs)
    compared = compare(earlier, predictions, split="test", n_resamples=20)
    rule = board.baseline(SELF_AND_PREVIOUS).score("test", "pair_f1").mean
    against = [one for one in compared.comparisons if one.against_rule]
    assert {one.second for one in against} == {"self + previous"}
    for one in against:
        assert one.difference.estimate == pytest.approx(compared.intervals[one.first]["pair_f1"].estimate - rule)


def test_a_system_that_lacks_a_run_is_left_out_by_name(matrix):
    board, predictions = matrix
    fewer = {name: of_run for name, of_run in predictions.items() if name != "base_42"}
    found = compare(board, fewer, n_resamples=50)
    assert found.left_out == ("Base T",)
    assert "Base T" not in found.intervals
    assert compare(board, {}) is None


def test_predictions_are_read_from_the_run_folders_by_default(matrix, found):
    board, _ = matrix
    assert compare(board, n_resamples=300) == found
    assert compare(board, split="train") is None, "no run has predictions of it"


def test_predictions_of_other_pairs_are_refused(tmp_path, write_run):
    for name, objective in (("one", "base"), ("other", "rpcl")):
        write_run(tmp_path / name, objective=objective, n_dialogues=6)
    board = next(board for board in leaderboard(tmp_path) if len(board.runs) == 2)
    write_run(tmp_path / "data", n_dialogues=6, data_seed=1)
    (tmp_path / "data" / "predictions_test.parquet").rename(tmp_path / "other" / "predictions_test.parquet")
    with pytest.raises(RunFolderError, match="is not of the same pairs as"):
        compare(board)


def test_differences_by_seed(matrix, found):
    board, _ = matrix
    for one in found.comparisons:
        if one.against_rule:
            assert one.seeds == 0
            assert math.isnan(one.seed_error)
            continue
        rows = {row.name: row for row in board.trained}
        by_seed = [
            {run.results.seed: run.results.metrics["test"][one.metric] for run in rows[name].runs}
            for name in (one.first, one.second)
        ]
        differences = [by_seed[0][seed] - by_seed[1][seed] for seed in (42, 345)]
        assert one.seeds == 2
        # Of two values the standard error of the mean is half their distance.
        assert one.seed_error == pytest.approx(abs(differences[0] - differences[1]) / 2, abs=1e-9)


def test_p_values_are_corrected_for_all_comparisons_of_a_metric(found):
    for metric in ("pair_f1", "pair_auprc"):
        of_metric = [one for one in found.comparisons if one.metric == metric]
        assert len(of_metric) == (6 if metric == "pair_f1" else 3)
        assert [one.p_holm for one in of_metric] == holm([one.difference.p_value for one in of_metric])


def test_differences_over_seeds_are_of_the_seeds_that_both_have(tmp_path, write_run):
    for objective, seeds in (("base", (7, 42, 345)), ("rpcl", (42, 345, 999))):
        for seed in seeds:
            quality = {"base": 1.0, "rpcl": 3.0}[objective]
            write_run(tmp_path / f"{objective}_{seed}", objective=objective, seed=seed, quality=quality, n_dialogues=8)
    board, predictions = loaded(tmp_path)
    found = compare(board, predictions, n_resamples=20)
    scores = {(run.results.objective, run.results.seed): run.results.metrics["test"] for run in board.runs}
    for one in found.comparisons:
        if not one.against_rule:
            differences = [scores["rpcl", seed][one.metric] - scores["base", seed][one.metric] for seed in (42, 345)]
            assert one.seeds == 2
            assert one.seed_error == pytest.approx(abs(differences[0] - differences[1]) / 2, abs=1e-9)


def test_of_many_systems_each_is_compared_with_base(tmp_path, write_run):
    names = ("base", "rpcl", "cdmr", "ccps", "fixed_margin", "utterance_dropout", "rpcl_fixed_margin")
    for place, name in enumerate(names):
        write_run(tmp_path / name, objective=name, seed=42, quality=1.0 + place, n_dialogues=6)
    found = compare(*loaded(tmp_path), n_resamples=20)
    pairs = [(one.first, one.second) for one in found.comparisons if one.metric == "pair_f1" and not one.against_rule]
    assert len(pairs) == 6
    assert {second for _, second in pairs} == {"Base T"}
    assert all(one.seeds == 1 for one in found.comparisons if not one.against_rule)
    assert all(math.isnan(one.seed_error) for one in found.comparisons)


def test_a_system_of_others_that_is_called_base_is_no_base(tmp_path, write_run):
    for place, name in enumerate(("base", "one", "two", "three", "four", "five", "six")):
        record = write_run(tmp_path / name, objective=name, seed=42, quality=1.0 + place, n_dialogues=6)
        write_results(tmp_path / name, replace(record, scorer=EXTERNAL, settings={}))
    board, predictions = loaded(tmp_path)
    best = board.trained[-1].name
    assert best != "base T external"
    found = compare(board, predictions, n_resamples=20)
    pairs = [(one.first, one.second) for one in found.comparisons if one.metric == "pair_f1" and not one.against_rule]
    assert {first for first, _ in pairs} == {best}, "without a Base of ours, the best is compared with each"


def test_what_is_no_table_of_runs_is_refused():
    with pytest.raises(UsageError, match=r"such as leaderboard\('runs'\)\[0\], but got 'runs/a'"):
        compare("runs/a", "runs/b")
