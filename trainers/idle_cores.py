"""Says when a launcher leaves cores idle: ``accelerate launch`` gives a process on a CPU one thread unless told."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["idle_cores_hint"]


def idle_cores_hint(
    environment: Mapping[str, str], *, device: str, processes: int, threads: int, cores: int
) -> str | None:
    """What to tell who has more cores than the launcher lets a run use.

    Args:
        environment: The environment, in which the launcher leaves its traces.
        device: Kind of device that is trained on.
        processes: Processes that train together.
        threads: Threads of this one.
        cores: Cores that it may use.

    Returns:
        A sentence, or ``None`` where nothing is idle, or no launcher has set the threads.

    Example:
        >>> launched = {"ACCELERATE_DYNAMO_BACKEND": "NO"}
        >>> idle_cores_hint(launched, device="cpu", processes=1, threads=1, cores=4)
        'accelerate launch lets this run use 1 of 4 cores: accelerate launch --num_cpu_threads_per_process 4 uses all.'
        >>> idle_cores_hint({}, device="cpu", processes=1, threads=1, cores=4)
    """
    each = cores // processes
    if device != "cpu" or "ACCELERATE_DYNAMO_BACKEND" not in environment or threads != 1 or each < 2:
        return None
    return (
        f"accelerate launch lets this run use {processes} of {cores} cores: "
        f"accelerate launch --num_cpu_threads_per_process {each} uses all."
    )
