"""Where jobs run, as options of the commands that run jobs."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from iemomecp_dataset.command_line import option
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.jobs.backend import Backend
from iemomecp_dataset.jobs.job import Job

__all__ = ["BackendOptions", "check_backend", "open_backend", "preview"]

_WHERE = "where"


@dataclass(frozen=True)
class BackendOptions:
    """Options of where jobs run; a command's own options inherit them."""

    backend: Literal["local", "ray", "slurm"] = option(
        "local", "processes of this machine, ray, or SLURM", group=_WHERE, setting=False
    )
    gpus: str | None = option(None, "local: numbers of the GPUs to use", group=_WHERE, metavar="0,1", setting=False)
    per_gpu: int = option(1, "local: jobs at once on each GPU", minimum=1, limit=10_000, group=_WHERE, setting=False)
    slots: int | None = option(
        None,
        "jobs at once on the CPU, local or in an embedded ray (default: 1)",
        minimum=1,
        limit=10_000,
        group=_WHERE,
        setting=False,
    )
    ray_address: str | None = option(
        None,
        "ray: a cluster (auto, ray://host:10001) whose nodes have the same files; default: ray on this machine",
        group=_WHERE,
        metavar="ADDRESS",
        setting=False,
    )
    slurm: tuple[str, ...] = option(
        (),
        "slurm: what each job requests: minutes, partition, account, qos, constraint, gpus_per_node, cpus, mem, "
        "setup='module load …', extra_OPTION for any other of sbatch",
        group=_WHERE,
        metavar="KEY=VALUE",
        setting=False,
    )
    max_parallel: int | None = option(None, "slurm: jobs at once", minimum=1, limit=10_000, group=_WHERE, setting=False)
    no_wait: bool = option(
        False, "slurm: submit, print the states and end; the same command again shows them", group=_WHERE, setting=False
    )


def check_backend(options: BackendOptions, *, gpus: float = 0.0, gpus_option: str = "--gpus_per_cell") -> int | None:
    """Refuses options that contradict each other, before anything is read or started.

    Args:
        options: The options.
        gpus: GPUs of a job, for ray.
        gpus_option: The command's option that gives them, for messages.

    Returns:
        How many jobs run at once, as far as the options tell; ``None`` if the queue decides.

    Raises:
        UsageError: An option is of another backend, or two exclude each other.
    """
    if options.backend != "slurm" and (options.slurm or options.max_parallel or options.no_wait):
        raise UsageError("--slurm, --max_parallel and --no_wait are for --backend slurm.")
    if options.backend != "ray" and (options.ray_address or gpus):
        raise UsageError(f"--ray_address and {gpus_option} are for --backend ray.")
    if options.backend == "ray":
        if options.gpus or options.per_gpu != 1:
            raise UsageError(f"--gpus names GPUs of this machine; with --backend ray give {gpus_option}.")
        return options.slots or 1
    if options.backend == "slurm":
        if options.gpus or options.per_gpu != 1 or options.slots:
            raise UsageError(
                "--gpus, --per_gpu and --slots are of this machine; with --backend slurm give --slurm gpus_per_node=1 "
                "and --max_parallel."
            )
        from iemomecp_dataset.jobs.slurm_request import read_request

        read_request(options.slurm)
        return options.max_parallel
    return len(_slots(options))


def open_backend(options: BackendOptions, folder: Path, *, cpus: float = 1.0, gpus: float = 0.0) -> Backend:
    """Opens the backend that the options name.

    Args:
        options: The options.
        folder: Folder of the output: SLURM keeps its records below, and finds its own jobs by it.
        cpus: Cores of a job, for ray.
        gpus: GPUs of a job, for ray; 0.5 puts two on each.

    Raises:
        UsageError: The options contradict each other.
        MissingDependencyError: The backend's package is not installed.
    """
    places = check_backend(options, gpus=gpus)
    if options.backend == "ray":
        from iemomecp_dataset.jobs.on_ray import RayBackend

        return RayBackend(address=options.ray_address, slots=places or 1, cpus=cpus, gpus=gpus)
    if options.backend == "slurm":
        from iemomecp_dataset.jobs.on_slurm import SlurmBackend

        return SlurmBackend(folder, options.slurm, max_parallel=options.max_parallel)
    from iemomecp_dataset.jobs.local import LocalBackend

    return LocalBackend(_slots(options))


def preview(options: BackendOptions, folder: Path, jobs: Sequence[Job]) -> str:
    """Builds what a dry run prints: the command of each job, and for SLURM the script that would be submitted.

    Args:
        options: The options.
        folder: Folder of the output.
        jobs: The jobs.

    Returns:
        The text.
    """
    text = "\n\n".join(f"$ {shlex.join(job.command)}" for job in jobs)
    if options.backend == "slurm" and jobs:
        from iemomecp_dataset.jobs.on_slurm import sbatch_script

        script = sbatch_script(folder, options.slurm, jobs, max_parallel=options.max_parallel)
        text = f"{text}\n\n{script}"
    return text


def _slots(options: BackendOptions) -> list[dict[str, str]]:
    """Builds the environment of every job that runs at once on this machine."""
    from iemomecp_dataset.jobs.local import cpu_slots, gpu_slots

    if options.gpus and options.slots:
        raise UsageError("Give --gpus (with --per_gpu) or --slots, not both.")
    if options.gpus:
        return gpu_slots(options.gpus.split(","), options.per_gpu)
    if options.per_gpu != 1:
        raise UsageError(f"--per_gpu {options.per_gpu} needs --gpus, the numbers of the GPUs.")
    # With neither, one job runs at a time, on the device that it finds.
    return [{}] if options.slots is None else cpu_slots(options.slots)
