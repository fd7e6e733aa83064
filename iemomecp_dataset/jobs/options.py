"""Where jobs run, as options of the commands that run jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from iemomecp_dataset.command_line import option
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.jobs.backend import Backend

__all__ = ["BackendOptions", "open_backend"]


@dataclass(frozen=True)
class BackendOptions:
    """Options of where jobs run; a command's own options inherit them."""

    backend: Literal["local", "ray", "slurm"] = option(
        "local", "processes of this machine, ray, or SLURM", group="where"
    )
    gpus: str | None = option(None, "local: numbers of the GPUs to use", group="where", metavar="0,1")
    per_gpu: int = option(1, "local: jobs at once on each GPU", minimum=1, limit=10_000, group="where")
    slots: int | None = option(
        None,
        "jobs at once on the CPU, local or in an embedded ray (default: 1)",
        minimum=1,
        limit=10_000,
        group="where",
    )
    ray_address: str | None = option(
        None,
        "ray: a cluster (auto, ray://host:10001) whose nodes have the same files; default: ray on this machine",
        group="where",
        metavar="ADDRESS",
    )
    slurm: tuple[str, ...] = option(
        (),
        "slurm: what each job requests: partition, account, qos, constraint, gpus_per_node, cpus, mem, minutes, "
        "setup='module load …'",
        group="where",
        metavar="KEY=VALUE",
    )
    max_parallel: int | None = option(None, "slurm: jobs at once", minimum=1, limit=10_000, group="where")
    no_wait: bool = option(False, "slurm: submit, print the states and end", group="where")


def open_backend(
    options: BackendOptions, folder: Path, *, cpus: float = 1.0, gpus: float = 0.0
) -> Backend:
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
    raise NotImplementedError
