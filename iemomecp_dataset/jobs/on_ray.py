"""Jobs as tasks of ray, embedded or on a cluster."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from iemomecp_dataset.errors import MissingDataError, TrainingError, UsageError, missing_extra
from iemomecp_dataset.jobs.job import RUNS_ELSEWHERE, Job, JobState, JobStatus
from iemomecp_dataset.jobs.process import LOCK_PAUSE, run_to_end, runs_elsewhere_words

__all__ = ["RayBackend", "start_ray"]

_START = 10.0
"""Seconds in which a task has started and has found whether its job runs elsewhere."""


class RayBackend:
    """Runs jobs as tasks of ray, one per job. Every node must have the same files under the same paths.

    Args:
        address: Address of a cluster (``auto``, ``ray://host:10001``); ``None`` starts ray on this machine until the
            jobs have ended.
        slots: CPU slots, if ray is started here.
        cpus: CPU cores per job.
        gpus: GPUs per job; 0.5 puts two jobs on each.

    Raises:
        MissingDependencyError: Ray is not installed.
        TrainingError: Ray cannot be started here.
        MissingDataError: There is no cluster at the address.
        UsageError: A job needs more than the whole cluster has.
    """

    outlives_launcher = False
    cancel_command = ""

    def __init__(self, *, address: str | None = None, slots: int = 1, cpus: float = 1.0, gpus: float = 0.0):
        if gpus < 0 or cpus <= 0 or slots < 1:
            raise UsageError(
                "A job on ray needs more than 0 CPUs, 0 or more GPUs, and at least one slot, but they are "
                f"{cpus:g}, {gpus:g} and {slots}."
            )
        has = start_ray(address, cpus=max(1, round(slots * cpus)))
        import ray

        self._ray: Any = ray
        by = [int(has.get("CPU", 0) / cpus + 1e-9)] + ([int(has.get("GPU", 0) / gpus + 1e-9)] if gpus else [])
        if min(by) < 1:
            ray.shutdown()
            raise UsageError(
                f"A job needs {cpus:g} CPUs and {gpus:g} GPUs; ray has {has.get('CPU', 0):g} and "
                f"{has.get('GPU', 0):g} in all."
            )
        self._places = min(by)
        environment = {
            **_of_launcher(os.environ),
            "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(max(1, int(cpus)))),
        }
        self._environment = environment if gpus else {**environment, "CUDA_VISIBLE_DEVICES": ""}
        self._task = ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=0)(run_to_end)
        self._waiting: list[Job] = []
        self._not_before: dict[str, float] = {}
        self._running: dict[Any, Job] = {}
        self._states: dict[str, JobStatus] = {}

    @property
    def places(self) -> int:
        """How many jobs run at once, by the resources of the whole cluster."""
        return self._places

    def submit(self, jobs: Sequence[Job]) -> None:
        """Takes jobs; ray starts them where their resources are free."""
        for job in jobs:
            job = replace(job, environment={**job.environment, **self._environment})
            self._states[job.name] = JobStatus(JobState.WAITING)
            self._waiting.append(job)

    def states(self) -> Mapping[str, JobStatus]:
        """Submits what has a place, and tells the state of every job."""
        if self._running:
            ready, _ = self._ray.wait(list(self._running), num_returns=len(self._running), timeout=0)
            for task in ready:
                self._take_back(task, self._running.pop(task))
        for job in self._running.values():
            # Longer under way than it takes to find a lock.
            if time.monotonic() > self._not_before.get(job.name, 0.0) + _START:
                self._states[job.name] = JobStatus(JobState.RUNNING)
        for job in list(self._waiting):
            if len(self._running) >= self._places:
                break
            if time.monotonic() < self._not_before.get(job.name, 0.0):
                continue
            self._waiting.remove(job)
            self._running[self._task.remote(job)] = job
            if job.name in self._not_before:
                # Shown as running elsewhere until that is known to be over.
                self._not_before[job.name] = time.monotonic()
            else:
                self._states[job.name] = JobStatus(JobState.RUNNING)
        return self._states

    def stop(self) -> None:
        """Cancels all running jobs and disconnects from ray."""
        self._waiting.clear()
        for task in self._running:
            self._ray.cancel(task, force=False)
        if self._running:
            self._ray.wait(list(self._running), num_returns=len(self._running), timeout=60)
        self._ray.shutdown()

    def _take_back(self, task: Any, job: Job) -> None:
        status = self._ended(task)
        if status.exit_code == RUNS_ELSEWHERE:
            self._not_before[job.name] = time.monotonic() + LOCK_PAUSE
            self._waiting.append(job)
            status = JobStatus(JobState.WAITING, None, runs_elsewhere_words(job))
        self._states[job.name] = status

    def _ended(self, task: Any) -> JobStatus:
        try:
            return JobStatus(JobState.ENDED, int(self._ray.get(task)))
        except self._ray.exceptions.RayError as error:
            if isinstance(error, self._ray.exceptions.TaskCancelledError):
                return JobStatus(JobState.CANCELLED)
            return JobStatus(JobState.ENDED, None, f"its machine or worker was lost ({type(error).__name__})")


def start_ray(address: str | None, *, cpus: int) -> dict[str, float]:
    """Connects this process with ray, without bars, reports of usage and the output of workers.

    Args:
        address: Address of a cluster (``auto``, ``ray://host:10001``); ``None`` starts ray on this machine until
            ``ray.shutdown()``.
        cpus: CPU cores that ray counts, if it is started here.

    Returns:
        What the whole cluster has: ``CPU``, ``GPU`` and more.

    Raises:
        MissingDependencyError: Ray is not installed.
        TrainingError: Ray cannot be started here.
        MissingDataError: There is no cluster at the address.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # ray would ask, or report usage
    # Ray lowers the priority of its workers by default; here they keep that of jobs in local slots.
    os.environ.setdefault("RAY_worker_niceness", "0")
    # Ray's own future default: CUDA_VISIBLE_DEVICES of a task without GPUs is left as it is set.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as error:
        raise missing_extra("ray", "cluster") from error
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address is None:
        _start_here(ray, cpus, quiet)
    else:
        try:
            ray.init(address=address, **quiet)
        except (ConnectionError, TimeoutError, ValueError) as error:
            raise MissingDataError(
                f"There is no ray cluster at {address} ({error}). Start one with: ray start --head"
            ) from None
    return dict(ray.cluster_resources())


def _start_here(ray: Any, cpus: int, quiet: Mapping[str, Any]) -> None:
    """Starts ray on this machine; tries a second time, as its start-up times out on a busy machine."""
    for attempt in (1, 2):
        try:
            ray.init(address="local", num_cpus=cpus, include_dashboard=False, object_store_memory=100 * 2**20, **quiet)
        except Exception as error:  # ray raises no narrower class
            ray.shutdown()
            if attempt == 2:
                raise TrainingError(
                    f"Ray could not be started on this machine: {error} Try again when it is less busy, start one with "
                    "'ray start --head' and give --ray_address auto, or use --backend local."
                ) from error
        else:
            return


_TRAVELLING = ("CUBLAS_", "HF_", "IEMOMECP_", "MKL_", "NVIDIA_TF32_", "PYTHONHASHSEED", "PYTHONPATH", "TORCH_", "TQDM_",
               "TRANSFORMERS_")  # fmt: skip
"""Beginnings of the variables that a job has from its launcher: offline or not, paths, numerical settings, bars."""


def _of_launcher(variables: Mapping[str, str]) -> dict[str, str]:
    """Chooses the variables that a job has from its launcher, as the nodes of a cluster have those of ``ray start``.

    Example:
        >>> _of_launcher({"HF_HUB_OFFLINE": "1", "HOME": "/home/me"})
        {'HF_HUB_OFFLINE': '1'}
    """
    return {name: value for name, value in variables.items() if name.startswith(_TRAVELLING)}
