"""One speed measurement: our implementation against a named alternative."""

from __future__ import annotations

import contextlib
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

__all__ = ["SpeedRow", "best_seconds", "peak_memory", "processor_seconds"]


class SpeedRow(NamedTuple):
    """One measurement; times in seconds unless the names state another unit.

    Attributes:
        name: What our implementation did.
        ours_seconds: Its time.
        alternative_name: What it is compared with.
        alternative_seconds: The time of the alternative.
    """

    name: str
    ours_seconds: float
    alternative_name: str
    alternative_seconds: float

    @property
    def ratio(self) -> float:
        """Alternative over ours: how many times faster ours is."""
        return self.alternative_seconds / self.ours_seconds


def best_seconds(action: Callable[[], object], repeats: int) -> float:
    """Measures the shortest wall time of several calls.

    Args:
        action: What to measure.
        repeats: Number of calls.

    Returns:
        Seconds.
    """
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        action()
        times.append(time.perf_counter() - started)
    return min(times)


def peak_memory() -> int:
    """Peak resident memory of this process so far, in bytes."""
    status = Path("/proc/self/status")
    # On Linux ru_maxrss starts at the memory of the process that started this one.
    peak = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.is_file() else None
    if peak is not None:
        return int(peak[1]) * 1024
    import resource

    # Kilobytes on Linux, bytes on macOS.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def processor_seconds(process: int) -> float:
    """Processor time that a process and those that it has started have taken so far, waits left out.

    Args:
        process: Its number.

    Returns:
        Seconds, in user and system mode together. Of processes that it started and that have ended, what they took is
        included where the system adds it up (Linux).

    Raises:
        ProcessLookupError: There is no such process.
    """
    import psutil

    total = 0.0
    try:
        first = psutil.Process(process)
        everything = [first, *first.children(recursive=True)]
    except psutil.NoSuchProcess:
        raise ProcessLookupError(f"There is no process {process}.") from None
    for one in everything:
        # A process may end between the list and this line.
        with contextlib.suppress(psutil.NoSuchProcess):
            total += sum(getattr(one.cpu_times(), name, 0.0) for name in _KINDS)
    return total


_KINDS = ("user", "system", "children_user", "children_system")
