"""Which process holds a folder or a file: locks of the operating system, which end with the process that took them.

A lock of a process that was killed holds nobody, as the system releases it. Where a file system has no locks, that is
said, and the work goes on without.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from iemomecp_dataset.errors import RunFolderError
from iemomecp_dataset.files.places import make_folder, not_written

__all__ = [
    "LOCK_FILE",
    "hold_folder",
    "locked_file",
    "marked_as_written",
    "remove_if_abandoned",
    "share_folder",
    "take_lock",
]

LOCK_FILE = ".lock"
"""Name of the file in a held folder; it says who holds it, and is removed at the end."""

_logger = logging.getLogger(__name__)

_HELD = frozenset({errno.EAGAIN, errno.EACCES, errno.EWOULDBLOCK})
_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL})

_descriptors: set[int] = set()
"""Descriptors by which this process, and none of its children, holds folders and files."""


def take_lock(descriptor: int, path: Path, *, shared: bool = False) -> bool:
    """Locks an open file for as long as a process has it open, unless another has locked it.

    Processes that inherit the descriptor hold the lock as well.

    Args:
        descriptor: The open file.
        path: Its path, for the message that its file system has no locks.
        shared: Lock it together with others that share it, and wait where one holds it alone.

    Returns:
        Whether it is locked now, or cannot be; False: another process holds it.
    """
    locked, reason = _lock(descriptor, shared=shared)
    if locked is None:
        _say_without_lock(path, reason)
    return locked is not False


@contextlib.contextmanager
def locked_file(file: Path) -> Iterator[bool | None]:
    """Opens a file and locks it for this process alone, which may have children: they do not hold it.

    Args:
        file: The file; it is made if it is missing.

    Yields:
        True; False where another process has locked it; None where the system has no locks.

    Raises:
        OSError: It cannot be opened or locked.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder, locked_file(Path(folder, "lock")) as first:
        ...     with locked_file(Path(folder, "lock")) as second:
        ...         first, second
        (True, False)
    """
    with _opened(file) as descriptor:
        yield _lock(descriptor)[0]


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[int]:
    """Opens a file, which is made if it is missing, for this process and none of its children."""
    owner, descriptor = os.getpid(), os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
    _descriptors.add(descriptor)
    try:
        yield descriptor
    finally:
        if os.getpid() == owner:
            _descriptors.discard(descriptor)
            os.close(descriptor)


def _lock(descriptor: int, *, shared: bool = False) -> tuple[bool | None, str]:
    """Locks an open file: True, False where another process has locked it, or None and why there are no locks."""
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:
        return None, "this system has none"
    except OSError as error:
        if error.errno in _HELD:
            return False, ""
        if error.errno not in _NO_LOCKS:
            raise
        return None, str(error.strerror)
    return True, ""


@contextlib.contextmanager
def hold_folder(folder: Path) -> Iterator[None]:
    """Holds a folder for this process alone, which may have children: they do not hold it.

    Args:
        folder: The folder; it is made if it is missing. At the end it is removed if it is empty.

    Raises:
        RunFolderError: Another process holds it; the message names it.
        UsageError: The folder cannot be made or written to.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as name, hold_folder(Path(name)):
        ...     with hold_folder(Path(name)):
        ...         pass
        Traceback (most recent call last):
            ...
        iemomecp_dataset.errors.RunFolderError: ... is in use by process ... Wait until it has ended, or end it...
    """
    file, owner = folder / LOCK_FILE, os.getpid()
    descriptor = _open_locked(folder, file)
    _descriptors.add(descriptor)
    try:
        # On a full disk the lock holds all the same, without a name.
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, 0)
            since = time.strftime("%Y-%m-%d %H:%M:%S")
            os.write(descriptor, f"process {owner} on {socket.gethostname()} since {since}\n".encode())
        yield
    finally:
        if os.getpid() == owner:
            _descriptors.discard(descriptor)
            # Removed while it is held: who has opened it in the meantime looks whether it is still there.
            with contextlib.suppress(OSError):
                file.unlink()
                folder.rmdir()
            os.close(descriptor)


@contextlib.contextmanager
def share_folder(folder: Path) -> Iterator[Callable[[], bool]]:
    """Uses a folder together with other processes that share it.

    Args:
        folder: The folder; it is made if it is missing. At the end it is removed if it is empty.

    Yields:
        A function that tells whether no other process uses the folder; if so, others wait from now on until this use
        has ended. Where the file system has no locks it is False.

    Raises:
        UsageError: The folder cannot be made or written to.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as name, share_folder(Path(name)) as alone:
        ...     with share_folder(Path(name)):
        ...         print(alone())
        ...     print(alone())
        False
        True
    """
    file, owner = folder / LOCK_FILE, os.getpid()
    descriptor = _open_locked(folder, file, shared=True)
    _descriptors.add(descriptor)

    def alone() -> bool:
        try:
            import fcntl
        except ImportError:
            return False
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_SH)  # what the attempt may have given up
        return False

    try:
        yield alone
    finally:
        if os.getpid() == owner:
            _descriptors.discard(descriptor)
            with contextlib.suppress(OSError):
                if alone():
                    file.unlink()
                    folder.rmdir()
            os.close(descriptor)


@contextlib.contextmanager
def marked_as_written(file: Path) -> Iterator[None]:
    """Makes an empty file and locks it while this process writes it, so that no other takes it for abandoned.

    Args:
        file: The file, which is not there. What is written must not replace it by another.

    Raises:
        OSError: It cannot be made.
    """
    try:
        import fcntl
    except ImportError:  # where an open file cannot be renamed either
        yield
        return
    with _opened(file) as descriptor:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def remove_if_abandoned(file: Path) -> bool:
    """Removes a temporary file whose writer was killed.

    Args:
        file: The file.

    Returns:
        Whether it is gone; False where its writer lives, or where the file system cannot tell.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, ".scores.csv.0a1b2c3d.partial")
        ...     with marked_as_written(file):
        ...         living = remove_if_abandoned(file)
        ...     living, remove_if_abandoned(file)
        (False, True)
    """
    try:
        import fcntl

        descriptor = os.open(file, os.O_RDWR)
    except (ImportError, OSError):
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        file.unlink()
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def _open_locked(folder: Path, file: Path, *, shared: bool = False) -> int:
    """Opens and locks the file of a folder, again where the process that held it has just removed it."""
    while True:
        make_folder(folder)
        try:
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
        except FileNotFoundError:
            continue  # the folder was removed, too
        except OSError as error:
            raise not_written(file, error) from None
        kept = False
        try:
            if not take_lock(descriptor, file, shared=shared):
                raise RunFolderError(
                    f"{folder} is in use by {_holder(descriptor)}. Wait until it has ended, or end it, and start the "
                    "same command again; or choose another folder."
                )
            with contextlib.suppress(FileNotFoundError):
                kept = os.path.samestat(os.fstat(descriptor), file.stat())
            if kept:
                return descriptor
        finally:
            if not kept:
                os.close(descriptor)


def _holder(descriptor: int) -> str:
    """The process that holds the file, as it has written it."""
    text = os.pread(descriptor, 300, 0).decode("utf-8", errors="replace").strip()
    return text if text.startswith("process ") and text.isprintable() else "another process"


def _say_without_lock(path: Path, reason: str) -> None:
    _logger.warning(
        "warning: %s cannot be locked (%s): that a second process writes there would not be noticed.", path, reason
    )


def _let_go() -> None:
    """Closes what was inherited: a forked process that outlives this one must not hold its folders."""
    for descriptor in _descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)
    _descriptors.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)
