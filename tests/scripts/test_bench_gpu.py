"""The measurement of a GPU: its smoke mode on the CPU, its record, and what it says where it cannot run."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "bench_gpu.py"
SECTIONS = ["correctness", "training", "precision", "share", "extraction", "predict", "compile"]


def bench(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), "--output", "record.json", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600, check=False)


def check_record(record: dict[str, Any]) -> None:
    """The layout of the record, which other programs read."""
    kinds = {
        "format": int, "synthetic": bool, "smoke": bool, "sections": list, "minutes": float, "seconds": float,
        "device": dict, "versions": dict, "measurements": list, "parts": list, "not_run": list,
    }  # fmt: skip
    assert {name: type(record[name]) for name in kinds} == kinds
    assert {"encoder", "commit"} == record.keys() - kinds.keys()
    assert record["synthetic"] is True
    assert {"type", "name"} <= record["device"].keys()
    assert "torch" in record["versions"]
    for entry in record["measurements"]:
        assert {*entry} == {
            "section", "part", "what", "value", "unit", "against", "against_value", "better", "note", "ratio",
        }  # fmt: skip
        assert isinstance(entry["value"], int | float)
        assert (entry["against_value"] is None) == (not entry["against"])
    for entry in record["parts"]:
        assert {*entry} == {"section", "part", "seconds", "rows"}
    for entry in record["not_run"]:
        assert {*entry} == {"section", "part", "reason"}
        assert entry["reason"]


def test_the_page_on_speed_lists_every_section_and_subject(repository: Path) -> None:
    from iemomecp_dataset.benchmark.speed import SUBJECTS
    from iemomecp_dataset.benchmark.speed.gpu import sections

    page = (repository / "docs" / "speed.md").read_text(encoding="utf-8")
    assert list(sections.SECTIONS) == SECTIONS
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.M)) == {*SUBJECTS, *SECTIONS}


def test_without_a_gpu_one_sentence_says_so(tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    done = bench(tmp_path)
    assert done.returncode == 2
    assert "No GPU is at hand" in done.stderr
    assert "--smoke" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "record.json").exists()


def test_an_unknown_section_is_one_clear_error(tmp_path: Path) -> None:
    done = bench(tmp_path, "--smoke", "--only", "trainig")
    assert done.returncode == 2
    assert "Did you mean 'training'?" in done.stderr


def test_no_section_says_what_to_give(tmp_path: Path) -> None:
    done = bench(tmp_path, "--smoke", "--only", "")
    assert done.returncode == 2
    assert "Give some of correctness, training" in done.stderr


@pytest.mark.slow
def test_parts_beyond_the_time_limit_are_named_in_table_and_record(tmp_path: Path) -> None:
    done = bench(tmp_path, "--smoke", "--only", "predict", "--minutes", "0.0001")
    assert done.returncode == 1, done.stderr
    assert "Nothing was measured. Give more --minutes" in done.stdout
    assert "predict: tiny: not run to its end: not started: the 0.0001 minutes were over" in done.stdout
    record = json.loads((tmp_path / "record.json").read_text())
    check_record(record)
    assert [entry["section"] for entry in record["not_run"]] == ["predict"]
    assert record["measurements"] == []


@pytest.mark.slow
def test_the_smoke_mode_runs_every_section(tmp_path: Path) -> None:
    done = bench(tmp_path, "--smoke")
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "record.json").read_text())
    check_record(record)
    assert record["not_run"] == []
    assert record["smoke"] is True
    measured = {entry["section"] for entry in record["measurements"]}
    assert measured == set(SECTIONS) == set(record["sections"])
    rates = [entry for entry in record["measurements"] if entry["unit"].endswith("/s")]
    assert all(entry["value"] > 0 and entry["ratio"] > 0 for entry in rates)
    same = [entry for entry in record["measurements"] if entry["section"] == "correctness"]
    assert [entry["value"] for entry in same] == [0.0] * len(same), "the CPU against itself"
    assert "its numbers mean nothing" in done.stdout


def test_rows_called_fp32_are_refused_with_tf32(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "1")
    done = bench(tmp_path, "--smoke", "--only", "predict")
    assert done.returncode == 2
    assert "Unset TORCH_ALLOW_TF32_CUBLAS_OVERRIDE" in done.stderr
