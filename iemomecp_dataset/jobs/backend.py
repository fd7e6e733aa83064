"""What every backend does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from iemomecp_dataset.jobs.job import Job, JobStatus

__all__ = ["Backend"]


class Backend(Protocol):
    """Runs jobs, as many at once as it has places for."""

    @property
    def places(self) -> int:
        """How many jobs run at once at most; 0 where a queue decides."""

    @property
    def outlives_launcher(self) -> bool:
        """Whether jobs go on when the process that submitted them ends."""

    @property
    def cancel_command(self) -> str:
        """What a user types to end jobs that outlive the launcher; empty where none do."""

    def submit(self, jobs: Sequence[Job]) -> None:
        """Takes jobs; each waits for a place.

        Where jobs outlive their launcher, one that an earlier launcher has submitted is found and not run twice, as
        long as no launcher has been told that it is over: it may have ended meanwhile. A job whose log is locked runs
        already: it is waited for and then started, as every job finds what of its work is done.

        Args:
            jobs: Each name once.

        Raises:
            IemomecpError: They cannot be run here; none of them was started.
        """

    def states(self) -> Mapping[str, JobStatus]:
        """The state of every submitted job; to be called again and again, as local jobs start within it."""

    def stop(self) -> None:
        """Ends what runs and forgets what waits, so that it can be continued; where jobs outlive the launcher, none."""
