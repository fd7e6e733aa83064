"""Runs jobs on a backend until all have ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from iemomecp_dataset.jobs.backend import Backend
from iemomecp_dataset.jobs.job import Job, JobStatus

__all__ = ["run_jobs"]


def run_jobs(
    jobs: Sequence[Job],
    backend: Backend,
    *,
    seen: Callable[[str, JobStatus], None] = lambda name, status: None,
    interrupted: Callable[[], None] = lambda: None,
    wait: bool = True,
    pause: float = 0.25,
) -> dict[str, JobStatus]:
    """Submits jobs and waits for all of them; one that fails does not stop the others.

    Args:
        jobs: The jobs, each name once.
        backend: Runs them; it is stopped at the end, however that comes.
        seen: Called at every poll with each job that has not been seen to be over before.
        interrupted: Called at Ctrl-C, before running jobs are ended, which takes a while.
        wait: Wait until all are over; otherwise they are submitted and looked at once.
        pause: Seconds between two polls.

    Returns:
        The last state of every job.

    Raises:
        KeyboardInterrupt: Ctrl-C; running jobs have been ended, unless they outlive the launcher.
        IemomecpError: The backend cannot run them.
    """
    last: dict[str, JobStatus] = {}
    try:
        backend.submit(jobs)
        while True:
            states = backend.states()
            for job in jobs:
                if job.name in last and last[job.name].over:
                    continue
                last[job.name] = states[job.name]
                seen(job.name, states[job.name])
            if not wait or all(status.over for status in last.values()):
                return last
            time.sleep(pause)
    except KeyboardInterrupt:
        interrupted()
        raise
    finally:
        backend.stop()
