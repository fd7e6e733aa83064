"""Text files that people made, read with byte-order marks and CRLF; and written whole or not at all."""

from __future__ import annotations

import contextlib
from pathlib import Path

from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UsageError

__all__ = ["read_lines", "read_text", "write_text"]


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
