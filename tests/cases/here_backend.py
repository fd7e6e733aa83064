"""A backend that trains cells in this very process, where imports are done: for tests of what comes of a matrix."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from iemomecp_dataset.errors import IemomecpError
from iemomecp_dataset.jobs.job import Job, JobState, JobStatus

__all__ = ["HereBackend"]


class HereBackend:
    """Runs each job at a poll, by the options of its command.

    Args:
        failing: Ends of names of jobs that fail without having run.
    """

    places = 1
    outlives_launcher = False
    cancel_command = ""

    def __init__(self, failing: Collection[str] = ()):
        self.failing, self.ran = tuple(failing), list[str]()
        self._waiting: list[Job] = []
        self._states: dict[str, JobStatus] = {}

    def submit(self, jobs: Sequence[Job]) -> None:
        self._waiting = list(jobs)
        self._states = {job.name: JobStatus(JobState.WAITING) for job in jobs}

    def states(self) -> Mapping[str, JobStatus]:
        from iemomecp_dataset.trainers.cli import parse_options
        from iemomecp_dataset.trainers.run import run

        job = self._waiting.pop(0)
        code = 1
        if not job.name.endswith(self.failing or ("\n",)):
            self.ran.append(job.name)
            flags = job.command[next(n for n, word in enumerate(job.command) if word.endswith("fusion.py")) + 1 :]
            try:
                run(parse_options(flags, description=""))
                code = 0
            except IemomecpError as error:
                job.log.parent.mkdir(parents=True, exist_ok=True)
                job.log.write_text(str(error))
        self._states[job.name] = JobStatus(JobState.ENDED, code)
        return self._states

    def stop(self) -> None:
        self._waiting.clear()
