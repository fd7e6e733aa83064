"""What a backend runs, and what it tells of it."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

__all__ = ["RUNS_ELSEWHERE", "Job", "JobState", "JobStatus", "exit_words"]

RUNS_ELSEWHERE = 75
"""Exit code of a job that another launcher runs already (EX_TEMPFAIL); the job itself has not failed."""


@dataclass(frozen=True)
class Job:
    """A command, for this machine or another with the same files under the same paths.

    Started again after its end, or after it was interrupted anywhere, it does what is left to do and nothing twice.

    Attributes:
        name: Its name, once in a list of jobs; a file name.
        command: Program and arguments.
        environment: Variables added to those of the process that starts it.
        folder: Working folder.
        log: File for its output; while the job runs it is locked.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    folder: str
    log: Path


class JobState(StrEnum):
    """The state of a job."""

    WAITING = "waiting"
    RUNNING = "running"
    ENDED = "ended"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class JobStatus:
    """What a backend tells of a job.

    Attributes:
        state: Its state; ``CANCELLED`` if somebody ended it through the backend before its end: it has not failed.
        exit_code: Once it has ended: its exit code, below 0 if a signal ended it; :data:`RUNS_ELSEWHERE` if another
            launcher runs it. None if none is known, as when its machine was lost.
        words: What else is known, in words: the id and state in the queue, the reason why it waits, the lost machine.
    """

    state: JobState
    exit_code: int | None = None
    words: str = ""

    @property
    def over(self) -> bool:
        """Whether nothing more will happen.

        Example:
            >>> JobStatus(JobState.RUNNING).over, JobStatus(JobState.ENDED, 0).over
            (False, True)
        """
        return self.state in (JobState.ENDED, JobState.CANCELLED)


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
