"""Jobs as processes of this machine, one in each slot."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from iemomecp_dataset.errors import RunFolderError, UsageError
from iemomecp_dataset.jobs.job import Job, JobState, JobStatus
from iemomecp_dataset.jobs.process import LOCK_PAUSE, runs_elsewhere_words, start, stop

__all__ = ["LocalBackend", "cpu_slots", "gpu_slots"]

_GPU = re.compile(r"\d+|(GPU|MIG)-[\w/-]+")
"""What CUDA_VISIBLE_DEVICES takes: the number or the UUID of a GPU."""


def cpu_slots(n: int) -> list[dict[str, str]]:
    """Builds the environments of ``n`` slots that share this machine's cores and use no GPU.

    Example:
        >>> len(cpu_slots(2)), cpu_slots(2)[0]["CUDA_VISIBLE_DEVICES"]
        (2, '')
    """
    if n < 1:
        raise UsageError(f"--slots must be at least 1, but is {n}.")
    return [{"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": _threads_of_each(n)}] * n


def gpu_slots(gpus: Sequence[str], per_gpu: int = 1) -> list[dict[str, str]]:
    """Builds the environments of ``per_gpu`` slots on every GPU; the first cells go to different GPUs.

    Example:
        >>> [slot["CUDA_VISIBLE_DEVICES"] for slot in gpu_slots(["0", "1"], per_gpu=2)]
        ['0', '1', '0', '1']
    """
    if per_gpu < 1:
        raise UsageError(f"--per_gpu must be at least 1, but is {per_gpu}.")
    if not gpus or len(set(gpus)) != len(gpus) or not all(map(_GPU.fullmatch, gpus)):
        raise UsageError(f"--gpus takes numbers of GPUs, each once, such as 0,1; found {','.join(gpus)!r}.")
    threads = _threads_of_each(len(gpus) * per_gpu)
    return [{"CUDA_VISIBLE_DEVICES": gpu, "OMP_NUM_THREADS": threads} for _ in range(per_gpu) for gpu in gpus]


def _threads_of_each(slots: int) -> str:
    from joblib import cpu_count  # respects CPU affinity and container limits, on every system

    return os.environ.get("OMP_NUM_THREADS", str(max(1, cpu_count() // slots)))


class LocalBackend:
    """Runs jobs as processes on this machine, one per slot.

    Args:
        slots: Environment variables of every slot.
    """

    outlives_launcher = False
    cancel_command = ""

    def __init__(self, slots: Sequence[Mapping[str, str]]):
        self._free = list(slots)
        self._places = len(slots)
        self._waiting: list[Job] = []
        self._not_before: dict[str, float] = {}
        self._running: dict[str, tuple[subprocess.Popen[bytes], Mapping[str, str]]] = {}
        self._states: dict[str, JobStatus] = {}

    @property
    def places(self) -> int:
        """How many jobs run at once."""
        return self._places

    def submit(self, jobs: Sequence[Job]) -> None:
        """Takes jobs, which start in their order as slots are free."""
        self._waiting.extend(jobs)
        self._states |= {job.name: JobStatus(JobState.WAITING) for job in jobs}

    def states(self) -> Mapping[str, JobStatus]:
        """Starts what has a slot, and tells the state of every job."""
        for name, (process, slot) in list(self._running.items()):
            if process.poll() is not None:
                del self._running[name]
                self._free.append(slot)
                self._states[name] = JobStatus(JobState.ENDED, process.returncode)
        for job in list(self._waiting):
            if not self._free:
                break
            if time.monotonic() < self._not_before.get(job.name, 0.0):
                continue
            slot = self._free[0]
            try:
                process = start(replace(job, environment={**job.environment, **slot}))
            except RunFolderError:
                self._not_before[job.name] = time.monotonic() + LOCK_PAUSE
                self._states[job.name] = JobStatus(JobState.WAITING, None, runs_elsewhere_words(job))
                continue
            self._waiting.remove(job)
            self._running[job.name] = (process, self._free.pop(0))
            self._states[job.name] = JobStatus(JobState.RUNNING)
        return self._states

    def stop(self) -> None:
        """Ends all running jobs together, so that the waiting time is spent once, not once per job."""
        self._waiting.clear()
        stop(*(process for process, _ in self._running.values()))
