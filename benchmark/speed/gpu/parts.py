"""Parts of a measurement, run one after the other within a time limit; one that fails does not end the rest."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Literal, NamedTuple

from iemomecp_dataset.benchmark.speed.gpu.clock import free_memory

__all__ = ["Finished", "Part", "Row", "run_parts"]


class Row(NamedTuple):
    """One measured number, and the same of the alternative.

    Attributes:
        what: What was measured.
        value: The number.
        unit: Its unit.
        against: The alternative, measured in the same run; empty where there is none.
        against_value: Its number, in the same unit.
        better: Whether the ``larger`` number is the better one, or the ``smaller``.
        note: What a reader must know of it.
    """

    what: str
    value: float
    unit: str
    against: str = ""
    against_value: float | None = None
    better: Literal["larger", "smaller"] = "larger"
    note: str = ""

    @property
    def beyond_tolerance(self) -> bool:
        """Whether the alternative is a tolerance, and the number is larger or none at all.

        Example:
            >>> [Row("losses", loss, "", "tolerance", 1e-3).beyond_tolerance for loss in (1e-4, 1e-2, float("nan"))]
            [False, True, True]
        """
        return self.against == "tolerance" and self.against_value is not None and not self.value <= self.against_value

    @property
    def ratio(self) -> float | None:
        """How many times better ours is than the alternative; None without one.

        Example:
            >>> Row("ours", 6.0, "pairs/s", "a loop", 2.0).ratio, Row("ours", 2.0, "MB", "a loop", 6.0, "smaller").ratio
            (3.0, 3.0)
        """
        if not self.against_value or not self.value:
            return None
        return self.value / self.against_value if self.better == "larger" else self.against_value / self.value


@dataclass(frozen=True)
class Part:
    """One part of a section.

    Attributes:
        section: The section, as ``--only`` names it.
        name: What of it.
        run: Gives the rows.
    """

    section: str
    name: str
    run: Callable[[], Iterable[Row]]


@dataclass(frozen=True)
class Finished:
    """What became of a part.

    Attributes:
        part: The part.
        rows: What it has measured, up to a failure.
        seconds: What it took.
        reason: Why it did not run, or not to its end; empty if it did.
    """

    part: Part
    rows: tuple[Row, ...]
    seconds: float
    reason: str = ""


class _TimeOverError(BaseException):
    """The time limit has ended within a part; no ``except Exception`` on the way takes it for something else."""


def run_parts(
    parts: Sequence[Part],
    *,
    minutes: float,
    spent: float = 0.0,
    clock: Callable[[], float] = time.monotonic,
    began: Callable[[Part], object] = lambda _: None,
    after: Callable[[], object] = free_memory,
) -> list[Finished]:
    """Runs parts until the time is over; the one in progress is interrupted then.

    Args:
        parts: In the order of their importance.
        minutes: The time limit.
        spent: Seconds of it that are gone already.
        clock: Seconds.
        began: Called with each part before it runs.
        after: Called after each part.

    Returns:
        All parts, also those that did not run, with the reason.

    Example:
        >>> def fails():
        ...     yield Row("half of it", 1.0, "pairs/s")
        ...     raise RuntimeError("no memory")
        >>> for done in run_parts([Part("training", "base", fails), Part("predict", "base", lambda: [])], minutes=1):
        ...     print(done.part.section, len(done.rows), done.reason)
        training 1 RuntimeError: no memory
        predict 0
    """
    start, found = clock() - spent, []
    for part in parts:
        left = 60 * minutes - (clock() - start)
        if left <= 0:
            found.append(Finished(part, (), 0.0, f"not started: the {minutes:g} minutes were over"))
            continue
        began(part)
        rows: list[Row] = []
        reason, since = "", clock()
        try:
            with _ended_after(left):
                for row in part.run():
                    rows.append(row)
        except _TimeOverError:
            reason = f"interrupted: the {minutes:g} minutes were over"
        except Exception as error:  # of whatever kind: no other part depends on it
            reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}".removesuffix(": ")
        found.append(Finished(part, tuple(rows), clock() - since, reason))
        after()
    return found


@contextlib.contextmanager
def _ended_after(seconds: float) -> Iterator[None]:
    """Raises ``_TimeOverError`` within the block after some seconds, where the system has such an alarm."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(_: int, __: FrameType | None) -> None:
        raise _TimeOverError

    earlier = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, earlier)
