"""A run that ends anywhere and is started again: the same bits as one that never ended."""

from __future__ import annotations

import json
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import forked_python
import numpy as np
import pytest
import torch
import yaml
from accelerate import Accelerator
from safetensors.torch import load_file, save_file
from torch import nn

from iemomecp_dataset.errors import RunFolderError, UnsafeFileError, UsageError
from iemomecp_dataset.trainers.run_folder import RunFolder
from iemomecp_dataset.trainers.run_inputs import RunInputs
from iemomecp_dataset.trainers.training import checkpoints
from iemomecp_dataset.trainers.training.checkpoints import Checkpoints, Progress
from iemomecp_dataset.trainers.training.ema import averaged_model
from iemomecp_dataset.trainers.training.progress import file_digests, read_progress, write_progress

STEP = "torch.optim:AdamW.step"
STEPS = {"ecerc": "torch.optim:Adam.step"}
SMALL = {
    "hidden_size": 16, "num_heads": 2, "num_layers": 1, "pair_size": 8, "bilinear_size": 4, "epochs": 3,
    "batch_size": 2, "max_tokens": 24, "dropout": 0.3, "learning_rate": 1e-3,
}  # fmt: skip
RUNS = {
    # 16 dialogues: 8 steps an epoch.
    "dialogue": {"objective": "rpcl", "modalities": "tav"},
    # 3 steps an epoch: of three, three and two mini-batches.
    "accumulated": {"objective": "rpcl", "modalities": "ta", "gradient_accumulation_steps": 3},
    # 2090 pairs: 7 steps an epoch.
    "isolated": {"scorer": "isolated", "modalities": "av", "batch_size": 320},
    # 16 steps of very different numbers of pairs.
    # Whole dialogues, and then two folds of train.
    "ecerc": {"trainer": "ecerc", "modalities": "ta", "train_folds": 2, "dropout_evidence": 0.2},
    "isolated by length": {"scorer": "isolated", "modalities": "t", "batch_tokens": 3_200, "epochs": 1},
}
SameOutcome = Callable[[Path, Path], None]


class Run:
    """A run in sessions, each a process of its own."""

    def __init__(self, path: Path, options: dict[str, object]):
        self.path = path
        self.trainer = str(options.get("trainer", "fusion"))
        options = {name: value for name, value in options.items() if name != "trainer"}
        self.arguments = [f"--{name}={value}" for name, value in options.items()] + [f"--output_dir={path}", "--quiet"]

    def start(
        self,
        *more: str,
        moment: str | None = None,
        calls: int = 0,
        signals: tuple[int, ...] = (signal.SIGKILL,),
        env: dict[str, str] | None = None,
    ) -> forked_python.ForkedProcess:
        """Starts a session, which ends by signals to itself after some calls of a function."""
        session = {
            "arguments": [*self.arguments, *more],
            "trainer": self.trainer,
            "moment": moment,
            "calls": calls,
            "signals": signals,
        }
        script = Path(__file__).with_name("ending_run.py")
        return forked_python.start(script, json.dumps(session), env=env, output=f"{self.path}.txt")

    def session(self, *more: str, **ending: object) -> int:
        """A session's exit code."""
        return self.start(*more, **ending).wait()

    @property
    def said(self) -> str:
        """What all sessions have printed."""
        return Path(f"{self.path}.txt").read_text(encoding="utf-8")

    @property
    def steps(self) -> int:
        """Optimiser steps of the finished run."""
        last = json.loads((self.path / "log.jsonl").read_text(encoding="utf-8").splitlines()[-1])
        batches, options = last["step"] // last["epoch"], yaml.safe_load((self.path / "config.yaml").read_text())
        return int(last["epoch"]) * math.ceil(batches / options["gradient_accumulation_steps"])

    @property
    def checkpoint(self) -> str:
        """Name of the newest checkpoint."""
        newest = RunFolder(self.path).latest_checkpoint()
        return newest.name if newest else ""


@pytest.fixture(scope="module")
def options(small_dir: Path, tiny_encoder: Path) -> Callable[[str], dict[str, object]]:
    """All options of a kind of run."""
    of_pairs = ("pair_size", "bilinear_size")
    return lambda kind: {
        "data_dir": small_dir,
        "text_encoder": tiny_encoder,
        "config_name": "3class",
        **{name: value for name, value in SMALL.items() if kind != "ecerc" or name not in of_pairs},
        **RUNS[kind],
    }


