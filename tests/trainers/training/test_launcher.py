"""Ending with the launcher, and with nobody else."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.trainers.training import launcher

# Says what it has noticed once its parent is gone: the signal, if it is to come, was sent at the parent's end.
TRAINER = """
import os, signal, sys, time
from iemomecp_dataset.trainers.training.launcher import end_with_launcher, launcher_has_ended
signals = []
signal.signal(signal.SIGTERM, lambda number, frame: signals.append(number))
end_with_launcher()
parent = os.getppid()
assert not launcher_has_ended()
print("up", flush=True)
while os.getppid() == parent:
    time.sleep(0.01)
time.sleep(0.05)
print(signals, launcher_has_ended(), flush=True)
"""
LAUNCHER = """
import os, subprocess, sys
subprocess.Popen([sys.executable, "-c", sys.argv[1]], env={**os.environ, **dict([sys.argv[2].split("=")])}).wait()
"""


@pytest.mark.parametrize(
    ("launch", "exported", "ends"),
    [
        ([sys.executable, "-c", LAUNCHER, TRAINER, "ACCELERATE_DYNAMO_BACKEND=NO"], {}, True),
        ([sys.executable, "-c", LAUNCHER, TRAINER, "TORCHELASTIC_RUN_ID=none"], {}, True),
        ([sys.executable, "-c", LAUNCHER, TRAINER, "OMP_NUM_THREADS=1"], {}, False),
        # A script that a launcher has started, and that starts a training by itself.
        ([sys.executable, "-c", LAUNCHER, TRAINER, "X=1"], {"ACCELERATE_DYNAMO_BACKEND": "NO"}, False),
        (["sh", "-c", 'ACCELERATE_DYNAMO_BACKEND=NO "$0" -c "$1" & wait', sys.executable, TRAINER], {}, False),
    ],
    ids=["accelerate", "torchrun", "python", "within", "shell"],
)
@pytest.mark.skipif(sys.platform != "linux", reason="parent-death signals are Linux's")
def test_a_trainer_ends_with_the_launcher_that_started_it(
    launch: list[str], exported: dict[str, str], ends: bool, tmp_path: Path
) -> None:
    known = {name: value for name, value in os.environ.items() if not name.startswith(("ACCELERATE", "TORCHELASTIC"))}
    process = subprocess.Popen(launch, env={**known, **exported}, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == "up\n"
        process.kill()
        process.wait()
        assert process.stdout.readline() == (f"[{int(signal.SIGTERM)}] True\n" if ends else "[] False\n")


def test_a_launcher_that_ends_while_it_is_looked_at_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    parents = iter([7, 1, 1])
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(launcher.os, "getppid", lambda: next(parents))
    monkeypatch.setattr(launcher.os, "kill", lambda *given: sent.append(given))
    monkeypatch.setattr(launcher, "_was_launched", lambda parent: parent == 7)
    monkeypatch.setattr(launcher.ctypes, "CDLL", lambda name: (_ for _ in ()).throw(OSError))
    monkeypatch.setattr(launcher.sys, "platform", "linux")
    launcher._launcher_of.cache_clear()
    with contextlib.ExitStack() as stack:
        stack.callback(launcher._launcher_of.cache_clear)
        launcher.end_with_launcher()
        assert sent == [(os.getpid(), signal.SIGTERM)]
        assert launcher.launcher_has_ended()


@pytest.mark.skipif(sys.platform != "linux", reason="the variables of a launcher are read from /proc")
@pytest.mark.parametrize(
    ("exported", "by_launcher", "refused"),
    [
        ({}, {"ACCELERATE_DYNAMO_BACKEND": "NO", "MASTER_ADDR": "127.0.0.1"}, True),
        ({}, {"ACCELERATE_DYNAMO_BACKEND": "NO"}, False),
        ({"MASTER_ADDR": "node-0"}, {"ACCELERATE_DYNAMO_BACKEND": "NO", "MASTER_ADDR": "node-0"}, False),
        ({}, {"ACCELERATE_DYNAMO_BACKEND": "NO", "MASTER_ADDR": "127.0.0.1", "WORLD_SIZE": "2"}, False),
        ({}, {"MASTER_ADDR": "127.0.0.1"}, False),
    ],
    ids=["several asked for", "one", "exported", "started", "another program"],
)
def test_one_process_in_place_of_several_is_refused(
    exported: dict[str, str], by_launcher: dict[str, str], refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ACCELERATE_DYNAMO_BACKEND", "MASTER_ADDR", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in by_launcher.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(launcher, "_variables_of", lambda process: {name.encode() for name in exported})
    if refused:
        with pytest.raises(UsageError, match=r"has started one on this machine: .* use iemomecp train --cpu"):
            launcher.check_processes_started()
    else:
        launcher.check_processes_started()
