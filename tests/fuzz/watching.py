"""Watches one call: how long it takes, what it writes and starts, and what it raises."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["SECONDS", "TooSlow", "watched"]

SECONDS = 2.0
"""Processor time that an example may take."""
_LOOK = 2.0
"""Seconds after which a call that waits is noticed, at a named pipe say: it has used no time of the processor."""
_IDLE = 0.005

_STARTS = frozenset(
    {"os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.startfile", "subprocess.Popen", "socket.connect",
     "socket.getaddrinfo", "pty.spawn", "webbrowser.open", "ctypes.dlopen"}
)  # fmt: skip
_CHANGES = frozenset(
    {"os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.truncate", "os.link", "os.symlink", "os.chmod", "os.chown",
     "shutil.rmtree", "shutil.move", "shutil.copyfile"}
)  # fmt: skip
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

_allowed: Path | None = None
_seen: list[str] = []
_hooked = False
_limited = False
_used = 0.0


class TooSlow(BaseException):
    """An example takes longer than it may. Not an Exception, which the code under test could catch."""


@contextmanager
def watched(folder: Path) -> Iterator[list[str]]:
    """Watches what happens inside.

    Args:
        folder: The folder in which files may be written.

    Yields:
        What was written elsewhere or started, in words; complete at the end.

    Raises:
        TooSlow: It takes longer than it may.
    """
    global _allowed, _hooked, _limited, _used
    if not _hooked:
        sys.addaudithook(_audit)
        for number in (signal.SIGPROF, signal.SIGALRM):
            signal.signal(number, _stop)
        _hooked = True
    _seen.clear()
    _allowed = folder.resolve()
    _used = started = time.process_time()
    found: list[str] = []
    try:
        _limited = True
        # Again and again, as a destructor would swallow the first.
        signal.setitimer(signal.ITIMER_PROF, SECONDS, SECONDS)
        signal.setitimer(signal.ITIMER_REAL, _LOOK, _LOOK)
        yield found
    finally:
        _limited = False
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        _allowed = None
        found += _seen
    if time.process_time() - started > SECONDS:
        raise TooSlow(f"took {time.process_time() - started:.1f} s")


def _stop(number: int, frame: object) -> None:
    global _used
    if not _limited:
        return
    if number == signal.SIGPROF:
        raise TooSlow(f"not done after {SECONDS:g} s")
    used = time.process_time()
    if used - _used < _IDLE:
        raise TooSlow("waits for something")
    _used = used


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if _allowed is None:
        return
    if event == "open":
        path, _, flags = arguments
        if isinstance(path, str | bytes | os.PathLike) and isinstance(flags, int) and flags & _WRITES:
            _note(f"writes {os.fsdecode(path)}", path)
    elif event in _CHANGES:
        for path in arguments[:2]:
            if isinstance(path, str | bytes | os.PathLike):
                _note(f"{event} {os.fsdecode(path)}", path)
    elif event in _STARTS:
        _seen.append(f"{event} {str(arguments)[:100]}")


def _note(words: str, path: Any) -> None:
    assert _allowed is not None
    given = os.path.abspath(os.fsdecode(path))  # noqa: PTH100  # Path.resolve would open folders itself
    if given.endswith(".pyc") or "__pycache__" in given or given == os.devnull:
        return
    if not given.startswith(f"{_allowed}{os.sep}") and given != str(_allowed):
        _seen.append(words)
