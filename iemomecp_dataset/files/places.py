"""Places that are written to: whether that can work, and one sentence with path and cause where it does not.

Libraries notice a full disk or a missing right each in their own words; here they become one error.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from iemomecp_dataset.errors import IemomecpError, UsageError

__all__ = [
    "FULL",
    "blamed_place",
    "check_place",
    "descriptor_of",
    "error_of_place",
    "followed",
    "make_folder",
    "not_written",
    "place_of_write",
    "writing_to",
]


def make_folder(path: Path) -> None:
    """Makes an output folder and its parents; one that is there stays as it is.

    Args:
        path: The folder.

    Raises:
        UsageError: It cannot be made (also: a file of that name exists).
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise not_written(path, error) from None


def check_place(path: Path) -> None:
    """Refuses a place that cannot be written to, before the work whose outcome goes there; nothing is written.

    Args:
        path: A file or folder that is there, or is to be made.

    Raises:
        UsageError: It may not be written to, lies below a file, or on a file system that is full or read-only.
    """
    try:
        place = followed(path)
        if descriptor_of(place) is not None:
            return
        found = place.exists()
        while not place.exists():
            place = place.parent
        if not found and not place.is_dir():
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        # A file is replaced by another of its folder; a device or a pipe is written to itself.
        place = place.parent if found and place.is_file() else place
        system = os.statvfs(place) if hasattr(os, "statvfs") else None  # not on Windows
        if not os.access(place, os.W_OK):
            code = errno.EROFS if system and system.f_flag & os.ST_RDONLY else errno.EACCES
            raise OSError(code, os.strerror(code))
        if place.is_dir() and system and system.f_blocks and not system.f_bfree:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError as error:
        raise not_written(path, error) from None


def followed(path: Path) -> Path:
    """The file that symbolic links lead to; a descriptor of this process is not followed.

    Raises:
        OSError: The links lead in a circle.
    """
    for _ in range(40):
        if descriptor_of(path) is not None or not path.is_symlink():
            return path
        path = path.parent / path.readlink()
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def descriptor_of(path: Path) -> int | None:
    """The descriptor of this process that a path names."""
    place = os.path.normpath(path.absolute())
    if place in _STREAMS:
        return _STREAMS[place]
    found = re.fullmatch(r"(?:/dev/fd|/proc/(?:self|(\d+))/fd)/(\d+)", place)
    return int(found[2]) if found and found[1] in (None, str(os.getpid())) else None


_STREAMS = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}


@contextlib.contextmanager
def writing_to(path: Path) -> Iterator[None]:
    """Makes one sentence of whatever a library raises in the block because a place cannot be written to.

    Args:
        path: What is written, a file or a folder; named where the library does not say which file it was.

    Raises:
        UsageError: The disk is full, a right is missing, a name is too long, and the like. Other errors pass.

    Example:
        >>> with writing_to(Path("runs/model")):
        ...     raise RuntimeError("Error while serializing: I/O error: Read-only file system (os error 30)")
        Traceback (most recent call last):
        iemomecp_dataset.errors.UsageError: runs/model: cannot be written (Read-only file system). Choose another place.
    """
    try:
        yield
    except IemomecpError:  # Some are OSErrors, too.
        raise
    except Exception as error:
        found = error_of_place(error, path)
        if found is None:
            raise
        named = Path(found.filename) if isinstance(found.filename, str) else path
        if not named.is_relative_to(path.parent):  # something else that the block reads
            raise
        if named is path:
            named = blamed_place(found, path)
        raise not_written(named if named.is_relative_to(path) or named == _SHARED_MEMORY else path, found) from error


_SHARED_MEMORY = Path("/dev/shm")


def blamed_place(error: OSError, place: Path) -> Path:
    """The place that an error is about, where it names none: semaphores of processes lie in shared memory.

    Args:
        error: An error of the system.
        place: Where was written to.

    Returns:
        ``place``; ``/dev/shm`` where that is full, and ``place`` is not.
    """
    elsewhere = error.errno in FULL and not _is_full(place) and _SHARED_MEMORY.is_dir() and _is_full(_SHARED_MEMORY)
    return _SHARED_MEMORY if error.filename is None and elsewhere else place


