"""Time and memory of work on a device, which a GPU does after the call that asked for it has returned."""

from __future__ import annotations

import gc
import itertools
import statistics
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from iemomecp_dataset.benchmark.speed.measurement import peak_memory

if TYPE_CHECKING:
    import torch

__all__ = ["MEMORY_NAMES", "event_seconds", "free_memory", "peak_bytes", "repeated_seconds", "reset_peak", "wait_for"]

MEMORY_NAMES = {
    "cuda": "peak memory of tensors on the card (torch.cuda.max_memory_allocated)",
    "cpu": "peak resident set of the whole process so far",
}
"""What :func:`peak_bytes` measures, by type of the device."""


def wait_for(device: torch.device) -> None:
    """Waits until the device has done all that is queued."""
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize(device)


def repeated_seconds(
    action: Callable[[], object], device: torch.device, *, repeats: int, warm_up: int = 1
) -> tuple[list[float], float]:
    """Measures wall time from a device without work to a device without work, so that the CPU's part counts.

    Args:
        action: What to measure.
        device: Where it computes.
        repeats: Measured calls.
        warm_up: Calls before them.

    Returns:
        Seconds of each call of the warm-up, and the median of the measured calls.
    """
    taken = []
    for _ in range(warm_up + repeats):
        wait_for(device)
        began = time.perf_counter()
        action()
        wait_for(device)
        taken.append(time.perf_counter() - began)
    return taken[:warm_up], statistics.median(taken[warm_up:])


def event_seconds(action: Callable[[], object], device: torch.device, *, repeats: int, warm_up: int = 3) -> float:
    """Median time of calls as the device itself takes it: by events on a GPU, by the wall clock on a CPU.

    Args:
        action: Queues work.
        device: Where it computes.
        repeats: Measured calls.
        warm_up: Calls before them.

    Returns:
        Seconds.
    """
    import torch

    if device.type != "cuda":
        return repeated_seconds(action, device, repeats=repeats, warm_up=warm_up)[1]
    for _ in range(warm_up):
        action()
    marks: list[Any] = [torch.cuda.Event(enable_timing=True) for _ in range(repeats + 1)]  # type: ignore[no-untyped-call]
    marks[0].record()
    for mark in marks[1:]:
        action()
        mark.record()
    wait_for(device)
    return statistics.median(float(one.elapsed_time(other)) / 1000 for one, other in itertools.pairwise(marks))


def reset_peak(device: torch.device) -> None:
    """Lets the peak of memory begin anew, where the device has such a count."""
    import torch

    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_bytes(device: torch.device) -> int:
    """The peak of memory; :data:`MEMORY_NAMES` says of what."""
    import torch

    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else peak_memory()


def free_memory() -> None:
    """Frees what nothing refers to any more: models in circles of references, and memory that torch keeps for later."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