@pytest.fixture(scope="module")
def uninterrupted(
    options: Callable[[str], dict[str, object]], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Run]:
    """A finished run of a kind, that never ended in between."""
    done: dict[str, Run] = {}

    def run(kind: str) -> Run:
        if kind not in done:
            done[kind] = Run(tmp_path_factory.mktemp("whole") / "run", options(kind))
            assert done[kind].session() == 0, done[kind].said
        return done[kind]

    return run


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "checkpoint_steps"),
    [
        ("dialogue", 0),
        ("dialogue", 1),
        ("dialogue", 2),
        ("dialogue", 3),
        ("accumulated", 1),
        ("isolated", 2),
        ("isolated by length", 3),
        ("ecerc", 2),
    ],
)
def test_a_run_killed_at_three_random_steps_ends_with_the_same_bits(
    kind: str,
    checkpoint_steps: int,
    options: Callable[[str], dict[str, object]],
    uninterrupted: Callable[[str], Run],
    tmp_path: Path,
    same_outcome: SameOutcome,
) -> None:
    whole = uninterrupted(kind)
    # Each session takes some steps, together fewer than the run has, and dies within the last of them.
    chance = random.Random(f"{kind} {checkpoint_steps}")
    ends = sorted(chance.sample(range(1, 2 * whole.steps if kind == "ecerc" else whole.steps), 3))
    taken = [ends[0], ends[1] - ends[0], ends[2] - ends[1]]
    run = Run(tmp_path / "run", {**options(kind), "checkpoint_steps": checkpoint_steps})
    for calls in taken:
        assert run.session(moment=STEPS.get(kind, STEP), calls=calls) == -signal.SIGKILL, (taken, run.said)
        assert not (run.path / "results.json").exists()
    assert run.session() == 0, (taken, run.said)
    if checkpoint_steps and max(taken) > checkpoint_steps:
        assert "Continuing" in run.said, taken
    same_outcome(whole.path, run.path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("moment", "calls"),
    [
        # Written, but not yet under its name; named, while the one before is still there.
        ("accelerate:Accelerator.save_state", 3),
        ("pathlib:Path.replace", 5),
        # In the first of the validation split's batches after epoch 2.
        ("iemomecp_dataset.trainers.dialogue.task:DialogueStrategy.probabilities_with_emotions", 2),
    ],
    ids=["saving", "renaming", "scoring"],
)
def test_a_run_killed_between_steps_ends_with_the_same_bits(
    moment: str,
    calls: int,
    options: Callable[[str], dict[str, object]],
    uninterrupted: Callable[[str], Run],
    tmp_path: Path,
    same_outcome: SameOutcome,
) -> None:
    run = Run(tmp_path / "run", {**options("dialogue"), "checkpoint_steps": 3})
    assert run.session(moment=moment, calls=calls) == -signal.SIGKILL, run.said
    assert run.checkpoint.startswith("epoch-000"), "there is one to continue from"
    assert run.session() == 0, run.said
    assert "Continuing" in run.said
    same_outcome(uninterrupted("dialogue").path, run.path)


@pytest.mark.slow
def test_signals_end_a_run_at_a_step_and_it_continues_to_the_same_bits(
    options: Callable[[str], dict[str, object]],
    uninterrupted: Callable[[str], Run],
    tmp_path: Path,
    same_outcome: SameOutcome,
) -> None:
    run = Run(tmp_path / "run", options("dialogue"))
    assert run.session(moment=STEP, calls=3, signals=(signal.SIGTERM,)) == 128 + signal.SIGTERM, run.said
    assert run.checkpoint == "epoch-0000-batch-00000003", "the step was finished, whatever --checkpoint_steps"
    assert "Stopped in epoch 1 of at most 3, after 3 of its 8 mini-batches on SIGTERM. Start the same" in run.said

    # A launcher passes a Ctrl-C on to those who have it already.
    assert run.session(moment=STEP, calls=7, signals=(signal.SIGINT, signal.SIGINT)) == 130, run.said
    assert run.checkpoint == "epoch-0001-batch-00000002"
    assert "Continuing" in run.said
    assert run.said.count("Ctrl-C again") == 1

    # While the selection split is scored: every step of the epoch is kept.
    scoring = "iemomecp_dataset.trainers.dialogue.task:DialogueStrategy.probabilities_with_emotions"
    for _ in range(2):
        assert run.session(moment=scoring, calls=1, signals=(signal.SIGTERM,)) == 143, run.said
        assert run.checkpoint == "epoch-0001-batch-00000008"
    assert len((run.path / "log.jsonl").read_text().splitlines()) == 1

    # A checkpoint of a model that this version does not make: said, and left alone.
    other = Run(tmp_path / "other", options("dialogue"))
    shutil.copytree(run.path, other.path)
    weights = other.path / "checkpoint" / other.checkpoint / "model.safetensors"
    tensors = load_file(weights)
    tensors.popitem()
    save_file(tensors, weights)
    write_progress(weights.parent, replace(read_progress(weights.parent), files=file_digests(weights.parent)))
    assert other.session() == 2
    assert "does not fit the model of this version of the package" in other.said
    assert "Traceback" not in other.said
    assert other.checkpoint == run.checkpoint

    # --max_hours: a step at least, and none that another session would repeat.
    for done in range(1, 8):
        assert run.session("--max_hours=1e-9") == 0, run.said
        assert run.checkpoint == (f"epoch-0002-batch-{done - 1:08d}" if done > 1 else "epoch-0002"), run.said
    assert "on --max_hours." in run.said

    # The last scoring is not cut by time, but by a signal; then it is all that is left.
    assert run.session(moment=scoring, calls=2, signals=(signal.SIGTERM,)) == 143, run.said
    assert run.checkpoint == "epoch-0003"
    assert run.session("--max_hours=1e-9") == 0, run.said
    same_outcome(uninterrupted("dialogue").path, run.path)
    assert "Traceback" not in run.said


