"""What a SLURM job runs on its node: the command, until it ends or SLURM ends it, and the record of how it ended."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from iemomecp_dataset.errors import RunFolderError
from iemomecp_dataset.files import write_json
from iemomecp_dataset.jobs.job import RUNS_ELSEWHERE, Job
from iemomecp_dataset.jobs.process import group_lives, start

if TYPE_CHECKING:
    from submitit.core.utils import DelayedSubmission

__all__ = ["STOPPED", "SlurmTask", "record_file"]

STOPPED = frozenset({128 + signal.SIGTERM, -signal.SIGTERM})
"""Exit codes of a command that SIGTERM has ended: it can be continued."""

_PAUSE = 0.1
"""Seconds between two looks at the command."""

_LOCK_PATIENCE = 150.0
"""Seconds in which the lock of a log may be held by a machine that was lost: a file server waits 90 s for it."""

_SLURM_PATIENCE = 300.0
"""Seconds in which SLURM ends a job whose command has ended at its SIGTERM."""


def record_file(log: Path) -> Path:
    """Names the file beside a job's log that tells how the job ended.

    Example:
        >>> record_file(Path("runs/logs/ecf-42.log")).name
        'ecf-42.slurm.json'
    """
    return log.with_suffix(".slurm.json")


class SlurmTask:
    """One job as submitit runs it on a node; a requeued job is a task of the same content.

    SIGTERM, which SLURM sends before it cancels, requeues or preempts a job, is passed to the command. The warning
    before the time limit calls :meth:`checkpoint`. After both the command has time to write its checkpoint.

    Args:
        job: The job.
        token: Of the list that it was submitted with.
    """

    def __init__(self, job: Job, token: str) -> None:
        self.job = job
        self.token = token
        self._process: subprocess.Popen[bytes] | None = None
        self._received: list[str] = []

    def __getstate__(self) -> dict[str, Any]:
        # What is stored for the next start has not begun.
        return {**self.__dict__, "_process": None, "_received": []}

    def __call__(self) -> None:
        """Runs the command; the job's exit code is the command's.

        Raises:
            SystemExit: The command failed, or was ended.
        """
        record_file(self.job.log).unlink(missing_ok=True)
        signal.signal(signal.SIGTERM, self._pass_on)
        code = self._run()
        # A preempted job has a time of grace, and is queued again only if it has not ended by itself before.
        if self._received and code in STOPPED and _slurm_goes_on() and _requeue():
            _wait_for_slurm()
        self._record(code)
        if code:
            sys.exit(code if code > 0 else 128 - code)

    def checkpoint(self) -> DelayedSubmission | None:
        """Ends the command at the warning before the time limit or the preemption; submitit calls it.

        Returns:
            What is queued again.

        Raises:
            SystemExit: The command has ended by itself, and nothing is to be queued again.
        """
        from submitit.core.utils import DelayedSubmission

        self._received.append("SIGUSR2")
        code = self._end()
        # Where submitit does not queue it again (requeues=), this tells why it ended.
        self._record(code)
        if code not in STOPPED and code is not None:
            sys.exit(code if code >= 0 else 128 - code)
        return DelayedSubmission(SlurmTask(self.job, self.token))

    def _run(self) -> int:
        """Starts the command and waits for it, and for what it has started."""
        over = time.monotonic() + _LOCK_PATIENCE
        while True:
            # The command inherits that it ignores the warning, which some clusters send to every process of a job.
            handler = signal.signal(signal.SIGUSR2, signal.SIG_IGN)
            try:
                self._process = start(self.job)
                break
            except RunFolderError:
                if time.monotonic() > over or self._received:
                    return RUNS_ELSEWHERE
            finally:
                signal.signal(signal.SIGUSR2, handler)
            time.sleep(5)
        if self._received:
            self._pass_on(signal.SIGTERM, None)
        while self._process.poll() is None or (self._received and group_lives(self._process)):
            time.sleep(_PAUSE)
        return int(self._process.returncode)

    def _end(self) -> int | None:
        """Ends the command, and waits for it; the code is None if it has not begun."""
        if self._process is None:
            return None
        self._signal_group()
        while group_lives(self._process):
            time.sleep(_PAUSE)
        return int(self._process.returncode)

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        self._received.append(signal.Signals(number).name)
        print(f"{signal.Signals(number).name}: the command is ended, so that it can be continued.", flush=True)
        self._signal_group()

    def _signal_group(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGTERM)

    def _record(self, code: int | None) -> None:
        write_json(
            record_file(self.job.log),
            {
                "job": self.job.name,
                "token": self.token,
                "exit_code": code,
                "received": self._received,
                "slurm_job": os.environ.get("SLURM_JOB_ID"),
                "restarts": int(os.environ.get("SLURM_RESTART_COUNT") or 0),
                "machine": socket.gethostname(),
                "seen": False,
            },
        )


def _slurm_goes_on() -> bool:
    """Whether SLURM counts this job as running, although it has sent SIGTERM."""
    state = _ask("squeue", "-h", "-j", os.environ.get("SLURM_JOB_ID", ""), "-o", "%T")
    return state is not None and state.strip() == "RUNNING"


def _requeue() -> bool:
    return _ask("scontrol", "requeue", os.environ.get("SLURM_JOB_ID", "")) is not None


def _ask(*command: str) -> str | None:
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        return done.stdout if done.returncode == 0 else None
    return None


def _wait_for_slurm() -> None:
    over = time.monotonic() + _SLURM_PATIENCE
    while time.monotonic() < over:
        time.sleep(1)
