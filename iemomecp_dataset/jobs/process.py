"""Runs one job as a process of its own: log, lock, start and stop."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
import time
from pathlib import Path

from iemomecp_dataset.errors import RunFolderError
from iemomecp_dataset.files import make_folder, writing_to
from iemomecp_dataset.files.locks import take_lock
from iemomecp_dataset.jobs.job import RUNS_ELSEWHERE, Job

__all__ = ["LOCK_PAUSE", "group_lives", "last_lines", "run_to_end", "runs_elsewhere_words", "start", "stop"]

LOCK_PAUSE = 2.0
"""Seconds until a job whose log is locked is tried again."""


def start(job: Job) -> subprocess.Popen[bytes]:
    """Starts a job in a process group of its own, so that Ctrl-C reaches only the launcher, which passes it on.

    Args:
        job: The job.

    Returns:
        The process.

    Raises:
        RunFolderError: The job is running already, started by another launcher.
        UsageError: The folder of the log cannot be written to.
    """
    make_folder(job.log.parent)
    with writing_to(job.log), open(job.log, "ab") as log:
        # The lock belongs to the file handle that the job's processes inherit: it is held until the last of them
        # ends, even if the launcher is killed.
        if not take_lock(log.fileno(), job.log):
            raise RunFolderError(
                f"{job.name} is running already: a process of another launcher writes {job.log}. Wait, or end it."
            )
        log.write(f"$ {' '.join(shlex.join(job.command).splitlines())}\n".encode())
        log.flush()
        # A process inherits the set of blocked signals, and ray blocks the one that ends a job.
        blocked = signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
        try:
            return subprocess.Popen(
                job.command,
                cwd=job.folder,
                env={**os.environ, "TOKENIZERS_PARALLELISM": "false", **job.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def runs_elsewhere_words(job: Job) -> str:
    """Says what a job waits for whose log another launcher's process has locked."""
    return f"runs already, started by another launcher; waits for the lock of {job.log}"


def stop(*processes: subprocess.Popen[bytes], patience: float = 20.0) -> None:
    """Ends jobs: SIGINT first, SIGTERM and SIGKILL for those that do not end. An ended training can be continued.

    Args:
        processes: Processes from :func:`start`.
        patience: Seconds to wait after each signal.
    """
    for how in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        alive = [process for process in processes if group_lives(process)]
        for process in alive:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, how)
        deadline = time.monotonic() + patience
        while any(group_lives(process) for process in alive) and time.monotonic() < deadline:
            time.sleep(0.05)


def run_to_end(job: Job, pause: float = 0.1) -> int:
    """Runs a job on the machine that a backend chose for it, and ends it when the backend's own task is ended.

    Args:
        job: The job.
        pause: Seconds between two polls.

    Returns:
        Its exit code; :data:`~iemomecp_dataset.jobs.job.RUNS_ELSEWHERE` if another launcher runs it.
    """
    try:
        process = start(job)
    except RunFolderError:
        return RUNS_ELSEWHERE
    try:
        # An exception that ends the task is raised between two instructions, not within a wait.
        while process.poll() is None:
            time.sleep(pause)
    finally:
        stop(process)
    return int(process.returncode)


def last_lines(log: Path, n: int = 12) -> list[str]:
    """Reads the last lines of a log since its last start, without the command.

    Args:
        log: The file; it may be missing.
        n: Maximum number of lines.

    Returns:
        The lines.
    """
    if not log.is_file():
        return []
    with open(log, "rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - 65536))
        text = file.read().decode("utf-8", errors="replace")
    lines = [line.rstrip().rpartition("\r")[2] for line in text.split("\n") if line.strip()]
    begin = max((i for i, line in enumerate(lines) if line.startswith("$ ")), default=-1)
    return _without_launcher_traceback(lines[begin + 1 :])[-n:]


def _without_launcher_traceback(lines: list[str]) -> list[str]:
    """Replaces the traceback that ``accelerate launch`` prints after the trainer's own message by one line."""
    last = max((i for i, line in enumerate(lines) if line.startswith("Traceback (most recent call last)")), default=-1)
    of_launcher = any("/accelerate/commands/launch.py" in line for line in lines[last:]) if last >= 0 else False
    error = next((line for line in reversed(lines) if line.startswith("subprocess.CalledProcessError: ")), "")
    how = re.search(r"(died with <Signals\.(?P<signal>\w+)|returned non-zero exit status (?P<code>\d+))[^']*$", error)
    if not of_launcher or how is None:
        return lines
    return [
        *lines[:last],
        f"(the trainer was killed by {how['signal']})"
        if how["signal"]
        else f"(the trainer's exit code: {how['code']})",
    ]


def group_lives(process: subprocess.Popen[bytes]) -> bool:
    """Whether a process from :func:`start`, or what it has started, is still there."""
    process.poll()  # reaps an ended leader, which would otherwise keep its group alive
    try:
        os.killpg(process.pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True
