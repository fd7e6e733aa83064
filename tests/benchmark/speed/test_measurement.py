"""Rows of measurements, and the subjects that ``make bench`` runs."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from types import SimpleNamespace

import pytest

import iemomecp_dataset.benchmark.speed as room
from iemomecp_dataset.benchmark.speed import measurement
from iemomecp_dataset.benchmark.speed.measurement import SpeedRow, best_seconds, processor_seconds


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


# A process that takes 0.2 s of processor time, as it counts itself, has another take as much, and waits.
TAKES = """
import subprocess, sys, time
spin = "import time\\nwhile time.process_time() < 0.2: pass"
if sys.argv[1] == "ended":
    subprocess.run([sys.executable, "-S", "-c", spin])
else:
    command = [sys.executable, "-S", "-c", f"{spin}\\nprint()\\ninput()"]
    other = subprocess.Popen(command, stdin=0, stdout=subprocess.PIPE)
    other.stdout.readline()
exec(spin)
print("done", flush=True)
input()
"""


@pytest.mark.parametrize("other", ["ended", "running"])
def test_processor_time_has_that_of_processes_which_it_started(other: str) -> None:
    command = [sys.executable, "-S", "-c", TAKES, other]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "done\n"
        taken = processor_seconds(process.pid)
        process.communicate("\n\n")
    assert taken >= 0.4 - 0.03, "clocks of the system count in ticks of a hundredth"
    with pytest.raises(ProcessLookupError, match=f"no process {process.pid}"):
        processor_seconds(process.pid)


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
