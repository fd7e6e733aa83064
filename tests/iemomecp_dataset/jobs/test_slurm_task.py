from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from iemomecp_dataset.jobs.slurm_task import record_file

pytest.importorskip("submitit", reason='submitit is not installed; pip install -e ".[slurm]"')

TASK = textwrap.dedent(
    """
    import pickle, signal, sys
    from pathlib import Path
    from iemomecp_dataset.jobs.job import Job
    from iemomecp_dataset.jobs.slurm_task import SlurmTask

    log = Path(sys.argv[1])
    task = pickle.loads(pickle.dumps(SlurmTask(Job("cell", tuple(sys.argv[2:]), {}, str(log.parent), log), "token")))

    def warned(*_):
        again = task.checkpoint()
        pickle.loads(pickle.dumps(again.function))
        raise SystemExit(99)

    signal.signal(signal.SIGUSR2, warned)
    task()
    """
)

WORK = textwrap.dedent(
    """
    import os, signal, sys, time

    def stopped(*_):
        time.sleep(0.3)
        print("stopped", flush=True)
        os._exit(int(sys.argv[1]))

    signal.signal(signal.SIGTERM, stopped)
    print("begins", flush=True)
    time.sleep(60)
    """
)


@pytest.fixture(name="programs")
def fixture_programs(tmp_path, monkeypatch):
    """Puts programs of SLURM's on the PATH, which say what the test wants and note their calls."""

    def put(state: str, requeues: bool = True) -> Path:
        folder = tmp_path / "bin"
        folder.mkdir()
        for name, does in (("squeue", f"echo {state}"), ("scontrol", f"exit {int(not requeues)}")):
            (folder / name).write_text(f'#!/bin/sh\necho "$0 $@" >> {tmp_path}/calls\n{does}\n')
            (folder / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        monkeypatch.setenv("SLURM_JOB_ID", "7")
        return tmp_path / "calls"

    return put


def begin(log: Path, *command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", TASK, str(log), *command])


def begin_work(log: Path, code: int) -> subprocess.Popen[bytes]:
    (log.parent / "work.py").write_text(WORK)
    process = begin(log, sys.executable, str(log.parent / "work.py"), str(code))
    over = time.monotonic() + 30
    while not (log.exists() and "begins\n" in log.read_text()):
        assert time.monotonic() < over
        assert process.poll() is None
        time.sleep(0.02)
    return process


def record(log: Path) -> dict[str, object]:
    found = json.loads(record_file(log).read_text())
    return {name: found[name] for name in ("exit_code", "received", "token")}


@pytest.mark.parametrize(("command", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", -9)])
def test_the_exit_code_is_that_of_the_command_and_recorded(tmp_path, command, code):
    log = tmp_path / "logs/cell.log"
    log.parent.mkdir()
    record_file(log).write_text("of an earlier start")
    # While it runs there is no record.
    process = begin(log, "sh", "-c", f"test ! -e {record_file(log)} || exit 9; {command}")
    assert process.wait(timeout=30) == (code if code >= 0 else 128 - code)
    assert record(log) == {"exit_code": code, "received": [], "token": "token"}


def test_a_cancelled_job_ends_its_command_which_has_time_for_a_checkpoint(tmp_path, programs):
    programs("COMPLETING")
    log = tmp_path / "cell.log"
    process = begin_work(log, 143)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 143
    assert log.read_text().endswith("begins\nstopped\n")
    assert record(log) == {"exit_code": 143, "received": ["SIGTERM"], "token": "token"}


def test_a_job_that_gets_a_time_of_grace_asks_to_be_queued_again(tmp_path, programs):
    calls = programs("RUNNING")
    process = begin_work(tmp_path / "cell.log", 143)
    process.send_signal(signal.SIGTERM)
    over = time.monotonic() + 30
    while not (calls.exists() and "scontrol requeue 7" in calls.read_text()):
        assert time.monotonic() < over
        time.sleep(0.05)
    # It waits until SLURM ends it: one that has ended by itself would not be queued again.
    assert process.poll() is None
    assert not record_file(tmp_path / "cell.log").exists()
    process.kill()
    process.wait()


def test_where_a_job_may_not_be_queued_again_it_ends_with_its_record(tmp_path, programs):
    programs("RUNNING", requeues=False)
    process = begin_work(tmp_path / "cell.log", 143)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 143
    assert record(tmp_path / "cell.log")["received"] == ["SIGTERM"]


@pytest.mark.parametrize(
    ("ended", "expected"),
    # A command that has ended well, or has failed, is not queued again.
    [(143, 99), (0, 0), (2, 2)],
)
def test_the_warning_before_the_limit_ends_the_command_and_asks_for_more_only_where_work_is_left(
    tmp_path, ended, expected
):
    log = tmp_path / "cell.log"
    process = begin_work(log, ended)
    process.send_signal(signal.SIGUSR2)
    assert process.wait(timeout=30) == expected
    assert record(log) == {"exit_code": ended, "received": ["SIGUSR2"], "token": "token"}


def test_the_command_itself_is_not_ended_by_the_warning(tmp_path):
    # Some clusters send it to every process of a job.
    log = tmp_path / "cell.log"
    process = begin(log, "sh", "-c", "kill -USR2 $$; echo goes on; exit 3")
    assert process.wait(timeout=30) == 3
    assert log.read_text().endswith("goes on\n")
