"""The demo's steps in order, what it skips when it is started again, and what it recommends next."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from iemomecp_dataset import command_line
from iemomecp_dataset.commands import demo, report, synthetic, train
from iemomecp_dataset.errors import MissingDependencyError, TrainingError


@pytest.fixture(name="steps")
def fixture_steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Records the steps in place of doing them; loading the corpus is done."""
    steps: list[str] = []

    def write_encoder(data_dir: Path, output_dir: Path) -> None:
        steps.append("encoder")
        output_dir.mkdir()
        (output_dir / "config.json").touch()

    def trained(arguments: list[str]) -> int:
        values = dict(part.lstrip("-").split("=", 1) for part in arguments if "=" in part)
        what = values["objective"] if "fusion" in arguments else "ecerc"
        steps.append(f"{what} {values['modalities']}")
        return 1 if "fails" in values["output_dir"] else 0

    monkeypatch.setattr(synthetic, "write_encoder", write_encoder)
    monkeypatch.setattr(train, "main", trained)
    monkeypatch.setattr(report, "main", lambda arguments: steps.append("report"))
    for name in ("OMP_NUM_THREADS", "HF_HUB_OFFLINE", "TOKENIZERS_PARALLELISM"):
        monkeypatch.setenv(name, os.environ.get(name, "1"))
    return steps


RUNS = ["base t", "rpcl t", "base tav", "rpcl tav", "ecerc tav"]


def test_steps_and_a_second_start(
    steps: list[str], synthetic_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").symlink_to(synthetic_dir)
    demo.main(["--output-dir", str(tmp_path)])
    assert steps == ["encoder", *RUNS, "report"]
    output = capsys.readouterr().out
    assert "label: emo_cause" in output
    assert str(tmp_path / "report.html") in output
    steps.clear()
    demo.main(["--output_dir", str(tmp_path)])
    assert steps == [*RUNS, "report"]


def test_a_run_that_fails_ends_it(steps: list[str], synthetic_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "fails"
    folder.mkdir()
    (folder / "data").symlink_to(synthetic_dir)
    with pytest.raises(TrainingError, match=r"exit code 1.*Start the demo again to continue it"):
        demo.main(["--output-dir", str(folder)])
    assert steps == ["encoder", "base t"]


@pytest.mark.parametrize(("checkout", "active"), [(True, False), (True, True), (False, False)])
def test_next_steps_exist_in_the_installation(
    checkout: bool, active: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for module in (command_line, demo):
        monkeypatch.setattr(module, "is_checkout", lambda: checkout)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    monkeypatch.setattr(sys, "base_prefix", "/usr")
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / ".venv") if active else "")
    monkeypatch.chdir(tmp_path)
    for script in ("scripts/fetch_labels.py", "scripts/evaluate_predictions.py", "trainers/fusion.py"):
        if checkout:
            (tmp_path / script).parent.mkdir(exist_ok=True)
            (tmp_path / script).touch()
    steps: Any = demo._next_steps(Path("o/data"), Path("o/encoder"), Path("o/runs"))
    assert any("source .venv/bin/activate" in step for step in steps) == (checkout and not active)
    fetch = "python scripts/fetch_labels.py" if checkout else "iemomecp fetch"
    assert f"  {fetch} --label-dir local_data/labels" in steps
    assert any("--compare o/runs/base-tav/predictions_test.parquet" in step for step in steps)


def test_what_is_not_installed_is_said_before_anything_is_written(
    steps: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "accelerate" else find(name))
    with pytest.raises(MissingDependencyError, match=r"needs the package 'accelerate'.*\[train\]"):
        demo.main(["--output-dir", str(tmp_path / "demo")])
    assert steps == []
    assert not (tmp_path / "demo").exists()