@pytest.mark.slow
def test_two_processes_continue_within_an_epoch_to_the_same_bits(
    options: Callable[[str], dict[str, object]], tmp_path: Path, same_outcome: SameOutcome
) -> None:
    def session(run: Run, **ending: object) -> list[int]:
        first, second = forked_python.rank_environments(2)
        # The signal reaches the second process alone.
        processes = [run.start(env=first), run.start(env=second, **ending)]
        return [process.wait() for process in processes]

    settings = {**options("accumulated"), "batch_size": 1}  # three steps an epoch
    whole, parts = Run(tmp_path / "whole", settings), Run(tmp_path / "parts", settings)
    assert session(whole) == [0, 0], whole.said
    assert session(parts, moment=STEP, calls=5, signals=(signal.SIGTERM,)) == [143, 143], parts.said
    assert parts.checkpoint == "epoch-0001-batch-00000006", "both finished the step"
    record = json.loads((parts.path / "checkpoint" / parts.checkpoint / "progress.json").read_text())
    assert len(record["losses"]) == 2
    assert record["losses"][0] != record["losses"][1]

    alone = Run(parts.path, settings)
    assert alone.session() == 2
    assert "the effective batch size (from 6 to 3; --batch_size is per process) has changed" in alone.said

    assert session(parts) == [0, 0], parts.said
    same_outcome(whole.path, parts.path)


@pytest.mark.slow
def test_a_launched_run_ends_with_a_checkpoint_on_ctrl_c(
    options: Callable[[str], dict[str, object]], tmp_path: Path
) -> None:
    """As a terminal sends it: to the launcher and to the processes, to which the launcher sends it again."""
    run = Run(tmp_path / "run", {**options("dialogue"), "epochs": 60, "patience": 60})
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    with open(f"{run.path}.txt", "wb") as output:
        launched = subprocess.Popen(
            [*launcher, "-m", "iemomecp_dataset.trainers.fusion", *run.arguments], stdout=output, stderr=output,
            start_new_session=True, env={**os.environ, "ACCELERATE_USE_CPU": "true"},
        )  # fmt: skip
        log = run.path / "log.jsonl"  # empty until an epoch has ended
        while launched.poll() is None and not (log.is_file() and log.stat().st_size):
            time.sleep(0.02)
        os.killpg(launched.pid, signal.SIGINT)
        launched.wait(300)
    assert run.said.count("interrupted") == 2, run.said
    assert "on SIGINT. Start the same command again to continue." in run.said
    assert run.checkpoint
    assert not (run.path / "results.json").exists()


