"""Where cells run: slots on this machine, or ray, embedded or a cluster."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from iemomecp_dataset.benchmark.matrix.cell_process import Job, start, stop
from iemomecp_dataset.errors import MissingDataError, RunFolderError, TrainingError, UsageError, missing_extra

__all__ = ["Backend", "LocalBackend", "RayBackend", "cpu_slots", "gpu_slots"]

_RUNS_ELSEWHERE = 75  # EX_TEMPFAIL: nothing is wrong with the cell


class Backend(Protocol):
    """Something that runs jobs."""

    @property
    def capacity(self) -> int:
        """How many jobs run at once."""

    def start(self, job: Job) -> None:
        """Starts a job; at most ``capacity`` at once.

        Raises:
            RunFolderError: It is running already.
        """

    def ended(self) -> list[tuple[str, int]]:
        """Names and exit codes of the jobs that ended since the last call."""

    def stop(self) -> None:
        """Ends what runs, cleanly."""


def cpu_slots(n: int) -> list[dict[str, str]]:
    """The environment of each of ``n`` slots that share this machine's cores and see no GPU.

    Example:
        >>> len(cpu_slots(2)), cpu_slots(2)[0]["CUDA_VISIBLE_DEVICES"]
        (2, '')
    """
    if n < 1:
        raise UsageError(f"--slots must be at least 1, but is {n}.")
    return [{"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": _threads_of_each(n)}] * n


def gpu_slots(gpus: Sequence[str], per_gpu: int = 1) -> list[dict[str, str]]:
    """The environment of each slot, ``per_gpu`` of them on every GPU; the first cells go to different GPUs.

    Example:
        >>> [slot["CUDA_VISIBLE_DEVICES"] for slot in gpu_slots(["0", "1"], per_gpu=2)]
        ['0', '1', '0', '1']
    """
    if per_gpu < 1:
        raise UsageError(f"--per_gpu must be at least 1, but is {per_gpu}.")
    if not gpus or len(set(gpus)) != len(gpus) or not all(gpu.strip() for gpu in gpus):
        raise UsageError(f"--gpus takes numbers of GPUs, each once, such as 0,1; found {','.join(gpus)!r}.")
    threads = _threads_of_each(len(gpus) * per_gpu)
    return [{"CUDA_VISIBLE_DEVICES": gpu, "OMP_NUM_THREADS": threads} for _ in range(per_gpu) for gpu in gpus]


def _threads_of_each(slots: int) -> str:
    from joblib import cpu_count  # heeds affinity and limits of containers, on every system

    return os.environ.get("OMP_NUM_THREADS", str(max(1, cpu_count() // slots)))


class LocalBackend:
    """Processes on this machine, one a slot."""

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
        """Ends what runs; all at once, so that patience is not paid once a cell."""
        stop(*(process for process, _ in self._running.values()))


class RayBackend:
    """Tasks of ray, one a cell. Every node must see the same files under the same paths.

    Args:
        address: Of a cluster (``auto``, ``ray://host:10001``); ``None`` starts ray on this machine for as long as the
            matrix runs.
        slots: CPU slots of a ray that is started here.
        cpus: Cores a cell asks for.
        gpus: GPUs a cell asks for; 0.5 puts two cells on each.

    Raises:
        MissingDependencyError: Ray is not installed.
        TrainingError: Ray cannot be started here.
        MissingDataError: There is no cluster at the address.
        UsageError: The cluster can never run a cell that asks for so much.
    """

    def __init__(self, *, address: str | None = None, slots: int = 1, cpus: float = 1.0, gpus: float = 0.0):
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would ask, or report
        # A ray that is started here would give way to everything else on this machine; cells in local slots do not.
        os.environ.setdefault("RAY_worker_niceness", "0")
        # Ray's own future default: a task without GPUs sees what its environment says.
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        try:
            import ray
        except ImportError as error:
            raise missing_extra("ray", "cluster") from error
        self._ray: Any = ray
        if gpus < 0 or cpus <= 0 or slots < 1:
            raise UsageError("A cell asks for more than 0 CPUs and no less than 0 GPUs, and there is at least 1 slot.")
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
                f"A cell asks for {cpus:g} CPUs and {gpus:g} GPUs; ray has {has.get('CPU', 0):g} and "
                f"{has.get('GPU', 0):g} in all."
            )
        self._capacity = min(by)
        environment = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(max(1, int(cpus))))}
        self._environment = environment if gpus else {**environment, "CUDA_VISIBLE_DEVICES": ""}
        self._task = ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=0)(_run_here)
        self._running: dict[Any, str] = {}

    @property
    def capacity(self) -> int:
        """How many jobs run at once, by what ray has in all."""
        return self._capacity

    def start(self, job: Job) -> None:
        """Hands a job to ray."""
        job = replace(job, environment={**job.environment, **self._environment})
        self._running[self._task.remote(job)] = job.name

    def ended(self) -> list[tuple[str, int]]:
        """Names and exit codes of the jobs that ended since the last call."""
        if not self._running:
            return []
        ready, _ = self._ray.wait(list(self._running), num_returns=len(self._running), timeout=0)
        return [(self._running.pop(task), self._exit_code(task)) for task in ready]

    def stop(self) -> None:
        """Ends what runs, and leaves ray."""
        for task in self._running:
            self._ray.cancel(task, force=False)
        if self._running:
            self._ray.wait(list(self._running), num_returns=len(self._running), timeout=60)
        self._ray.shutdown()

    def _exit_code(self, task: Any) -> int:
        try:
            return int(self._ray.get(task))
        except self._ray.exceptions.RayError as error:
            # The node or the worker was lost; the cell itself could not say so.
            return 1 if not isinstance(error, self._ray.exceptions.TaskCancelledError) else 130


def _start_here(ray: Any, cpus: int, quiet: Mapping[str, Any]) -> None:
    """Starts ray for as long as the matrix runs; once more where the machine was too busy for ray's patience."""
    for attempt in (1, 2):
        try:
            ray.init(address="local", num_cpus=cpus, include_dashboard=False, object_store_memory=100 * 2**20, **quiet)
        except Exception as error:  # ray itself raises nothing more special
            ray.shutdown()
            if attempt == 2:
                raise TrainingError(
                    f"Ray could not be started on this machine: {error} Try again when it is less busy, start one with "
                    "'ray start --head' and say --ray_address auto, or use --backend local."
                ) from error
        else:
            return


def _run_here(job: Job) -> int:
    """On a node: runs a job to its end; ends it when ray cancels the task."""
    try:
        process = start(job)
    except RunFolderError:
        return _RUNS_ELSEWHERE
    try:
        # Ray's cancellation is noticed between two instructions, not within a wait.
        while process.poll() is None:
            time.sleep(0.1)
    finally:
        stop(process)
    return int(process.returncode)
