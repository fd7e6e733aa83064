"""Files are read strictly: bounded, in UTF-8, and never one that could make the reader wait."""

from __future__ import annotations

import codecs
import hashlib
import json
import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from iemomecp_dataset.errors import IemomecpError, InvalidDataError, MissingDataError
from iemomecp_dataset.files.bounds import DEEPEST_JSON, LARGEST_FILE, LONGEST_LINE, MOST_DIGITS

__all__ = [
    "check_file",
    "check_lines",
    "file_digest",
    "parse_json",
    "read_bytes",
    "read_json",
    "read_lines",
    "read_text",
    "stream_lines",
]


def file_digest(path: Path) -> str:
    """Hashes a file, which may be larger than memory.

    Args:
        path: The file.

    Returns:
        Its SHA-256, 64 hexadecimal digits.

    Raises:
        MissingDataError: It is a named pipe, a device or a socket, which could keep the reader waiting.
        OSError: It cannot be read.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise MissingDataError(f"{path}: is no file. Put the file there.")
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_bytes(path: Path) -> bytes:
    """Reads a file as a whole.

    What could keep a reader waiting for ever is refused before it is opened: a named pipe, a device, a socket. What the
    shell has opened for this process is read: ``/dev/stdin``, and the ``/dev/fd/63`` that ``<(command)`` stands for.

    Args:
        path: The file.

    Returns:
        Its content.

    Raises:
        MissingDataError: It is not there, is no file, or cannot be read.
        InvalidDataError: It is larger than :data:`~iemomecp_dataset.files.bounds.LARGEST_FILE`.
    """
    try:
        check_file(path)
        if path.is_file():
            return path.read_bytes()
        with path.open("rb") as stream:  # A pipe does not tell its length.
            # In pieces: a buffer of the size that is asked for would be set aside for the smallest input.
            pieces: list[bytes] = []
            left = LARGEST_FILE + 1
            while left > 0 and (piece := stream.read(min(left, 1 << 20))):
                pieces.append(piece)
                left -= len(piece)
            content = b"".join(pieces)
    except OSError as error:
        if isinstance(error, IemomecpError):
            raise
        raise MissingDataError(f"{path}: cannot be read ({error.strerror}). Check the file and its rights.") from None
    except ValueError as error:  # A NUL character.
        raise MissingDataError(f"{str(path)!r}: not the name of a file ({error}).") from None
    if len(content) > LARGEST_FILE:
        raise _too_large(path, "more than")
    return content


def check_file(path: Path) -> None:
    """Checks that opening a file for reading does not wait, and that it can be read as a whole.

    Args:
        path: The file.

    Raises:
        MissingDataError: It is a folder, a named pipe, a device or a socket.
        InvalidDataError: It is larger than :data:`~iemomecp_dataset.files.bounds.LARGEST_FILE`.
        OSError: It is not there, or cannot be looked at.
    """
    found = path.stat()
    if stat.S_ISREG(found.st_mode):
        if found.st_size > LARGEST_FILE:
            raise _too_large(path, f"{found.st_size:,} bytes, more than")
        return
    if stat.S_ISDIR(found.st_mode):
        raise MissingDataError(f"{path}: cannot be read (it is a folder). Name a file in it.")
    if not _is_open_already(path):
        kind = next((name for test, name in _KINDS if test(found.st_mode)), "no file")
        raise MissingDataError(
            f"{path}: is {kind}, expected a file; reading it could wait for ever. Write its content to a file, or give "
            "it to standard input."
        )


_KINDS = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def _is_open_already(path: Path) -> bool:
    """Whether a path names a descriptor that this process was started with."""
    return str(path) == "/dev/stdin" or (
        path.name.isdigit() and str(path.parent) in ("/dev/fd", "/proc/self/fd", f"/proc/{os.getpid()}/fd")
    )


def _too_large(path: Path, size: str) -> InvalidDataError:
    return InvalidDataError(
        f"{path}: {size} the {LARGEST_FILE:,} that a file may have which is read as a whole. Is it the right file?"
    )


def read_text(path: Path) -> str:
    """Reads UTF-8 text.

    Args:
        path: The file.

    Returns:
        Its content, without a byte-order mark.

    Raises:
        MissingDataError: The file is not there or cannot be read.
        InvalidDataError: It is not UTF-8, or holds a NUL byte, which text in UTF-16 does.
    """
    content = read_bytes(path)
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise InvalidDataError(f"{path}: not UTF-8 text, but UTF-16 by its first two bytes. Save it as UTF-8.")
    # Text in UTF-16 whose letters are Latin is also valid UTF-8, every second byte of it a NUL.
    if (at := content.find(b"\0")) >= 0:
        raise InvalidDataError(
            f"{path}, line {content.count(10, 0, at) + 1}: not UTF-8 text (a NUL byte, which UTF-16 and damaged files "
            "have). Fetch the file again, or re-encode it."
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidDataError(
            f"{path}: not UTF-8 text (byte {error.start}: {error.reason}). Fetch the file again, or re-encode it."
        ) from None


def read_lines(path: Path) -> list[str]:
    """Reads UTF-8 text by lines.

    Args:
        path: The file.

    Returns:
        Its lines without line ends. Only LF and CRLF end a line: texts may hold other separators of Unicode.

    Raises:
        MissingDataError: The file is not there or cannot be read.
        InvalidDataError: It is not UTF-8, its lines end in a carriage return alone, or a line is longer than
            :data:`~iemomecp_dataset.files.bounds.LONGEST_LINE`.
    """
    text = read_text(path)
    if "\r" in text and "\n" not in text:
        raise InvalidDataError(
            f"{path}: its lines end in a carriage return (CR) alone, as old Macintosh programs wrote them. Convert "
            "them, such as by `tr '\\r' '\\n'`, or fetch the file again."
        )
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    check_lines(lines, str(path))
    return lines


def check_lines(lines: Iterable[str], where: str, *, first: int = 1) -> None:
    """Checks the length of lines.

    Args:
        lines: The lines of a file.
        where: The file, for the error.
        first: Number of the first one.

    Raises:
        InvalidDataError: A line is longer than :data:`~iemomecp_dataset.files.bounds.LONGEST_LINE`.

    Example:
        >>> check_lines(["Ana: Hi!", "Ben: " + "o" * 1_000_000], "chat.txt")
        Traceback (most recent call last):
            ...
        iemomecp_dataset.errors.InvalidDataError: chat.txt, line 2: 1,000,005 characters, more than the 1,000,000 ...
    """
    for number, line in enumerate(lines, start=first):
        if len(line) > LONGEST_LINE:
            raise InvalidDataError(
                f"{where}, line {number}: {len(line):,} characters, more than the {LONGEST_LINE:,} of the longest line "
                "that is read. Are its line ends missing, or is it another file?"
            )


def stream_lines(path: Path) -> Iterator[str]:
    """Reads UTF-8 text one line at a time, for files that need not fit in memory.

    Args:
        path: The file.

    Yields:
        Its lines with their line ends, without a byte-order mark. Only LF ends a line.

    Raises:
        MissingDataError: The file is not there or cannot be read.
        InvalidDataError: A line is not UTF-8, holds a NUL byte, or has more bytes than
            :data:`~iemomecp_dataset.files.bounds.LARGEST_FILE`.
    """
    number = 0
    try:
        if not path.is_file():
            check_file(path)
        with path.open("rb") as stream:
            while line := stream.readline(LARGEST_FILE + 1):
                number += 1
                if len(line) > LARGEST_FILE:
                    raise _too_large(path, f"line {number} has more bytes than")
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
        if isinstance(error, IemomecpError):
            raise
        raise MissingDataError(f"{path}: cannot be read ({error.strerror}). Check the file and its rights.") from None


def read_json(path: Path) -> Any:
    """Reads a JSON file.

    Args:
        path: The file, UTF-8, with or without a byte-order mark.

    Returns:
        Its content.

    Raises:
        MissingDataError: The file is not there or cannot be read.
        InvalidDataError: As in :func:`parse_json`.
    """
    return parse_json(read_text(path), str(path))


def parse_json(text: str, where: str, *, first_line: int = 1) -> Any:
    r"""Parses JSON strictly.

    Args:
        text: The JSON.
        where: Its file, for the error.
        first_line: Number of the line of the file on which the text begins, for the error.

    Returns:
        Its content.

    Raises:
        InvalidDataError: It is not valid JSON, is cut off, repeats a key within an object, is nested too deeply (see
            :data:`~iemomecp_dataset.files.bounds.DEEPEST_JSON`), has an integer that is larger than any float, or half
            of a surrogate pair, which no file in UTF-8 can hold.

    Example:
        >>> parse_json('{"turn": 1, "turn": 2}', "chat.json")
        Traceback (most recent call last):
            ...
        iemomecp_dataset.errors.InvalidDataError: chat.json: the key 'turn' is given twice in one object; ...
        >>> parse_json(r'[{"text": "Oh \ud83d"}]', "chat.json")
        Traceback (most recent call last):
            ...
        iemomecp_dataset.errors.InvalidDataError: chat.json, entry 1, 'text': half of a surrogate pair in 'Oh ?', ...
    """
    try:
        whole = _whole_number if _LONG_NUMBER.search(text) else None
        content = json.loads(text, object_pairs_hook=_unique, parse_int=whole)
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
    except RecursionError:
        raise _too_deep(where) from None
    except ValueError as error:  # An integer of hundreds of digits.
        raise InvalidDataError(f"{where}: not valid JSON for data ({str(error)[:120]}).") from None
    if _may_be_deep(text) and _is_deep(content):
        raise _too_deep(where)
    # Only an escape can state half of a pair, as the bytes of a file are UTF-8.
    if _SURROGATE.search(text) and (found := _half_pair(content)) is not None:
        place, value = found
        shown = value[:40].encode("utf-8", "replace").decode()
        raise InvalidDataError(
            f"{where}{place}: half of a surrogate pair in {shown!r}, so a letter is cut in two. Correct the text."
        )
    return content


def _whole_number(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"a number of {len(digits):,} digits")
    return int(digits)


_LONG_NUMBER = re.compile(rf"[0-9]{{{MOST_DIGITS + 1}}}")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def _too_deep(where: str) -> InvalidDataError:
    return InvalidDataError(
        f"{where}: not valid JSON for data (lists and objects are nested more than {DEEPEST_JSON} levels deep). Is it "
        "the right file?"
    )


def _may_be_deep(text: str) -> bool:
    """Whether more brackets are open somewhere than may be, those in texts counted, too: quick, and rarely true."""
    if text.count("[") + text.count("{") <= DEEPEST_JSON:
        return False
    import numpy as np

    steps = np.zeros(256, np.int8)
    steps[list(b"[{")] = 1
    steps[list(b"]}")] = -1
    characters = np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8)
    opened = 0
    for begin in range(0, len(characters), _BLOCK):
        depths = np.cumsum(steps[characters[begin : begin + _BLOCK]], dtype=np.int32)
        if opened + int(depths.max()) > DEEPEST_JSON:
            return True
        opened += int(depths[-1])
    return False


_BLOCK = 2**18
"""Bytes of JSON that are looked at in one go, which fit in a processor's cache."""


