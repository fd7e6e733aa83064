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

from iemomecp_dataset.errors import UsageError

__all__ = ["check_processes_started", "end_with_launcher", "launcher_has_ended"]

_SET_BY_LAUNCHERS = ("ACCELERATE_DYNAMO_BACKEND", "TORCHELASTIC_RUN_ID")
"""Variables that accelerate and torch set for the processes they launch, and for no other purpose."""

_NUMBERS_OF_PROCESSES = ("WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")
"""Variables by which launchers say how many processes they have started."""

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


def check_processes_started() -> None:
    """Refuses a process that was to be one of several, of which ``accelerate launch`` has started this one alone.

    On CPUs accelerate leaves it to MPI to start them; without MPI each machine would train by itself.

    Raises:
        UsageError: It is.
    """
    if any(name in os.environ for name in _NUMBERS_OF_PROCESSES) or "ACCELERATE_DYNAMO_BACKEND" not in os.environ:
        return
    # accelerate sets the address for several processes; a user may have exported one for other programs.
    inherited = _variables_of(os.getppid())
    if "MASTER_ADDR" in os.environ and inherited is not None and b"MASTER_ADDR" not in inherited:
        raise UsageError(
            "accelerate launch was asked for several processes and has started one on this machine: without GPUs for "
            "them it leaves the others to MPI. On CPUs, use iemomecp train --cpu with the same options of the "
            "launcher, or ACCELERATE_USE_CPU=true accelerate launch --multi_gpu instead of accelerate launch --cpu."
        )


def _was_launched(parent: int) -> bool:
    """Whether a launcher's variables came from the parent, which had not got them itself from an earlier launcher."""
    given = [name for name in _SET_BY_LAUNCHERS if name in os.environ]
    inherited, shell = _variables_of(parent) or set(), False
    with contextlib.suppress(OSError):
        shell = Path(f"/proc/{parent}/comm").read_text(encoding="utf-8", errors="replace").strip() in _SHELLS
    return not shell and any(name.encode() not in inherited for name in given)


def _variables_of(process: int) -> set[bytes] | None:
    """Names of the variables that a process began with; None where the system does not tell."""
    try:
        return {line.partition(b"=")[0] for line in Path(f"/proc/{process}/environ").read_bytes().split(b"\0")}
    except OSError:
        return None
