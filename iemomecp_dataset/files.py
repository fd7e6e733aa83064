"""Files: text and JSON are read strictly; everything is written by one atomic writer, into folders made here.

An atomic write goes to a temporary file beside the target, is synced to disk and then renamed, so that a reader finds
the old content or the new one, also after a crash.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from iemomecp_dataset.errors import IemomecpError, InvalidDataError, MissingDataError, UsageError

__all__ = [
    "atomic_write",
    "make_folder",
    "not_written",
    "parse_json",
    "put_in_place",
    "read_json",
    "read_lines",
    "read_text",
    "stream_lines",
    "write_bytes",
    "write_json",
    "write_text",
]


def read_text(path: Path) -> str:
    """Reads UTF-8 text.

    Args:
        path: The file.

    Returns:
        Its content, without a byte-order mark.

    Raises:
        MissingDataError: The file is not there or cannot be read.
        InvalidDataError: It is not UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidDataError(
            f"{path}: not UTF-8 text (byte {error.start}: {error.reason}). Fetch the file again, or re-encode it."
        ) from None
    except OSError as error:
        raise MissingDataError(f"{path}: cannot be read ({error.strerror}). Check the file and its rights.") from None


def read_lines(path: Path) -> list[str]:
    """Reads UTF-8 text by lines.

    Args:
        path: The file.

    Returns:
        Its lines without line ends. Only LF and CRLF end a line: texts may hold other separators of Unicode.

    Raises:
        MissingDataError: The file is not there or cannot be read.
        InvalidDataError: It is not UTF-8.
    """
    return [line.removesuffix("\r") for line in read_text(path).split("\n")]


def stream_lines(path: Path) -> Iterator[str]:
    """Reads UTF-8 text one line at a time, for files that need not fit in memory.

    Args:
        path: The file.

    Yields:
        Its lines with their line ends, without a byte-order mark. Only LF ends a line.

    Raises:
        MissingDataError: The file is not there or cannot be read.
        InvalidDataError: A line is not UTF-8 or holds a NUL byte.
    """
    try:
        with path.open("rb") as stream:
            for number, line in enumerate(stream, start=1):
                # Text in UTF-16 whose letters are Latin is also valid UTF-8, every second byte of it a NUL.
                if b"\0" in line:
                    raise InvalidDataError(
                        f"{path}, line {number}: not UTF-8 text (a NUL byte, which UTF-16 and damaged files have). "
                        "Fetch the file again, or re-encode it."
                    )
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise InvalidDataError(
            f"{path}, line {number}: not UTF-8 text (byte {error.start} of the line: {error.reason}). Fetch the file "
            "again, or re-encode it."
        ) from None
    except OSError as error:
        raise MissingDataError(f"{path}: cannot be read ({error.strerror}). Check the file and its rights.") from None


def read_json(path: Path) -> Any:
    """Reads a JSON file.

    Args:
        path: The file, UTF-8, with or without a byte-order mark.

    Returns:
        Its content.

    Raises:
        MissingDataError: The file is not there or cannot be read.
        InvalidDataError: It is not valid JSON, is cut off, or repeats a key within an object.
    """
    return parse_json(read_text(path), str(path))


def parse_json(text: str, where: str, *, first_line: int = 1) -> Any:
    """Parses JSON strictly.

    Args:
        text: The JSON.
        where: Its file, for the error.
        first_line: Number of the line of the file on which the text begins, for the error.

    Returns:
        Its content.

    Raises:
        InvalidDataError: It is not valid JSON, is cut off, or repeats a key within an object.

    Example:
        >>> parse_json('{"turn": 1, "turn": 2}', "chat.json")
        Traceback (most recent call last):
            ...
        iemomecp_dataset.errors.InvalidDataError: chat.json: the key 'turn' is given twice in one object; ...
    """
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        ended = error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated")
        hint = "the file ends too early; fetch it again" if ended else "repair the file, or fetch it again"
        line = error.lineno + first_line - 1
        raise InvalidDataError(
            f"{where}, line {line}, column {error.colno}: not valid JSON ({error.msg}); {hint}."
        ) from None
    except _RepeatedKeyError as error:
        raise InvalidDataError(
            f"{where}: the key {str(error)[:80]!r} is given twice in one object; which of the two counts is unknown."
        ) from None
    except (RecursionError, ValueError) as error:
        # Nested thousands of levels deep, or an integer of thousands of digits.
        raise InvalidDataError(f"{where}: not valid JSON ({str(error)[:120]}).") from None


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


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Writes a file atomically with any writer that takes a path.

    When the block ends, the temporary file is synced and replaces the target. When it raises, the temporary file is
    removed and the target keeps its old content. A device or a pipe (``/dev/stdout``, say) is written to directly,
    as there is nothing to replace.

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
    # Random, so that two processes that write the same file, on two machines even, never share a temporary file.
    partial = path.with_name(f".{path.name}.{os.urandom(4).hex()}.partial")
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            yield path
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        put_in_place(partial, path)
    except IemomecpError:  # Some are OSErrors, too.
        raise
    except OSError as error:
        raise not_written(path, error) from None
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


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
            _sync(path)
        partial.replace(target)
        _sync(target.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise not_written(target, error) from None


def _sync(path: Path) -> None:
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
    """
    return UsageError(f"{path}: cannot be written ({error.strerror or error}). Choose another place.")


class _RepeatedKeyError(Exception):
    """An object gives a key twice."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        seen: set[str] = set()
        raise _RepeatedKeyError(next(key for key, _ in pairs if key in seen or seen.add(key)))  # type: ignore[func-returns-value]
    return content