def _is_deep(content: Any) -> bool:
    level = [content] if isinstance(content, dict | list) else []
    for _ in range(DEEPEST_JSON):
        inner = (value.values() if isinstance(value, dict) else value for value in level)
        level = [value for values in inner for value in values if isinstance(value, dict | list)]
        if not level:
            return False
    return True


def _half_pair(content: Any) -> tuple[str, str] | None:
    """The first text with half of a surrogate pair, and where it is: entries counted from 1, and keys."""
    open_values: list[tuple[str, Any]] = [("", content)]
    while open_values:
        place, value = open_values.pop()
        if isinstance(value, str):
            if not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
                return place, value
        elif isinstance(value, dict):
            for key, inner in reversed(value.items()):
                open_values.append((f"{place}, {key[:40].encode('utf-8', 'replace').decode()!r}", inner))
                open_values.append((f"{place}, a key", key))
        elif isinstance(value, list):
            open_values += [(f"{place}, entry {number}", value[number - 1]) for number in range(len(value), 0, -1)]
    return None


class _RepeatedKeyError(Exception):
    """An object gives a key twice."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        seen: set[str] = set()
        raise _RepeatedKeyError(next(key for key, _ in pairs if key in seen or seen.add(key)))  # type: ignore[func-returns-value]
    return content