def error_of_place(error: BaseException, place: Path | None = None) -> OSError | None:
    """Finds the error of the operating system behind an exception of any library, where a place is the cause.

    Libraries wrap it (``datasets``), tell it in words alone (safetensors, pyarrow), or say only that a write has failed
    (PyTorch, Pillow); then a full disk is found by its free space.

    Args:
        error: The exception; what it was raised from is looked at, too.
        place: Where was written to, if known.

    Returns:
        The error; None where the exception has another cause, a missing file included.

    Example:
        >>> error_of_place(RuntimeError("I/O error: Read-only file system (os error 30)")).strerror
        'Read-only file system'
        >>> error_of_place(FileNotFoundError(2, "No such file or directory"))
    """
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        if isinstance(one, OSError) and not isinstance(one, IemomecpError) and one.errno in _CAUSES:
            return one
        told = re.search(r"\((?:os )?error (\d+)\)|\[errno (\d+)\]", str(one), re.IGNORECASE)
        code = int(told[1] or told[2]) if told else 0
        if code in _CAUSES:
            return OSError(code, os.strerror(code))
        if re.search(_FAILED_WRITES, str(one)):
            if place is None or _is_full(place):
                return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if _files_are_limited():
                return OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        one = one.__cause__ or one.__context__
    return None


_FAILED_WRITES = (
    "PytorchStreamWriter failed|inline_container|encoder error -2|Not enough disk space|disk is full|"
    "No usable temporary directory"
)
"""What PyTorch, Pillow, ``datasets``, SQLite and Python say without an error number of the system."""

_CAUSES = frozenset(
    {
        *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO),
        *(errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENXIO, errno.EMFILE, errno.ENFILE),
    }
)
"""Error numbers of the system that a place has caused."""


FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Error numbers of a disk or a quota that is used up, and of a file that is larger than it may be."""


def place_of_write() -> str:
    """Names the place that an error without a path is about, where a disk is full.

    Returns:
        A file on a full file system that this process writes, standard output if it is one, else the first usual place
        that is full, else words.
    """
    descriptors = Path("/proc/self/fd")  # of Linux
    for link in descriptors.iterdir() if descriptors.is_dir() else ():
        with contextlib.suppress(OSError):
            file = link.readlink()
            if int(link.name) > 2 and file.is_file() and _writes(int(link.name)) and _is_full(file):
                return str(file)
    with contextlib.suppress(OSError):
        state = os.fstat(1)
        if stat.S_ISCHR(state.st_mode) or _is_full(Path("/proc/self/fd/1").resolve()):  # /dev/full is a device
            return "standard output"
    usual = (Path.cwd(), Path(tempfile.gettempdir()), Path(os.environ.get("HF_HOME", Path.home())), _SHARED_MEMORY)
    return next((str(place) for place in usual if _is_full(place)), "a file")


def _writes(descriptor: int) -> bool:
    import fcntl

    return bool(fcntl.fcntl(descriptor, fcntl.F_GETFL) & (os.O_WRONLY | os.O_RDWR))


def _files_are_limited() -> bool:
    """Whether there is a limit on the size of a file that this process writes (``ulimit -f``)."""
    try:
        import resource
    except ImportError:  # not on Windows
        return False
    return resource.getrlimit(resource.RLIMIT_FSIZE)[0] != resource.RLIM_INFINITY


def _is_full(place: Path) -> bool:
    """Whether the file system of a place has no room left."""
    place = place.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    with contextlib.suppress(OSError):
        return shutil.disk_usage(place).free < 2**20
    return False


def not_written(path: Path, error: OSError) -> UsageError:
    """Builds the error for a place that cannot be written to.

    Args:
        path: The file or folder.
        error: What the system says; its file name is left out, as the message begins with the path.

    Returns:
        The error.

    Example:
        >>> print(not_written(Path("/proc/runs"), FileNotFoundError(2, "No such file or directory", "/proc/runs")))
        /proc/runs: cannot be written (No such file or directory). Choose another place.
        >>> print(not_written(Path("x"), OSError(36, "File name too long")))
        x: cannot be written (File name too long). Choose another place.
    """
    cause = os.strerror(error.errno) if error.errno else error.strerror or str(error)
    advice = "Choose another place."
    if error.errno == errno.EFBIG:
        advice = "Raise the limit on the size of a file (ulimit -f), or choose another place."
    elif error.errno in FULL:
        advice = "Make space there and start the same command again, or choose another place."
    shown = str(path) if len(str(path)) <= _LONGEST_SHOWN else f"{str(path)[:80]}...{str(path)[-80:]}"
    return UsageError(f"{shown}: cannot be written ({cause}). {advice}")


_LONGEST_SHOWN = 1000
