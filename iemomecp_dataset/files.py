"""Text and JSON files: read with byte-order marks, CRLF and strict about repeated keys; written whole or not at all."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UsageError

__all__ = ["read_json", "read_lines", "read_text", "write_text"]


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


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8 text; the file appears whole or not at all.

    Args:
        path: The file; its folder is made where there is none.
        text: Its content.

    Raises:
        UsageError: The place cannot be written to.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8", newline="")
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise UsageError(f"{path}: cannot be written ({error.strerror}). Choose another place.") from None


def read_json(path: Path) -> Any:
    """Reads a JSON file.

    Args:
        path: The file, UTF-8, with or without a byte-order mark.

    Returns:
        Its content.

    Raises:
        MissingDataError: The file is not there or cannot be read.
        InvalidDataError: It is no JSON, is cut off, or gives a key of one object twice.
    """
    text = read_text(path)
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        ended = error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated")
        hint = "the file ends too early; fetch it again" if ended else "repair the file, or fetch it again"
        raise InvalidDataError(
            f"{path}, line {error.lineno}, column {error.colno}: not valid JSON ({error.msg}); {hint}."
        ) from None
    except _RepeatedKeyError as error:
        raise InvalidDataError(
            f"{path}: the key {str(error)[:80]!r} is given twice in one object; which of the two counts is unknown."
        ) from None
    except (RecursionError, ValueError) as error:
        # Nested thousands of levels deep, or an integer of thousands of digits.
        raise InvalidDataError(f"{path}: not valid JSON ({str(error)[:120]}).") from None


class _RepeatedKeyError(Exception):
    """An object gives a key twice."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        seen: set[str] = set()
        raise _RepeatedKeyError(next(key for key, _ in pairs if key in seen or seen.add(key)))  # type: ignore[func-returns-value]
    return content