class Session(SimpleNamespace):
    """What a process holds of a run: weights, averages, optimiser, random states, and its checkpoints."""

    @classmethod
    def begin(cls, folder: RunFolder, seed: int = 0) -> Session:
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002 - the state that checkpoints hold
        accelerator = Accelerator(cpu=True)
        model = nn.Linear(3, 2)
        model, optimizer = accelerator.prepare(model, torch.optim.AdamW(model.parameters(), lr=0.1))
        averaged = averaged_model(model, 0.9)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer.optimizer, lambda step: 1 / (1 + step))
        accelerator.register_for_checkpointing(averaged, schedule)
        checkpoints = Checkpoints(accelerator, folder, averaged.module)
        return cls(model=model, optimizer=optimizer, averaged=averaged, schedule=schedule, checkpoints=checkpoints)

    def epoch(self, number: int) -> None:
        """Takes a step, and saves it as an epoch that is the best so far."""
        (self.model(torch.rand(4, 3)).square().sum() * random.random() * float(np.random.random())).backward()  # noqa: NPY002
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.schedule.step()
        self.averaged.update_parameters(self.model)
        self.checkpoints.save(Progress(epoch=number, best_epoch=number, best_score=0.1 * number), improved=True)

    def weights(self) -> list[list[float]]:
        return [p.flatten().tolist() for module in (self.model, self.averaged) for p in module.parameters()]


@pytest.fixture(scope="module")
def three_epochs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[list[float]]]:
    """A run that has ended after two epochs; and the weights that a third leads to."""
    folder = RunFolder(tmp_path_factory.mktemp("run") / "run")
    session = Session.begin(folder)
    session.epoch(1)
    session.epoch(2)
    kept = folder.path.with_name("kept")
    shutil.copytree(folder.path, kept)
    session.epoch(3)
    return kept, session.weights()


def continued(folder: RunFolder) -> tuple[int, list[list[float]]]:
    """Restores a run in another process' state; the epoch it continues from, and the weights after the third."""
    session = Session.begin(folder, seed=99)
    restored = session.checkpoints.restore().epoch
    for number in range(restored + 1, 4):
        session.epoch(number)
    return restored, session.weights()


def flip(path: Path, where: float = 0.6) -> None:
    content = bytearray(path.read_bytes())
    content[int(where * (len(content) - 1))] ^= 16
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


