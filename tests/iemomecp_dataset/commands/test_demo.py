"""The demo's steps in order, what it skips when it is started again, and what it recommends next."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

import iemomecp_dataset.synthetic
from iemomecp_dataset import command_line
from iemomecp_dataset.benchmark.runs.results import read_results
from iemomecp_dataset.commands import demo, extract, report, synthetic, train
from iemomecp_dataset.errors import MissingDependencyError, TrainingError
from iemomecp_dataset.features.encoders import tiny_models
from iemomecp_dataset.pictures.words import SYNTHETIC
from iemomecp_dataset.synthetic import write_ecem


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
    conversation = (tmp_path / "conversation.txt").read_text(encoding="utf-8").splitlines()
    assert 6 <= len(conversation) <= 12
    assert all(re.fullmatch(r"\S[^:]*: .+", line) for line in conversation)
    assert f"predict {tmp_path / 'conversation.txt'} --model {tmp_path / 'runs' / 'rpcl-t'}\n" in output
    assert f"app --model {tmp_path / 'runs' / 'rpcl-t'}\n" in output
    assert output.rstrip().splitlines()[-1].endswith("is a SYNTHETIC dialogue. " + SYNTHETIC)
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


@pytest.fixture(name="explaining")
def fixture_explaining(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The same for explanations."""
    steps: list[str] = []

    def trained(arguments: list[str]) -> int:
        values = dict(part.lstrip("-").split("=", 1) for part in arguments if "=" in part)
        steps.append(f"explain {'frames' if 'frames' in values else 'text'}")
        return 0

    def written(what: str, folder: Path) -> None:
        steps.append(what)
        folder.mkdir()
        (folder / "config.json").touch()

    def corpus(folder: Path, *, dialogues: Any, media: bool) -> Path:
        steps.append("corpus with clips" if media else "corpus")
        return write_ecem(folder, dialogues={"train": 12, "validation": 1, "test": 4})

    monkeypatch.setattr(iemomecp_dataset.synthetic, "write_ecem", corpus)
    monkeypatch.setattr(synthetic, "write_language_model", lambda data, folder, **sizes: written("model", folder))
    monkeypatch.setattr(tiny_models, "write_tiny_image_encoder", lambda folder: written("tower", folder))
    monkeypatch.setattr(extract, "main", lambda arguments: steps.append("frames"))
    monkeypatch.setattr(train, "main", trained)
    monkeypatch.setattr(report, "main", lambda arguments: steps.append("report"))
    monkeypatch.setattr(demo, "_show_written", lambda run, rows: steps.append(f"explanations of {run.name}"))
    for name in ("OMP_NUM_THREADS", "HF_HUB_OFFLINE", "TOKENIZERS_PARALLELISM"):
        monkeypatch.setenv(name, os.environ.get(name, "1"))
    return steps


def test_explanations_have_a_demo_of_their_own(
    explaining: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = ["frames", "explain text", "explain frames", "report", "explanations of text"]
    (tmp_path / "data.unfinished").mkdir()  # of a start that was killed
    demo.main(["--task", "explanation", "--output-dir", str(tmp_path)])
    assert explaining == ["corpus with clips", "model", "tower", *runs]
    output = capsys.readouterr().out
    assert "a SYNTHETIC corpus in the layouts of ECEM" in output
    assert "  explanation: The reason why " in output
    assert not (tmp_path / "data.unfinished").exists()
    explaining.clear()
    demo.main(["--task=explanation", "--output_dir", str(tmp_path)])
    assert explaining == runs


@pytest.mark.slow
def test_the_demo_of_explanations_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "EXPLANATION_DIALOGUES", {"train": 24, "validation": 1, "test": 4})
    monkeypatch.setitem(demo.EXPLANATION_SETTINGS, "epochs", "1")
    for name in ("OMP_NUM_THREADS", "HF_HUB_OFFLINE", "TOKENIZERS_PARALLELISM"):
        monkeypatch.setenv(name, os.environ.get(name, "1"))
    # Without METEOR, which starts Java for each run.
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    demo.main(["--task", "explanation", "--output-dir", str(tmp_path / "out")])
    records = [read_results(tmp_path / "out" / "runs" / name) for name in ("text", "video")]
    assert [record.modalities for record in records] == ["t", "tv"]
    assert all(record.synthetic and record.counts["test"].get("items_without_video", 0) == 0 for record in records)
    assert "SYNTHETIC" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "  test_dia0, turn " in capsys.readouterr().out


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
    steps: Any = demo._next_steps(Path("o/data"), Path("o/encoder"), Path("o/runs"), Path("o/talk.txt"))
    assert any("source .venv/bin/activate" in step for step in steps) == (checkout and not active)
    fetch = "python scripts/fetch_labels.py" if checkout else "iemomecp fetch"
    assert f"  {fetch} --label-dir local_data/labels" in steps
    assert any("--compare o/runs/base-tav/predictions_test.parquet" in step for step in steps)


def test_next_steps_can_be_typed_whatever_the_folder_is_called() -> None:
    folder = Path("my own")
    steps: Any = demo._next_steps(folder / "data", folder / "encoder", folder / "runs", folder / "talk.txt")
    for step in [*steps[:-1], *demo._next_explanation_steps(folder / "data", folder / "model", folder / "runs")]:
        words = shlex.split(step.partition("  (first")[0])
        assert not {"my", "own"} & set(words), step
    assert any("--model 'my own/runs/rpcl-t'" in step for step in steps)


def test_what_is_not_installed_is_said_before_anything_is_written(
    steps: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "accelerate" else find(name))
    with pytest.raises(MissingDependencyError, match=r"needs the package 'accelerate'.*\[train\]"):
        demo.main(["--output-dir", str(tmp_path / "demo")])
    assert steps == []
    assert not (tmp_path / "demo").exists()
