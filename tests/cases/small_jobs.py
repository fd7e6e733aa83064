"""Small commands in place of long work, for the tests of what runs jobs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from iemomecp_dataset.jobs.job import Job, JobStatus

ASKED_TO_END = (
    "import time\ntry:\n print('up', flush=True); time.sleep(60)\nexcept KeyboardInterrupt:\n print('ended when asked')"
)
IGNORES_SIGNALS = (
    "import signal, time\nfor s in (2, 15): signal.signal(s, signal.SIG_IGN)\nprint('up', flush=True); time.sleep(60)"
)


def job(tmp_path: Path, code: str, name: str = "cell") -> Job:
    return Job(name, (sys.executable, "-c", code), {}, str(tmp_path), tmp_path / "logs" / f"{name}.log")


def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class Queue:
    """A backend whose jobs outlive their launcher and do what is written down, one step at a poll."""

    places = 1
    outlives_launcher = True
    cancel_command = "scancel 12"

    def __init__(self, *polls: Mapping[str, JobStatus]):
        self.polls, self.calls = list(polls), list[str]()

    def submit(self, jobs: Sequence[Job]) -> None:
        self.calls.append(f"submit {' '.join(job.name for job in jobs)}")

    def states(self) -> Mapping[str, JobStatus]:
        self.calls.append("states")
        return self.polls.pop(0)

    def stop(self) -> None:
        self.calls.append("stop")