FILES = ["model.safetensors", "optimizer.bin", "custom_checkpoint_0.pkl", "custom_checkpoint_1.pkl",
         "random_states_0.pkl", "progress.json"]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "damage"),
    [(name, flip) for name in [*FILES, "best"]]
    + [("optimizer.bin", empty), ("random_states_0.pkl", Path.unlink), ("best", Path.unlink)],
)
def test_a_damaged_checkpoint_is_named_and_the_one_before_leads_to_the_same_bits(
    name: str,
    damage: Callable[[Path], object],
    three_epochs: tuple[Path, list[list[float]]],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    kept, expected = three_epochs
    folder = RunFolder(tmp_path / "run")
    shutil.copytree(kept, folder.path)
    assert [path.name for path in folder.all_checkpoints()] == ["epoch-0001", "epoch-0002"]
    newest = folder.checkpoints / ("best-0002.safetensors" if name == "best" else f"epoch-0002/{name}")
    damage(newest)
    with caplog.at_level("WARNING"):
        assert continued(folder) == (1, expected)
    assert f"warning: {newest}" in caplog.text
    assert "The run continues from the checkpoint before" in caplog.text
    assert continued(folder) == (3, expected), "the damaged one was replaced"

    both = RunFolder(tmp_path / "both")
    shutil.copytree(kept, both.path)
    for epoch in (1, 2):
        of_epoch = f"best-000{epoch}.safetensors" if name == "best" else f"epoch-000{epoch}/{name}"
        damage(both.checkpoints / of_epoch)
    with pytest.raises(RunFolderError, match=r"the checkpoint before cannot be used either.*begins the run anew\.$"):
        continued(both)


def test_a_whole_checkpoint_is_continued_from_and_one_before_it_is_kept(
    three_epochs: tuple[Path, list[list[float]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, expected = three_epochs
    folder = RunFolder(tmp_path / "run")
    shutil.copytree(kept, folder.path)
    assert continued(folder) == (2, expected)
    left = ["best-0002.safetensors", "best-0003.safetensors", "epoch-0002", "epoch-0003"]
    assert sorted(path.name for path in folder.checkpoints.iterdir()) == left
    monkeypatch.setattr(checkpoints, "KEPT_BESIDE", 10)
    session = Session.begin(folder)
    session.checkpoints.restore()
    session.epoch(4)
    assert sorted(path.name for path in folder.checkpoints.iterdir()) == ["best-0004.safetensors", "epoch-0004"]


class _Hostile:
    """Makes a file when it is read as a pickle."""

    def __init__(self, made: Path):
        self.made = made

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.made,)


@pytest.mark.parametrize("digests", ["renewed", "none"])
@pytest.mark.parametrize("name", [*FILES[1:5], "pytorch_model.bin"])
def test_nothing_in_another_persons_checkpoint_is_executed(
    name: str,
    digests: str,
    three_epochs: tuple[Path, list[list[float]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder, made = RunFolder(tmp_path / "run"), tmp_path / "executed"
    shutil.copytree(three_epochs[0], folder.path)
    newest = folder.checkpoint(2, 0)
    torch.save({"state": _Hostile(made)}, newest / name)
    torch.load(newest / name, weights_only=False)
    assert made.exists(), "it is hostile"
    made.unlink()
    if name == "pytorch_model.bin":
        (newest / "model.safetensors").unlink()
    if digests == "renewed":
        write_progress(newest, replace(read_progress(newest), files=file_digests(newest)))
    else:
        record = json.loads((newest / "progress.json").read_text())
        for of_this_version in ("version", "digest", "files", "best"):
            del record[of_this_version]
        (newest / "progress.json").write_text(json.dumps(record))
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    with pytest.raises(UnsafeFileError, match="could run code when it is read") as refused:
        continued(folder)
    assert str(newest) in str(refused.value)
    assert not made.exists()
    assert os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] == "1", "the user's setting is back"
    assert "TORCH_FORCE_WEIGHTS_ONLY_LOAD" not in os.environ


def test_a_checkpoint_of_an_earlier_version_is_continued_from_and_that_is_said(
    three_epochs: tuple[Path, list[list[float]]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = RunFolder(tmp_path / "run")
    shutil.copytree(three_epochs[0], folder.path)
    path = folder.checkpoint(2, 0) / "progress.json"
    record = json.loads(path.read_text())
    for of_this_version in ("version", "digest", "files", "best"):
        del record[of_this_version]
    path.write_text(json.dumps(record))
    with caplog.at_level("WARNING"):
        assert continued(folder) == (2, three_epochs[1])
    assert "written by an earlier version, without digests" in caplog.text

    again = RunFolder(tmp_path / "again")
    shutil.copytree(three_epochs[0], again.path)
    shutil.copy(path, again.checkpoint(2, 0) / "progress.json")
    (again.checkpoint(2, 0) / "random_states_0.pkl").unlink()
    with pytest.raises(RunFolderError, match=r"random_states_0\.pkl: the random states cannot be restored"):
        continued(again)


def test_the_weights_of_the_best_epoch_are_compared_when_they_are_loaded(tmp_path: Path) -> None:
    session = Session.begin(RunFolder(tmp_path / "run"))
    session.epoch(1)
    progress = Progress(epoch=1, best_epoch=1)
    session.checkpoints.load_best(session.model, progress)
    flip(tmp_path / "run" / "checkpoint" / "best-0001.safetensors")
    with pytest.raises(RunFolderError, match=r"best-0001\.safetensors is damaged.*another --output_dir"):
        session.checkpoints.load_best(session.model, progress)


@pytest.mark.parametrize(
    "error",
    [OSError(28, "No space left on device"), RuntimeError("PytorchStreamWriter failed writing file data/3")],
    ids=["safetensors", "torch"],
)
def test_a_full_disk_is_said_and_the_checkpoint_before_stands(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = RunFolder(tmp_path / "run")
    session = Session.begin(folder)
    session.epoch(1)

    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Accelerator, "save_state", fails)
    with pytest.raises(UsageError, match=r"partial: cannot be written \((No space left on device|Pytorch.*)\)"):
        session.epoch(2)
    assert [path.name for path in folder.all_checkpoints()] == ["epoch-0001"]
    assert not (folder.checkpoints / "partial").exists()
    assert Session.begin(folder).checkpoints.restore().epoch == 1


def test_checkpoints_are_a_circumstance(tmp_path: Path, options: Callable[[str], dict[str, object]]) -> None:
    from iemomecp_dataset.trainers.options import TrainingOptions

    folder = RunFolder(tmp_path / "run")
    began = TrainingOptions.from_flat({"output_dir": str(tmp_path / "run")})
    assert folder.claim(began, RunInputs({}))
    assert not folder.claim(
        TrainingOptions.from_flat({**began.flat(), "checkpoint_steps": 5, "max_hours": 1.0}), RunInputs({})
    )
    assert yaml.safe_load((folder.path / "config.yaml").read_text())["checkpoint_steps"] == 0
    assert [path.name for path in folder.checkpoints.iterdir()] == ["inputs.json"]
