"""Decodes the bytes of a conversation's file: UTF-8, UTF-16 and UTF-32 by their marks, else Windows-1252."""

from __future__ import annotations

import codecs
import errno
import re
from pathlib import Path

from iemomecp_dataset.errors import IemomecpError, InvalidDataError, MissingDataError
from iemomecp_dataset.excerpts import shown
from iemomecp_dataset.files import check_file

__all__ = ["decode", "read_bytes"]

# The mark of UTF-32 begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# What Windows-1252 has no letter for, and controls that no text has.
_NOT_WINDOWS = re.compile(rb"[\x01-\x08\x0e-\x1a\x1c-\x1f\x7f\x81\x8d\x8f\x90\x9d]")
# Two or more letters of Windows-1252 in a row that are one letter of UTF-8 hardly occur in words.
_UTF_8 = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")


def read_bytes(path: Path) -> bytes:
    """Reads a file that a user names.

    Args:
        path: The file.

    Returns:
        Its bytes.

    Raises:
        MissingDataError: It is not there, is a folder, a named pipe or a device, or cannot be read.
        InvalidDataError: It is too large for a conversation (see :data:`~iemomecp_dataset.files.bounds.LARGEST_FILE`).
    """
    try:
        if path.is_dir():
            raise IsADirectoryError
        check_file(path)
        return path.read_bytes()
    except IemomecpError:  # Some are OSErrors, too.
        raise
    except FileNotFoundError:
        raise MissingDataError(f"{path}: there is no such file. Check its name and folder.") from None
    except IsADirectoryError:
        raise MissingDataError(
            f"{path}: is a folder, expected the file of a conversation. Name the files in it."
        ) from None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise MissingDataError(
                f"{shown(str(path))}: a name of {len(str(path))} characters, which no file has. Name the file of a "
                "conversation."
            ) from None
        if path.is_dir():  # Windows reports a folder as a permission error.
            raise MissingDataError(f"{path}: is a folder, expected the file of a conversation.") from None
        raise MissingDataError(f"{path}: cannot be read ({error.strerror}). Check the file and its rights.") from None
    except ValueError as error:
        raise MissingDataError(f"{str(path)!r}: not the name of a file ({error}).") from None


def decode(data: bytes, where: str) -> tuple[str, tuple[str, ...]]:
    r"""Decodes text.

    Args:
        data: The bytes of a file.
        where: The file, for errors.

    Returns:
        The text, without a byte-order mark, and what was assumed, one sentence each.

    Raises:
        InvalidDataError: Lines in different encodings, a damaged encoding, or no text at all.

    Example:
        >>> decode("Zoë: Hi!".encode("utf-16"), "chat.txt")
        ('Zoë: Hi!', ())
        >>> decode(b"Zo\xeb: Hi!", "chat.txt")[1]
        ("Read as Windows-1252, as it is not UTF-8: 1 character on 1 line, the first 'ë' on line 1.",)
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _decode_marked(data[len(mark) :], encoding, where), ()
    if b"\0" in data:
        raise InvalidDataError(
            f"{where}, line {_line(data, data.index(0))}: a NUL byte, so this is not text (or it is UTF-16 without a "
            "byte-order mark). Give a text file, saved as UTF-8."
        )
    try:
        return data.decode("utf-8"), ()
    except UnicodeDecodeError as error:
        first = error.start
    if found := _UTF_8.search(data):
        raise InvalidDataError(
            f"{where}, line {_line(data, first)}: mixed encodings, as the byte 0x{data[first]:02x} here is not UTF-8, "
            f"but line {_line(data, found.start())} has the letter {found.group().decode('utf-8', 'replace')!r} in "
            "UTF-8. Save the whole file as UTF-8."
        )
    if found := _NOT_WINDOWS.search(data):
        raise InvalidDataError(
            f"{where}, line {_line(data, found.start())}: neither UTF-8 nor Windows-1252 text, as it has the byte "
            f"0x{data[found.start()]:02x}. Save the file as UTF-8."
        )
    text = data.decode("cp1252")
    special = [line for line in text.split("\n") if not line.isascii()]
    characters = sum(not character.isascii() for line in special for character in line)
    return text, (
        f"Read as Windows-1252, as it is not UTF-8: {characters} character{'s' * (characters != 1)} on {len(special)} "
        f"line{'s' * (len(special) != 1)}, the first {data[first : first + 1].decode('cp1252')!r} on line "
        f"{_line(data, first)}.",
    )


def _decode_marked(data: bytes, encoding: str, where: str) -> str:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].decode(encoding, "ignore").count("\n") + 1
        raise InvalidDataError(
            f"{where}, line {line}: not {encoding.upper()}, which its byte-order mark states ({error.reason}), so the "
            "file is damaged or has mixed encodings. Save the whole file as UTF-8."
        ) from None
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise InvalidDataError(f"{where}, line {line}: a NUL character, so this is not text. Give a text file.")
    return text


def _line(data: bytes, position: int) -> int:
    # Line ends are LF, CRLF, or CR alone as on old Macs.
    before = data[:position]
    return len(re.findall(rb"\r\n|\r|\n", before)) + 1
