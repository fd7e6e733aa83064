"""Backends that run cells: slots on this machine, or ray, embedded or as a cluster."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from iemomecp_dataset.benchmark.matrix.cell_process import RUNS_ELSEWHERE, Job, start, stop
from iemomecp_dataset.errors import MissingDataError, RunFolderError, TrainingError, UsageError, missing_extra

__all__ = ["Backend", "LocalBackend", "RayBackend", "cpu_slots", "gpu_slots"]

_GPU = re.compile(r"\d+|(GPU|MIG)-[\w/-]+")
"""What CUDA_VISIBLE_DEVICES takes: the number or the UUID of a GPU."""


class Backend(Protocol):
    """Runs jobs, at most ``capacity`` at once."""

    @property
    def capacity(self) -> int:
        """How many jobs run at once."""

    def start(self, job: Job) -> None:
        """Starts a job; the caller keeps within ``capacity``.

        Raises:
            RunFolderError: Another launcher runs the job already.
        """

    def ended(self) -> list[tuple[str, int]]:
        """Names and exit codes of the jobs that ended since the last call."""

    def stop(self) -> None:
        """Ends all running jobs, so that they can be continued."""


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
    """Runs cells as processes on this machine, one per slot."""

    def __init__(self, slots: Sequence[Mapping[str, str]]):
        self._free = list(slots)
        self._capacity = len(slots)
        self._running: dict[str, tuple[subprocess.Popen[bytes], Mapping[str, str]]] = {}

    @property
    def capacity(self) -> int:
        """How many jobs run at once."""
        return self._capacity

    def start(self, job: Job) -> None:
        """Starts a job in a free slot."""
        slot = self._free[0]
        process = start(replace(job, environment={**job.environment, **slot}))
        self._running[job.name] = (process, self._free.pop(0))

    def ended(self) -> list[tuple[str, int]]:
        """Names and exit codes of the jobs that ended since the last call."""
        over = [(name, p.returncode) for name, (p, _) in self._running.items() if p.poll() is not None]
        for name, _ in over:
            self._free.append(self._running.pop(name)[1])
        return over

    def stop(self) -> None:
        """Ends all running jobs together, so that the waiting time is spent once, not once per cell."""
        stop(*(process for process, _ in self._running.values()))


class RayBackend:
    """Runs cells as tasks of ray, one per cell. Every node must have the same files under the same paths.

    Args:
        address: Address of a cluster (``auto``, ``ray://host:10001``); ``None`` starts ray on this machine while the
            matrix runs.
        slots: CPU slots, if ray is started here.
        cpus: CPU cores per cell.
        gpus: GPUs per cell; 0.5 puts two cells on each.

    Raises:
        MissingDependencyError: Ray is not installed.
        TrainingError: Ray cannot be started here.
        MissingDataError: There is no cluster at the address.
        UsageError: A cell needs more than the whole cluster has.
    """

    def __init__(self, *, address: str | None = None, slots: int = 1, cpus: float = 1.0, gpus: float = 0.0):
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # ray would ask, or report usage
        # Ray lowers the priority of its workers by default; here they keep that of cells in local slots.
        os.environ.setdefault("RAY_worker_niceness", "0")
        # Ray's own future default: CUDA_VISIBLE_DEVICES of a task without GPUs is left as it is set.
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        try:
            import ray
        except ImportError as error:
            raise missing_extra("ray", "cluster") from error
        self._ray: Any = ray
        if gpus < 0 or cpus <= 0 or slots < 1:
            raise UsageError(
                "--cpus_per_cell must be above 0, --gpus_per_cell at least 0 and --slots at least 1, but they are "
                f"{cpus:g}, {gpus:g} and {slots}."
            )
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
        if address is None:
            _start_here(ray, max(1, round(slots * cpus)), quiet)
        else:
            try:
                ray.init(address=address, **quiet)
            except (ConnectionError, TimeoutError, ValueError) as error:
                raise MissingDataError(
                    f"There is no ray cluster at {address} ({error}). Start one with: ray start --head"
                ) from None
        has = ray.cluster_resources()
        by = [int(has.get("CPU", 0) / cpus + 1e-9)] + ([int(has.get("GPU", 0) / gpus + 1e-9)] if gpus else [])
        if min(by) < 1:
            ray.shutdown()
            raise UsageError(
                f"A cell needs {cpus:g} CPUs and {gpus:g} GPUs; ray has {has.get('CPU', 0):g} and "
                f"{has.get('GPU', 0):g} in all."
            )
        self._capacity = min(by)
        environment = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(max(1, int(cpus))))}
        self._environment = environment if gpus else {**environment, "CUDA_VISIBLE_DEVICES": ""}
        self._task = ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=0)(_run_here)
        self._running: dict[Any, str] = {}

    @property
    def capacity(self) -> int:
        """How many jobs run at once, by the resources of the whole cluster."""
        return self._capacity

    def start(self, job: Job) -> None:
        """Submits a job to ray."""
        job = replace(job, environment={**job.environment, **self._environment})
        self._running[self._task.remote(job)] = job.name

    def ended(self) -> list[tuple[str, int]]:
        """Names and exit codes of the jobs that ended since the last call."""
        if not self._running:
            return []
        ready, _ = self._ray.wait(list(self._running), num_returns=len(self._running), timeout=0)
        return [(self._running.pop(task), self._exit_code(task)) for task in ready]

    def stop(self) -> None:
        """Cancels all running jobs and disconnects from ray."""
        for task in self._running:
            self._ray.cancel(task, force=False)
        if self._running:
            self._ray.wait(list(self._running), num_returns=len(self._running), timeout=60)
        self._ray.shutdown()

    def _exit_code(self, task: Any) -> int:
        try:
            return int(self._ray.get(task))
        except self._ray.exceptions.RayError as error:
            # The node or the worker was lost, so that the cell left no exit code.
            return 1 if not isinstance(error, self._ray.exceptions.TaskCancelledError) else 130


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


def _run_here(job: Job) -> int:
    """Runs a job to its end on a node; ends it when ray cancels the task."""
    try:
        process = start(job)
    except RunFolderError:
        return RUNS_ELSEWHERE
    try:
        # Ray's cancellation is raised between two instructions, not within a wait.
        while process.poll() is None:
            time.sleep(0.1)
    finally:
        stop(process)
    return int(process.returncode)
