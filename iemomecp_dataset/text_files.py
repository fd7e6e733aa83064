"""Reading text files that people made: byte-order marks, CRLF, and errors that name the file."""

from __future__ import annotations

from pathlib import Path

from iemomecp_dataset.errors import InvalidDataError, MissingDataError

__all__ = ["read_lines", "read_text"]


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
