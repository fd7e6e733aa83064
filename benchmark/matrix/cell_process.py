"""Runs one cell as a process of its own: command, log, start and stop."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from iemomecp_dataset.benchmark.matrix.cells import MatrixCell
from iemomecp_dataset.benchmark.matrix.plan import log_file
from iemomecp_dataset.errors import RunFolderError
from iemomecp_dataset.files import make_folder, writing_to
from iemomecp_dataset.files.locks import take_lock

__all__ = ["RUNS_ELSEWHERE", "Job", "exit_words", "job_of", "last_lines", "start", "stop"]


RUNS_ELSEWHERE = 75
"""Exit code of a job that another launcher runs already (EX_TEMPFAIL); the cell itself has not failed."""


@dataclass(frozen=True)
class Job:
    """The command of a cell, for this machine or another with the same files.

    Attributes:
        name: The cell's name.
        command: Program and arguments.
        environment: Variables added to those of the process that starts it.
        folder: Working folder.
        log: File for its output.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    folder: str
    log: Path


def job_of(cell: MatrixCell, runs_dir: Path, environment: Mapping[str, str] | None = None) -> Job:
    """Builds a cell's command.

    Args:
        cell: The cell.
        runs_dir: Folder of the run folders.
        environment: Variables to add.

    Returns:
        ``accelerate launch trainers/<family>.py`` with the cell's flags, run by this Python.
    """
    import iemomecp_dataset.trainers

    script = Path(str(iemomecp_dataset.trainers.__file__)).parent / f"{cell.family}.py"
    launcher = ("-m", "accelerate.commands.launch", "--num_processes", "1", "--num_machines", "1",
                "--mixed_precision", "no", "--dynamo_backend", "no")  # fmt: skip
    return Job(
        cell.name,
        (sys.executable, *launcher, str(script), *cell.flags(runs_dir)),
        dict(environment or {}),
        str(Path.cwd()),
        log_file(runs_dir, cell.name).resolve(),
    )


def start(job: Job) -> subprocess.Popen[bytes]:
    """Starts a cell in a process group of its own, so that Ctrl-C reaches only the launcher, which passes it on.

    Args:
        job: The job.

    Returns:
        The process.

    Raises:
        RunFolderError: The cell is running already, started by another launcher.
        UsageError: The folder of the log cannot be written to.
    """
    make_folder(job.log.parent)
    with writing_to(job.log), open(job.log, "ab") as log:
        # The lock belongs to the file handle that the cell's processes inherit: it is held until the last of them
        # ends, even if the launcher is killed.
        if not take_lock(log.fileno(), job.log):
            raise RunFolderError(
                f"{job.name} is running already: a process of another launcher writes {job.log}. Wait, or end it."
            )
        log.write(f"$ {' '.join(shlex.join(job.command).splitlines())}\n".encode())
        log.flush()
        # A process inherits the set of blocked signals, and ray blocks the one that ends a cell.
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


def stop(*processes: subprocess.Popen[bytes], patience: float = 20.0) -> None:
    """Ends cells: SIGINT first, SIGTERM and SIGKILL for those that do not end. An ended run can be continued.

    Args:
        processes: Processes from :func:`start`.
        patience: Seconds to wait after each signal.
    """
    for how in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        alive = [process for process in processes if _group_lives(process)]
        for process in alive:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, how)
        deadline = time.monotonic() + patience
        while any(_group_lives(process) for process in alive) and time.monotonic() < deadline:
            time.sleep(0.05)


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


def exit_words(code: int) -> str:
    """Describes an exit code.

    Example:
        >>> exit_words(2), exit_words(-9)
        ('exit code 2', 'killed by SIGKILL')
    """
    try:
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    except ValueError:
        return f"exit code {code}"


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


def _group_lives(process: subprocess.Popen[bytes]) -> bool:
    process.poll()  # reaps an ended leader, which would otherwise keep its group alive
    try:
        os.killpg(process.pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True
