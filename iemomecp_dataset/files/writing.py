"""Everything is written by one atomic writer.

An atomic write goes to a temporary file beside the target, is synced to disk and then renamed, so that a reader finds
the old content or the new one, also after a crash.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from iemomecp_dataset.errors import IemomecpError
from iemomecp_dataset.files.locks import marked_as_written, remove_if_abandoned
from iemomecp_dataset.files.places import descriptor_of, followed, not_written, writing_to

__all__ = [
    "atomic_write",
    "holds_file",
    "put_in_place",
    "sync_to_disk",
    "target_of_partial",
    "write_bytes",
    "write_json",
    "write_text",
]


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8 text atomically, line ends as they are.

    Args:
        path: The file; missing parent folders are created.
        text: Its content.

    Raises:
        UsageError: The place cannot be written to.
    """
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, content: Any, *, indent: int | None = 2) -> None:
    """Writes JSON atomically, as UTF-8 with a final line feed.

    Args:
        path: The file; missing parent folders are created.
        content: What :func:`json.dumps` accepts, without NaN and infinities, which are not valid JSON.
        indent: As in :func:`json.dumps`.

    Raises:
        UsageError: The place cannot be written to.
    """
    write_text(path, json.dumps(content, indent=indent, ensure_ascii=False, allow_nan=False) + "\n")


def write_bytes(path: Path, content: bytes) -> None:
    """Writes bytes atomically.

    Args:
        path: The file; missing parent folders are created.
        content: Its content.

    Raises:
        UsageError: The place cannot be written to.
    """
    with atomic_write(path) as partial:
        partial.write_bytes(content)


def holds_file(path: Path) -> bool:
    """Whether :func:`atomic_write` replaces a file there: devices, pipes and descriptors keep nothing to look at.

    Args:
        path: The path.
    """
    return path.is_file() and descriptor_of(followed(path)) is None


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Writes a file atomically with any writer that takes a path.

    When the block ends, the temporary file is synced and replaces the target. When it raises, the temporary file is
    removed and the target keeps its old content. Of a symbolic link the file that it leads to is replaced, and the link
    stays. A device or a pipe is written to directly, as there is nothing to replace, and what a descriptor of this
    process (``/dev/stdout``, ``/dev/fd/3``) leads to gets the content at its end.

    Args:
        path: The file; missing parent folders are created.

    Yields:
        The temporary path to write to. Its suffix is another one than the target's, so a writer that goes by suffixes
        must be told the format.

    Raises:
        UsageError: The place cannot be written to (also: the disk is full, or the target is a folder).

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with atomic_write(Path(folder) / "scores.csv") as partial:
        ...         _ = partial.write_text("pair_f1 0.5")
        ...     [path.name for path in Path(folder).iterdir()]
        ['scores.csv']
    """
    descriptor = None
    try:
        with writing_to(path):
            target = followed(path)
            descriptor = descriptor_of(target)
            if _is_device_or_pipe(target):
                yield target
            elif descriptor is not None:
                with tempfile.TemporaryDirectory() as folder:
                    yield Path(folder, "content")
                    _append(Path(folder, "content"), descriptor)
            else:
                with _replaced(target) as partial:
                    yield partial
    except IemomecpError:
        raise
    except OSError as error:
        if descriptor is not None and isinstance(error, BrokenPipeError):
            raise  # the reader of our output went away
        raise not_written(path, error) from None


@contextlib.contextmanager
def _replaced(target: Path) -> Iterator[Path]:
    """Yields a file beside another one, which it replaces when the block ends."""
    # Random, so that two processes that write the same file, on two machines even, never share a temporary file.
    # Cut, as a file may have a name of 255 bytes and no more.
    name = os.fsdecode(os.fsencode(target.name)[:_LONGEST_NAME])
    if target.is_dir():  # "." has no name beside which a temporary file could lie
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    partial = target.with_name(f".{name}.{os.urandom(4).hex()}.partial")
    try:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except FileExistsError:  # and no folder
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None
        _remove_abandoned(target.parent, name)
        with marked_as_written(partial):
            yield partial
            put_in_place(partial, target)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def _remove_abandoned(folder: Path, name: str) -> None:
    """Removes what killed processes have left beside a file of this name.

    The folder is listed once: to list it again for each of thousands of files would take longer than to write them.
    """
    folder = folder.absolute()  # the same relative path is another folder after a change of the current one
    if folder not in _ABANDONED:
        found = [(target_of_partial(path.name), path) for path in folder.iterdir()]
        _ABANDONED[folder] = [(of_name, path) for of_name, path in found if of_name is not None]
    for of_name, path in [*_ABANDONED[folder]]:
        if of_name == name:
            remove_if_abandoned(path)
            _ABANDONED[folder].remove((of_name, path))


def target_of_partial(name: str) -> str | None:
    """The name of the file that a temporary file of :func:`atomic_write` was to replace.

    Args:
        name: Name of any file.

    Returns:
        The name of the target, of which a long one is cut; None if the file is no such temporary file.

    Example:
        >>> target_of_partial(".scores.csv.0a1b2c3d.partial"), target_of_partial("scores.csv.partial")
        ('scores.csv', None)
    """
    match = _PARTIAL.fullmatch(name)
    return match[1] if match else None


_PARTIAL = re.compile(r"\.(.+)\.[0-9a-f]{8}\.partial", re.DOTALL)
_ABANDONED: dict[Path, list[tuple[str, Path]]] = {}
"""By absolute path of a folder: temporary files found when this process first wrote there, and their targets."""


_LONGEST_NAME = 230


def _is_device_or_pipe(path: Path) -> bool:
    return path.exists() and not path.is_file() and not path.is_dir() and not path.is_socket()


def _append(content: Path, descriptor: int) -> None:
    """Writes a file's content where a descriptor stands: opening it by its name would cut off what is there."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    with content.open("rb") as source, open(os.dup(descriptor), "wb") as target:
        shutil.copyfileobj(source, target)


def put_in_place(partial: Path, target: Path) -> None:
    """Syncs a complete file or folder and renames it, the last step of an atomic write.

    Args:
        partial: The file or folder, beside ``target``. A file is removed if this fails.
        target: Its final path; a file there is replaced.

    Raises:
        UsageError: It cannot be renamed.
    """
    try:
        for path in (partial, *partial.rglob("*")):
            sync_to_disk(path)
        partial.replace(target)
        sync_to_disk(target.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise not_written(target, error) from None


def sync_to_disk(path: Path) -> None:
    """Waits until what was written to a file, or the names in a folder, are on disk.

    Args:
        path: The file or folder. Where the system cannot sync folders, nothing is done with one.

    Raises:
        OSError: The file cannot be opened or synced.
    """
    if not path.is_dir():
        with path.open("r+b") as stream:
            os.fsync(stream.fileno())
        return
    # Windows cannot open folders, and some network file systems cannot sync them.
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
