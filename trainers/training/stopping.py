"""Requests to end a session of a run: signals, and the time it may take.

A request is honoured between two steps, so that a checkpoint can be written first.
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

__all__ = ["StopReason", "StopRequested", "StopRequests"]

_SAME_INTERRUPT_SECONDS = 1.0


class StopReason(Enum):
    """Why a session ends before its run is complete."""

    TERMINATED = "SIGTERM"
    INTERRUPTED = "SIGINT"
    TIME_OVER = "--max_hours"


class StopRequested(Exception):  # noqa: N818 - nothing is wrong
    """Ends a session; never leaves the training loop."""

    def __init__(self, reason: StopReason):
        super().__init__(reason.value)
        self.reason = reason


class StopRequests:
    """Takes notice of requests while it is entered; all processes of a run learn of each at the same step.

    The first SIGINT or SIGTERM is noted. A second SIGINT raises :class:`KeyboardInterrupt` at once. Outside the main
    thread, where Python allows no handlers, only time counts. Handlers are put back on leaving.

    Args:
        accelerator: The processes.
        max_hours: Time from now on that the session may take; ``None`` for any.
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
            for number in (signal.SIGINT, signal.SIGTERM):
                # What is ignored stays so: a shell starts its background jobs deaf to Ctrl-C.
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._handlers[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Puts the former handlers back."""
        for number, handler in self._handlers.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._handlers.clear()

    def reason(self, *, timed: bool = True) -> StopReason | None:
        """Why to stop now, if so; the same answer on every process, which must all ask equally often.

        Args:
            timed: Whether time counts, which is that of the main process.
        """
        over = timed and self._deadline is not None and time.monotonic() > self._deadline
        asked = [
            self._noted == signal.SIGTERM,
            self._noted == signal.SIGINT,
            over and self._accelerator.is_main_process,
        ]
        if self._accelerator.num_processes > 1:
            flags = torch.tensor(asked, dtype=torch.float32, device=self._accelerator.device)
            asked = (self._accelerator.reduce(flags, reduction="sum") > 0).tolist()
        return next((reason for reason, is_asked in zip(StopReason, asked, strict=True) if is_asked), None)

    def watch(self, batches: Iterable[Any]) -> Iterator[Any]:
        """Hands batches through; between them, a signal ends the session. Time does not, for scoring starts anew.

        Raises:
            StopRequested: A signal has come.
        """
        for batch in batches:
            yield batch
            if reason := self.reason(timed=False):
                raise StopRequested(reason)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            now = time.monotonic()
            # A launcher of several processes passes on the Ctrl-C that the terminal has sent to all of them already.
            if self._interrupted_at is not None and now - self._interrupted_at > _SAME_INTERRUPT_SECONDS:
                raise KeyboardInterrupt
            if self._interrupted_at is None and self._accelerator.is_main_process:
                # Written past the streams, which may be in the middle of a line of their own.
                os.write(2, b"\nEnding after this step, with a checkpoint. Ctrl-C again ends at once.\n")
            self._interrupted_at = self._interrupted_at or now
        self._noted = self._noted or number
