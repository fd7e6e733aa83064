from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iemomecp_dataset.benchmark.board import boards
from iemomecp_dataset.benchmark.comparison import RULE, compare, holm
from iemomecp_dataset.benchmark.runs.index import index_runs
from iemomecp_dataset.metrics.evaluation.predictions import read_predictions


def loaded(folder):
    (board,) = boards(index_runs(folder).runs)
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


def test_every_pair_of_systems_and_the_rule_are_compared(found):
    pairs = {(one.first, one.second) for one in found.comparisons if one.metric == "pair_f1"}
    assert len(pairs) == 3 + 3
    assert {("RPCL T", RULE), ("Base T", RULE), ("CDMR only T", RULE)} <= pairs
    for one in found.comparisons:
        if one.second != RULE:
            bar = found.intervals[one.first][one.metric].estimate - found.intervals[one.second][one.metric].estimate
            assert one.difference.estimate == pytest.approx(bar)


def test_a_large_difference_is_found_and_none_is_not(found):
    p = {frozenset((one.first, one.second)): one.p_holm for one in found.comparisons if one.metric == "pair_f1"}
    assert p[frozenset(("RPCL T", "Base T"))] < 0.05
    assert p[frozenset(("Base T", "CDMR only T"))] > 0.05


def test_the_rule_is_scored_as_self_and_previous(matrix, found):
    board, _ = matrix
    rule = next(row for row in board.structural if row.name == RULE).score("test", "pair_f1").mean
    for one in found.comparisons:
        if one.second == RULE:
            assert one.difference.estimate == pytest.approx(found.intervals[one.first]["pair_f1"].estimate - rule)


def test_a_system_that_lacks_a_run_is_left_out_by_name(matrix):
    board, predictions = matrix
    fewer = {name: of_run for name, of_run in predictions.items() if name != "base_42"}
    found = compare(board, fewer, n_resamples=50)
    assert found.left_out == ("Base T",)
    assert "Base T" not in found.intervals
    assert compare(board, {}) is None


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_rejects_what_its_step_down_rule_rejects(p_values):
    """Holm (1979): go up the ordered p-values while p_(i) <= alpha / (m - i + 1), reject those."""
    corrected = holm(p_values)
    for alpha in (0.01, 0.05, 0.2):
        rejected = set()
        for rank, i in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
            if p_values[i] * (len(p_values) - rank) > alpha:
                break
            rejected.add(i)
        assert {i for i, p in enumerate(corrected) if p <= alpha} == rejected
    assert all(c >= p for c, p in zip(corrected, p_values, strict=True))


def test_undefined_tests_do_not_count():
    corrected = holm([0.01, math.nan, 0.02])
    assert corrected[0] == 0.02
    assert math.isnan(corrected[1])
    assert np.isclose(corrected[2], 0.02)


def test_differences_by_seed(matrix, found):
    board, _ = matrix
    for one in found.comparisons:
        if one.second == RULE:
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


def test_of_many_systems_each_is_compared_with_base(tmp_path, write_run):
    names = ("base", "rpcl", "cdmr", "ccps", "fixed_margin", "utterance_dropout", "rpcl_fixed_margin")
    for place, name in enumerate(names):
        write_run(tmp_path / name, objective=name, seed=42, quality=1.0 + place, n_dialogues=6)
    found = compare(*loaded(tmp_path), n_resamples=20)
    pairs = [(one.first, one.second) for one in found.comparisons if one.metric == "pair_f1" and one.second != RULE]
    assert len(pairs) == 6
    assert {second for _, second in pairs} == {"Base T"}
    assert all(one.seeds == 1 for one in found.comparisons if one.second != RULE)
    assert all(math.isnan(one.seed_error) for one in found.comparisons)
