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
from pathlib import Path

import forked_python
import pytest
import yaml
from safetensors.torch import load_file, save_file

from iemomecp_dataset.trainers.run_folder import RunFolder
from iemomecp_dataset.trainers.run_inputs import RunInputs

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
        while launched.poll() is None and not (run.path / "log.jsonl").is_file():
            time.sleep(0.02)
        os.killpg(launched.pid, signal.SIGINT)
        launched.wait(300)
    assert run.said.count("interrupted") == 2, run.said
    assert "on SIGINT. Start the same command again to continue." in run.said
    assert run.checkpoint
    assert not (run.path / "results.json").exists()


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
