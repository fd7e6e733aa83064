"""Writes a folder of data as a whole: a reader finds the earlier folder or the new one, also after a crash.

The files are written into a hidden folder beside the target, which data loaders pass over, are synced, and take the
target's place by a rename. What a killed process has left is removed by the next one that writes the same folder.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from iemomecp_dataset.errors import IemomecpError, UsageError
from iemomecp_dataset.files.locks import locked_file
from iemomecp_dataset.files.places import not_written
from iemomecp_dataset.files.writing import put_in_place, sync_to_disk, target_of_partial

__all__ = ["whole_folder"]

_LOGGER = logging.getLogger(__name__)
_LOCK, _NEW, _COMPLETE, _EARLIER = "lock", "new", "complete", "earlier"


@contextlib.contextmanager
def whole_folder(target: Path, check: Callable[[Path, list[str]], None]) -> Iterator[Path]:
    """Writes a folder as a whole, in place of an earlier one.

    Args:
        target: The folder; a link is followed. Missing parents are made.
        check: Is given the folder and the files in it, as relative paths with slashes, where it has any; raises a
            :class:`UsageError` if it may not be replaced. It is asked before the work and again before the replacement.

    Yields:
        A new empty folder to write to. When the block ends, it takes the place of ``target``, which is then removed.
        When the block raises, ``target`` is as it was. Its parent has room for temporary files: it is removed at the
        end, or by the next writer after a kill.

    Raises:
        UsageError: ``target`` is a file, the current folder or a mount point, has files that are not to be replaced,
            or cannot be written to.

    Example:
        >>> import tempfile
        >>> def accept(folder, files):
        ...     print("replaces", files)
        >>> with tempfile.TemporaryDirectory() as place:
        ...     for text in ("one", "two"):
        ...         with whole_folder(Path(place) / "build", accept) as new:
        ...             _ = (new / "data.txt").write_text(text)
        ...     [path.name for path in Path(place).iterdir()], (Path(place) / "build" / "data.txt").read_text()
        replaces ['data.txt']
        replaces ['data.txt']
        (['build'], 'two')
    """
    try:
        real = Path(os.path.realpath(target))
        _check_place(target, real)
        real.parent.mkdir(parents=True, exist_ok=True)
        _clear_abandoned(real)
        _check_files(target, real, check)
        work = real.parent / f".{real.name}.{os.urandom(4).hex()}.building"
        work.mkdir()
    except IemomecpError:
        raise
    except OSError as error:
        raise not_written(target, error) from None
    try:
        with locked_file(work / _LOCK):
            new = work / _NEW
            new.mkdir()
            yield new
            if real.is_dir():
                shutil.copymode(real, new)
            put_in_place(new, work / _COMPLETE)
            _check_files(target, real, check)
            if not _exchanged(work / _COMPLETE, real):
                # A full folder cannot be renamed over another. After a crash in between, the next writer puts it back.
                if real.is_dir():
                    real.replace(work / _EARLIER)
                try:
                    (work / _COMPLETE).replace(real)
                except OSError:
                    if (work / _EARLIER).is_dir() and not real.exists():
                        (work / _EARLIER).replace(real)
                    raise
            sync_to_disk(real.parent)
    except IemomecpError:
        raise
    except OSError as error:
        raise not_written(target, error) from None
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _check_place(target: Path, real: Path) -> None:
    if real.exists() and not real.is_dir():
        raise UsageError(f"{target}: is a file; name a folder.")
    if not real.is_dir():
        return
    # The shell would stay in the removed folder, and a mount point cannot be renamed.
    kind = "the current folder" if real == Path.cwd() else "a mount point" if real.is_mount() else ""
    if kind:
        raise UsageError(
            f"{target}: is {kind}, and this command replaces its output folder as a whole. Name a folder in it, such "
            f"as {target / 'merged'}."
        )


def _check_files(target: Path, real: Path, check: Callable[[Path, list[str]], None]) -> None:
    if not real.is_dir():
        return
    files = [path for path in sorted(real.rglob("*")) if path.is_symlink() or not path.is_dir()]
    listed = [path.relative_to(real).as_posix() for path in files if target_of_partial(path.name) is None]
    if listed:
        check(target, listed)


def _clear_abandoned(real: Path) -> None:
    """Removes what killed writers of a folder have left, and puts back the earlier folder where it was moved away."""
    pattern = re.compile(re.escape(f".{real.name}.") + r"[0-9a-f]{8}\.building")
    for work in sorted(real.parent.iterdir()):
        if not pattern.fullmatch(work.name):
            continue
        try:
            with locked_file(work / _LOCK) as locked:
                if locked:
                    if (work / _EARLIER).is_dir() and not real.exists():
                        (work / _EARLIER).replace(real)
                    shutil.rmtree(work)
        except OSError as error:
            locked, why = None, f"it cannot be removed: {error.strerror}"
        else:
            why = "whether a process still writes it is not known: this file system has no locks"
        if locked is None:
            _LOGGER.warning("%s: was left by an earlier command; %s. Remove it.", work, why)


def _exchanged(one: Path, other: Path) -> bool:
    """Exchanges two folders in one step, which Linux alone can; tells whether it was done."""
    with contextlib.suppress(AttributeError, OSError, TypeError):  # no C library, or one without the call
        rename = ctypes.CDLL(None).renameat2
        return bool(rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0)
    return False


_HERE, _EXCHANGE = -100, 2
"""``AT_FDCWD`` and ``RENAME_EXCHANGE`` of Linux."""
