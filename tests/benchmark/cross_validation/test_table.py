"""The table over folds and seeds: means, errors and differences of what is there, and what runs say of shared data."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from iemomecp_dataset.benchmark.cross_validation.structural import StructuralFolds
from iemomecp_dataset.benchmark.cross_validation.table import (
    CrossValidationRow,
    leak_notes,
    table_as_json,
    table_as_markdown,
    table_as_text,
    table_rows,
)
from iemomecp_dataset.folds import Folds

FOLDS = Folds("ecf", "ecf", "train", 4, "salt", {}, "", "", ())
SEEDS = (1, 2, 3)
GENERATOR = np.random.default_rng(7)
SCORES = {name: GENERATOR.uniform(0.4, 0.6, (4, 3)) for name in ("baseline", "other")}
KNOWS = "ecf/train and ecf/test share 2 utterances; such as a 1."
APART = "ecf/train and ecf/validation share 1 utterances; such as b 1."


def record(score: float, *leaks: str) -> Any:
    metrics = {
        "test": {"pair_f1": score, "pair_auprc": score / 2},
        "validation": {"pair_f1": score + 0.05, "pair_auprc": score / 2},
    }
    return SimpleNamespace(metrics=metrics, wall_seconds=60.0, extra={"leaks": leaks})


def records(scores: dict[str, NDArray[np.float64]] = SCORES) -> dict[tuple[str, int, int], Any]:
    return {
        (name, seed, fold): record(of[fold - 1, place])
        for name, of in scores.items()
        for place, seed in enumerate(SEEDS)
        for fold in range(1, 5)
    }


def rows_of(found: dict[tuple[str, int, int], Any], structural: Any = ()) -> dict[str, CrossValidationRow]:
    pooled = {
        (name, seed): {"pair_f1": 0.5 + seed / 100, "pair_auprc": 0.3}
        for name in SCORES
        for seed in SEEDS
        if all((name, seed, fold) in found for fold in range(1, 5))
    }
    return {row.name: row for row in table_rows(FOLDS, SEEDS, list(SCORES), found, pooled, structural)}


def error_of_mean(scores: NDArray[np.float64]) -> float:
    """The error from components of variance, each a mean covariance, without an analysis of variance."""
    n_folds, n_seeds = scores.shape
    of_seeds, of_folds = np.cov(scores.T), np.cov(scores)
    fold = of_seeds[~np.eye(n_seeds, dtype=bool)].mean()
    seed = of_folds[~np.eye(n_folds, dtype=bool)].mean()
    rest = np.diag(of_seeds).mean() - fold
    variance = fold / n_folds + seed / n_seeds + rest / (n_folds * n_seeds)
    return float(np.sqrt(max(variance, rest / (n_folds * n_seeds))))


def test_errors_are_those_of_crossed_folds_and_seeds() -> None:
    row = rows_of(records())["other"]
    assert row.pair_f1 == pytest.approx(0.52)
    assert row.pair_f1_error == pytest.approx(error_of_mean(SCORES["other"]))
    differences = SCORES["other"] - SCORES["baseline"]
    assert row.pair_f1_difference == pytest.approx(differences.mean())
    assert row.pair_f1_difference_error == pytest.approx(error_of_mean(differences))
    assert row.pair_auprc_difference_error == pytest.approx(error_of_mean(differences / 2))
    assert (row.development - row.gap, row.gap) == pytest.approx((SCORES["other"].mean(), 0.05))
    assert (row.minutes, row.cells, row.missing) == (12, 12, "")


def test_a_seed_that_has_not_begun_takes_no_difference_away() -> None:
    # Interrupted in the third fold of the first seed: of the other seeds there is no run.
    found = {key: one for key, one in records().items() if key[1] == 1 and key[2] <= 3}
    rule = StructuralFolds("distance", "distance", "", {}, tuple({"pair_f1": 0.4, "pair_auprc": 0.3} for _ in range(4)))
    rows = rows_of(found, [rule])
    differences = (SCORES["other"] - SCORES["baseline"])[:3, :1]
    assert rows["other"].pair_f1_difference == pytest.approx(differences.mean())
    assert rows["other"].pair_f1_difference_error == pytest.approx(differences.std(ddof=1) / math.sqrt(3))
    assert rows["distance"].pair_f1_difference == pytest.approx(0.4 - SCORES["baseline"][:3, 0].mean())
    assert math.isnan(rows["other"].pair_f1)
    assert (rows["other"].cells, rows["other"].reason) == (3, "no seed has the runs of all folds")


def test_seeds_that_are_complete_stand_alone() -> None:
    found = {key: one for key, one in records().items() if key[1:] != (3, 4)}
    row = rows_of(found)["other"]
    assert row.pair_f1_error == pytest.approx(error_of_mean(SCORES["other"][:, :2]))
    assert row.pair_f1 == pytest.approx(0.515)
    assert row.missing == "fold 4 seed 3 missing"


def test_without_any_run_nothing_is_computed() -> None:
    row = rows_of({})["other"]
    assert all(math.isnan(value) for value in (row.pair_f1, row.pair_f1_difference, row.minutes, row.development))


def test_shared_data_is_told_with_its_variants_and_folds() -> None:
    found = records()
    for fold in range(1, 5):
        found["baseline", 1, fold] = record(0.5, APART)
        found["other", 1, fold] = record(0.5, *([KNOWS] if fold in (1, 3) else []), APART)
    leaks = leak_notes(found)
    assert leaks == [
        f"Splits share data (all variants, folds 1, 2, 3, 4; test is the fold): {APART}",
        f"Training data and fold may not be apart (other, folds 1, 3; test is the fold): {KNOWS}",
    ]
    rows = rows_of(found)
    assert (rows["baseline"].leaks, rows["other"].leaks) == (0, 2)
    for text in (
        table_as_text(list(rows.values()), FOLDS, SEEDS, leaks),
        table_as_markdown(list(rows.values()), FOLDS, SEEDS, leaks),
    ):
        assert "Training data and fold may not be apart (other, folds 1, 3" in text
    assert table_as_json(list(rows.values()), FOLDS, SEEDS, leaks)["leaks"] == leaks
