"""Runs jobs on a backend until all have ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from iemomecp_dataset.jobs.backend import Backend
from iemomecp_dataset.jobs.job import Job, JobState, JobStatus

__all__ = ["run_jobs"]


def run_jobs(
    jobs: Sequence[Job],
    backend: Backend,
    *,
    seen: Callable[[str, JobStatus], None] = lambda name, status: None,
    pause: float = 0.25,
) -> dict[str, JobStatus]:
    """Submits jobs and waits for all of them; one that fails does not stop the others.

    Args:
        jobs: The jobs, each name once.
        backend: Runs them; it is stopped at the end, however that comes.
        seen: Called at every poll with each job that has not been seen ended before.
        pause: Seconds between two polls.

    Returns:
        The last state of every job.

    Raises:
        KeyboardInterrupt: Ctrl-C; running jobs have been ended, unless they outlive the launcher.
        IemomecpError: The backend cannot run them.
    """
    ended: dict[str, JobStatus] = {}
    try:
        backend.submit(jobs)
        while len(ended) < len(jobs):
            states: Mapping[str, JobStatus] = backend.states()
            for job in jobs:
                if job.name in ended:
                    continue
                status = states[job.name]
                if status.state is JobState.ENDED:
                    ended[job.name] = status
                seen(job.name, status)
            if len(ended) < len(jobs):
                time.sleep(pause)
    finally:
        backend.stop()
    return ended
