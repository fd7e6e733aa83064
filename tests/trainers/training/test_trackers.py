"""Trackers: which are refused, and the names that the numbers of an epoch have in them."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from explained_dialogues import EMOTIONS as EXPLAINED_EMOTIONS
from explained_dialogues import explained_dialogues, write_language_model
from two_dialogues import EMOTIONS, two_dialogues, write_vectors

import iemomecp_dataset
from iemomecp_dataset.command_process import run_command
from iemomecp_dataset.commands import matrix
from iemomecp_dataset.errors import MissingDependencyError
from iemomecp_dataset.trainers import train
from iemomecp_dataset.trainers.cli import train_from_command_line
from iemomecp_dataset.trainers.options import TrainingOptions
from iemomecp_dataset.trainers.training import trackers
from iemomecp_dataset.trainers.training.distributed import start_accelerator

SMALL = {"epochs": 2, "hidden_size": 16, "num_heads": 2, "pair_size": 8, "bilinear_size": 4, "quiet": True}


@pytest.fixture(autouse=True)
def _fresh_accelerator() -> Iterator[None]:
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


def documented(repository: Path) -> dict[str, str]:
    """From the page on trackers, by name what runs have it."""
    page = (repository / "docs" / "trackers.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w/]+)` \|[^|\n]*\| ([^|\n]*) \|$", page.partition("## Names")[2], re.M)
    assert len(rows) > 10
    return dict(rows)


def pairs(data: Path, encoder: Path, folder: Path, **options: Any) -> Any:
    rows = iemomecp_dataset.load("3class", data_dir=str(data))
    return train(rows, output_dir=folder, text_encoder=str(encoder), **{**SMALL, **options})


@pytest.mark.parametrize("task", ["pairs", "emotions", "explanations"])
def test_every_name_is_on_the_page(
    task: str, repository: Path, small_dir: Path, tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[tuple[int, dict[str, float]]] = []
    monkeypatch.setattr(Accelerator, "log", lambda self, values, step: logged.append((step, dict(values))))
    quick = {"epochs": 2, "quiet": True}
    if task == "pairs":
        weights = {"context_ranking_weight": 0.1, "emotion_category_weight": 0.1}
        pairs(small_dir, tiny_encoder, tmp_path / "run", objective="rpcl", **weights)
    elif task == "emotions":
        write_vectors(tmp_path / "data")
        given = {"emotion_names": EMOTIONS, "data_dir": str(tmp_path / "data"), "modalities": "a", "hidden_size": 4}
        train(two_dialogues(), task="erc", output_dir=tmp_path / "run", train_folds=2, **given, **quick)
    else:
        given = {"emotion_names": EXPLAINED_EMOTIONS, "tuning": "full", "max_new_tokens": 4}
        model = write_language_model(tmp_path / "model")
        rows = explained_dialogues()
        train(rows, task="explanation", output_dir=tmp_path / "run", language_model=str(model), **given, **quick)
    on_page = {name for name, runs in documented(repository).items() if task in runs or runs == "every trainer"}
    assert set(logged[0][1]) == on_page
    steps = [step for step, _ in logged]
    # The folds of train have epochs of their own, with an accelerator of their own, which has no tracker.
    assert steps == [1, 2] * (3 if task == "emotions" else 1)


def test_numbers_are_those_of_the_log(small_dir: Path, tiny_encoder: Path, tmp_path: Path, repository: Path) -> None:
    event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    pairs(small_dir, tiny_encoder, tmp_path / "run", log_with="tensorboard")
    (file,) = (tmp_path / "run" / trackers.PROJECT).glob("events.out.tfevents.*")
    found = event_accumulator.EventAccumulator(str(file)).Reload()
    names = set(found.Tags()["scalars"])
    assert names < set(documented(repository))
    epochs = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    epochs = [line for line in epochs if line["event"] == "epoch"]
    expected = {
        "train/loss": [line["train_loss"] for line in epochs],
        **{
            f"train/{term}": [line["losses"][term] for line in epochs]
            for term in ("supervised", "emotion_category", "r_drop")
        },
        "learning_rate": [line["learning_rate"] for line in epochs],
        **{
            f"validation/{name}": [line["validation"][name] for line in epochs]
            for name in ("pair_f1", "pair_auprc", "macro_f1", "loss")
        },
    }
    assert names == set(expected)
    for name, values in expected.items():
        assert [event.step for event in found.Scalars(name)] == [1, 2]
        assert [event.value for event in found.Scalars(name)] == pytest.approx(values)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("wandb", r'pip install .*\[wandb\]"'),
        ("tensorboard", r'pip install .*\[tensorboard\]"'),
        ("trackio", r'pip install .*\[trackio\]"'),
        ("mlflow", "pip install mlflow$"),
        ("comet_ml", "pip install comet-ml$"),
    ],
)
def test_a_tracker_that_is_not_installed_is_refused_with_its_pip_line(
    name: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trackers, "get_available_trackers", list)
    with pytest.raises(MissingDependencyError, match=line):
        start_accelerator(TrainingOptions.from_flat({"log_with": name}))


def test_it_is_refused_before_anything_is_read_or_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(trackers, "get_available_trackers", list)
    given = ["--data_dir", str(tmp_path / "none"), "--output_dir", str(tmp_path / "run"), "--log_with", "clearml"]
    monkeypatch.setattr(sys, "argv", ["fusion.py", *given])
    with pytest.raises(SystemExit) as end:
        run_command(lambda: train_from_command_line("Trains."))
    assert end.value.code == 2
    assert "pip install clearml" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_every_extra_is_one_of_the_package(repository: Path) -> None:
    import tomllib

    extras = tomllib.loads((repository / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for name in trackers.EXTRAS:
        (requirement,) = extras[name]
        assert requirement.startswith(f"{name}>=")


def test_a_matrix_refuses_a_tracker_that_is_not_installed_before_it_reads_data(tmp_path, monkeypatch):
    monkeypatch.setattr(trackers, "get_available_trackers", list)
    given = ["--data_dir", str(tmp_path / "none"), "--runs_dir", str(tmp_path / "runs"), "--log_with", "wandb"]
    with pytest.raises(MissingDependencyError, match="wandb"):
        matrix.main(given)
    assert list(tmp_path.iterdir()) == []
