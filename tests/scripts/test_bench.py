from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "bench.py"


def test_an_unknown_subject_is_one_clear_error(tmp_path):
    command = [sys.executable, str(SCRIPT), "--only", "metric"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert "Did you mean 'metrics'?" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture(name="measured")
def _measured(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Calls the script; what it would measure, and with what."""
    from iemomecp_dataset.benchmark.speed.measurement import SpeedRow

    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    spec = importlib.util.spec_from_file_location("bench", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    bench = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "bench", bench)  # dataclasses look their module up
    spec.loader.exec_module(bench)

    def call(*arguments: str) -> dict[str, dict[str, object]]:
        calls: dict[str, dict[str, object]] = {}

        def module(name: str) -> SimpleNamespace:
            def run(**given: object) -> list[SpeedRow]:
                calls[name.rpartition(".")[2]] = given
                return [SpeedRow(f"row of {name}", 2.0, "another", float("nan"))]

            return SimpleNamespace(run=run)

        monkeypatch.setattr(bench, "importlib", SimpleNamespace(import_module=module))
        monkeypatch.setattr(sys, "argv", ["bench.py", *arguments])
        bench.main()
        return calls

    return call


def test_all_subjects_leave_the_peer_out_where_nothing_is_given(measured, capsys):
    from iemomecp_dataset.benchmark.speed import SUBJECTS

    assert list(measured()) == [subject for subject in SUBJECTS if subject != "peer"]
    printed = capsys.readouterr()
    assert printed.err.count("The subject peer is left out") == 1
    assert "another" in printed.out


def test_the_peer_gets_its_folders_and_the_score(measured):
    assert measured("--only", "peer", "--data-dir", "ecf", "--encoder", "minilm") == {
        "peer": {
            "data_dir": "ecf",
            "encoder": "minilm",
            "clone": None,
            "python": None,
            "pair_f1": 49.1,
            "threshold": "half",
        }
    }
    given = ("--data-dir", "ecf", "--encoder", "e", "--hilo-clone", "c", "--hilo-python", "p", "--pair-f1", "40")
    given += ("--our-threshold", "best")
    assert measured("--only", "metrics,peer", *given) == {
        "metrics": {},
        "peer": {"data_dir": "ecf", "encoder": "e", "clone": "c", "python": "p", "pair_f1": 40.0, "threshold": "best"},
    }


def test_a_peer_that_is_asked_for_and_cannot_be_measured_is_an_error(measured):
    with pytest.raises(ValueError, match=r"The subject peer is left out.*give --encoder"):
        measured("--only", "metrics,peer", "--data-dir", "ecf")
