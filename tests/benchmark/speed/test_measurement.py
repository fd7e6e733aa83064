"""Rows of measurements, and the subjects that ``make bench`` runs."""

from __future__ import annotations

import importlib
import pkgutil
from types import SimpleNamespace

import pytest

import iemomecp_dataset.benchmark.speed as room
from iemomecp_dataset.benchmark.speed import measurement
from iemomecp_dataset.benchmark.speed.measurement import SpeedRow, best_seconds


def test_the_ratio_is_above_one_if_ours_is_faster():
    assert SpeedRow("ours", 2.0, "alternative", 6.0).ratio == 3.0


def test_the_shortest_of_several_calls_counts(monkeypatch):
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(measurement, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    durations = iter([3.0, 0.5, 2.0])

    def work() -> None:
        clock.now += next(durations)

    assert best_seconds(work, 3) == 0.5
    assert next(durations, None) is None


def test_every_module_that_measures_is_a_subject():
    modules = [module.name for module in pkgutil.iter_modules(room.__path__)]
    measuring = [name for name in modules if hasattr(importlib.import_module(f"{room.__name__}.{name}"), "run")]
    assert sorted(room.SUBJECTS) == measuring


@pytest.mark.slow
def test_the_dataset_is_measured_on_a_given_folder(synthetic_dir):
    from iemomecp_dataset.benchmark.speed.dataset import run

    rows = run(synthetic_dir)
    assert [row.alternative_name for row in rows][:2] == ["the limit", "parsing the three label files with json"]
    assert len(rows) == 5
    assert all(row.ours_seconds > 0 and row.alternative_seconds > 0 for row in rows)


@pytest.mark.slow
def test_extraction_is_measured_against_a_loop_with_equal_vectors(monkeypatch):
    from iemomecp_dataset.benchmark.speed import features

    monkeypatch.setattr(features, "_UTTERANCES", 120)  # a tenth: equal vectors are asked for, not the ratio
    (row,) = features.run(hidden_size=16, repeats=1)
    assert row.name == "audio store, 120 synthetic wavs"
    assert "largest difference" in row.alternative_name
    assert row.ours_seconds > 0
