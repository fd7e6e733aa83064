"""The program that launched this process: a trainer ends with it, whatever has ended it.

A launcher that is killed leaves its trainers running, and they would write into a folder in which the same command
begins again. Only ``accelerate launch``, ``torchrun`` and ``iemomecp train`` count. A trainer that a shell has started
goes on when its shell is killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import signal
import sys
from pathlib import Path

__all__ = ["end_with_launcher", "launcher_has_ended"]

_SET_BY_LAUNCHERS = ("ACCELERATE_DYNAMO_BACKEND", "TORCHELASTIC_RUN_ID")
"""Variables that accelerate and torch set for the processes they launch, and for no other purpose."""

_SHELLS = frozenset({"sh", "ash", "bash", "dash", "zsh", "fish", "ksh", "mksh", "csh", "tcsh"})
"""A variable that a user has exported comes from one of these."""

_PR_SET_PDEATHSIG = 1


def end_with_launcher() -> None:
    """Asks the system to send SIGTERM to this process when its launcher ends; without a launcher nothing happens.

    To be called as early as possible: a launcher that has ended before cannot be recognised any more. Only Linux sends
    the signal; elsewhere :func:`launcher_has_ended` tells.
    """
    _launcher_of(os.getpid())


def launcher_has_ended() -> bool:
    """Whether this process was launched, and its launcher is no more."""
    launcher = _launcher_of(os.getpid())
    return launcher is not None and os.getppid() != launcher


@functools.lru_cache(maxsize=1)
def _launcher_of(process: int) -> int | None:
    """The launcher of this process, if it has one.

    Args:
        process: This process: one that is forked from it has another launcher, or none.
    """
    parent = os.getppid()
    if not _was_launched(parent):
        return None
    if sys.platform == "linux":
        # The signal comes when the thread ends that has launched this process: in launchers it is the main one.
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
        if os.getppid() != parent:  # it has ended in between, before the system knew
            os.kill(process, signal.SIGTERM)
    return parent


def _was_launched(parent: int) -> bool:
    """Whether a launcher's variables came from the parent, which had not got them itself from an earlier launcher."""
    given = [name for name in _SET_BY_LAUNCHERS if name in os.environ]
    try:
        inherited = {line.partition(b"=")[0] for line in Path(f"/proc/{parent}/environ").read_bytes().split(b"\0")}
        shell = Path(f"/proc/{parent}/comm").read_text(encoding="utf-8", errors="replace").strip() in _SHELLS
    except OSError:  # there are no such files on this system, or the parent is another user's
        inherited, shell = set(), False
    return not shell and any(name.encode() not in inherited for name in given)
