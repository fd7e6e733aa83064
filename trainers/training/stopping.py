"""Requests to stop a session of a run: signals, a time limit, and the end of the launcher.

A session stops between two steps, so that a checkpoint can be written first.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from enum import Enum
from types import FrameType, TracebackType
from typing import Any

import torch
from accelerate import Accelerator

from iemomecp_dataset.trainers.training.launcher import launcher_has_ended

__all__ = ["StopReason", "StopRequested", "StopRequests"]

_SAME_INTERRUPT_SECONDS = 1.0

_HANG_UP = getattr(signal, "SIGHUP", None)
"""Sent when a terminal is closed; Windows has none."""


class StopReason(Enum):
    """Reason for which a session stops before the run is complete."""

    TERMINATED = "SIGTERM"
    INTERRUPTED = "SIGINT"
    HUNG_UP = "SIGHUP"
    TIME_OVER = "--max_hours"
    LAUNCHER_ENDED = "the end of its launcher"

    def end_process(self) -> None:
        """Ends the process as this reason does; where the time is over, it goes on to its own end.

        Raises:
            KeyboardInterrupt: It was SIGINT.
            SystemExit: It was another signal or the end of the launcher; with 128 and the signal's number.

        Example:
            >>> StopReason.TIME_OVER.end_process()
            >>> StopReason.HUNG_UP.end_process()
            Traceback (most recent call last):
            SystemExit: 129
        """
        if self is StopReason.INTERRUPTED:
            raise KeyboardInterrupt
        if self is StopReason.HUNG_UP:
            raise SystemExit(128 + int(_HANG_UP or signal.SIGTERM))
        if self is not StopReason.TIME_OVER:
            raise SystemExit(128 + signal.SIGTERM)


class StopRequested(Exception):  # noqa: N818 - a request, not an error
    """Stops a session; caught within the training loop."""

    def __init__(self, reason: StopReason):
        super().__init__(reason.value)
        self.reason = reason


class StopRequests:
    """Context manager that records stop requests; all processes of a run see each request at the same step.

    The first SIGINT, SIGTERM or SIGHUP is recorded. A second SIGINT raises :class:`KeyboardInterrupt` at once. Outside
    the main thread, where Python does not allow signal handlers, only the time limit applies. The previous handlers are
    restored on exit.

    Args:
        accelerator: The accelerator of this process.
        max_hours: Time limit of the session in hours from now; ``None`` for no limit.
    """

    def __init__(self, accelerator: Accelerator, max_hours: float | None = None):
        self._accelerator = accelerator
        self._deadline = None if max_hours is None else time.monotonic() + 3600 * max_hours
        self._noted: int | None = None
        self._interrupted_at: float | None = None
        self._handlers: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopRequests:
        """Installs the handlers."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM, _HANG_UP):
                # Ignored signals stay ignored: a shell starts its background jobs with SIGINT ignored, nohup SIGHUP.
                if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                    self._handlers[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Restores the previous handlers."""
        for number, handler in self._handlers.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._handlers.clear()

    def reason(self, *, timed: bool = True) -> StopReason | None:
        """Returns the reason to stop now, if any.

        The answer is the same on every process; all processes must call this equally often.

        Args:
            timed: Whether the time limit applies, by the clock of the main process.
        """
        over = timed and self._deadline is not None and time.monotonic() > self._deadline
        # Its end also sends SIGTERM, where the system does that; and Ctrl-C or a closed terminal end a launcher, too.
        left = launcher_has_ended() and self._noted not in (signal.SIGINT, _HANG_UP or signal.SIGINT)
        asked = [
            self._noted == signal.SIGTERM and not left,
            self._noted == signal.SIGINT,
            self._noted is not None and self._noted == _HANG_UP,
            over and self._accelerator.is_main_process,
            left,
        ]
        if self._accelerator.num_processes > 1:
            flags = torch.tensor(asked, dtype=torch.float32, device=self._accelerator.device)
            asked = (self._accelerator.reduce(flags, reduction="sum") > 0).tolist()
        return next((reason for reason, is_asked in zip(StopReason, asked, strict=True) if is_asked), None)

    def watch(self, batches: Iterable[Any]) -> Iterator[Any]:
        """Yields the batches unchanged and stops the session between two of them if a signal has arrived.

        The time limit does not apply, because interrupted scoring would have to start again from the beginning.

        Raises:
            StopRequested: A signal has arrived.
        """
        for batch in batches:
            yield batch
            if reason := self.reason(timed=False):
                raise StopRequested(reason)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            now = time.monotonic()
            # A launcher forwards the Ctrl-C that the terminal has already sent to all processes.
            if self._interrupted_at is not None and now - self._interrupted_at > _SAME_INTERRUPT_SECONDS:
                raise KeyboardInterrupt
            if self._interrupted_at is None and self._accelerator.is_main_process:
                # Bypasses sys.stderr, which may be in the middle of writing when the signal arrives.
                os.write(2, b"\nEnding after this step, with a checkpoint. Ctrl-C again ends at once.\n")
            self._interrupted_at = self._interrupted_at or now
        self._noted = self._noted or number
