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
_BLOCKED = 8.0
"""Seconds by the clock, for a call that waits, at a named pipe say: other programs may share the processor."""

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
    global _allowed, _hooked
    if not _hooked:
        sys.addaudithook(_audit)
        _hooked = True

    def stop(number: int, frame: object) -> None:
        raise TooSlow(f"not done after {SECONDS:g} s" if number == signal.SIGPROF else "waits for something")

    before = {number: signal.signal(number, stop) for number in (signal.SIGPROF, signal.SIGALRM)}
    _seen.clear()
    _allowed = folder.resolve()
    started = time.process_time()
    # Again and again, as a destructor would swallow the first.
    signal.setitimer(signal.ITIMER_PROF, SECONDS, 0.5)
    signal.setitimer(signal.ITIMER_REAL, _BLOCKED, 1.0)
    found: list[str] = []
    try:
        yield found
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
        _allowed = None
        found += _seen
    if time.process_time() - started > SECONDS:
        raise TooSlow(f"took {time.process_time() - started:.1f} s")


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
