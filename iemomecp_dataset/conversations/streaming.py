"""Reads conversations of files that need not fit in memory: JSON Lines and Parquet, one conversation a line or row.

A record is a line or a row. Records are read from the first to the last, or those at known places again.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from iemomecp_dataset.conversations.conversation import Conversation
from iemomecp_dataset.conversations.records import (
    NAMES,
    UTTERANCES,
    is_utterance,
    listed_utterances,
    read_conversation_record,
)
from iemomecp_dataset.errors import IemomecpError, InvalidDataError, MissingDataError
from iemomecp_dataset.excerpts import shown
from iemomecp_dataset.files import check_file, parse_json
from iemomecp_dataset.files.bounds import LARGEST_FILE

__all__ = ["STREAMED_SUFFIXES", "Record", "RecordFile", "is_streamable", "is_utf8", "open_records"]

STREAMED_SUFFIXES = (".jsonl", ".ndjson", ".parquet")
"""Suffixes of the files that are read so."""

_ROWS_AT_ONCE = 64
_MARKS_OF_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_EXPECTED = "an object with a list of utterances, such as {'dialogue_id': …, 'utterances': […]}"


@dataclass(frozen=True)
class Record:
    """A line of JSON Lines or a row of Parquet.

    Attributes:
        number: The line or row, counted from 1.
        offset: Where it begins: bytes before a line, rows before a row.
        conversations: What it holds: one conversation, or several where its utterances have different
            ``dialogue_id``. One without a name of its own has that of the file.
        error: Why it holds none.
    """

    number: int
    offset: int
    conversations: tuple[Conversation, ...] = ()
    error: InvalidDataError | None = None


class RecordFile(Protocol):
    """A file of records."""

    unit: str
    """What a record is called, ``line`` or ``row``."""

    def records(self) -> Iterator[Record]:
        """Reads every record once; broken ones have an error.

        Raises:
            MissingDataError: The file cannot be read.
            InvalidDataError: It cannot be read on from some place.
        """

    def record_at(self, number: int, offset: int) -> Record:
        """Reads one record again; those of a file are asked for in their order, as far as that can be."""

    def close(self) -> None:
        """Closes the file."""


def is_streamable(path: Path, *, broken: bool = False) -> bool:
    """Whether a file has a conversation on every line or row, by its suffix and its first record.

    Args:
        path: The file.
        broken: Judge by the first line that is JSON, as lines before it may be damaged.

    Returns:
        False for files of other formats, of one utterance a line, or in UTF-16; and where there is no such file.
    """
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return True
    try:
        if suffix not in STREAMED_SUFFIXES or not path.is_file():
            return False
        with path.open("rb") as stream:
            for line in filter(bytes.strip, iter(lambda: stream.readline(LARGEST_FILE), b"")):
                try:
                    value = parse_json(line.decode("utf-8-sig"), str(path))
                except (UnicodeDecodeError, InvalidDataError):
                    if broken and not line.startswith(_MARKS_OF_UTF_16):
                        continue
                    return False
                if broken and not (isinstance(value, dict) and (listed_utterances(value) or is_utterance(value))):
                    continue
                return isinstance(value, dict) and listed_utterances(value) is not None
    except OSError:
        return False
    return False


def is_utf8(path: Path) -> bool:
    """Whether a file of JSON Lines is in UTF-8, as its records have to be; Parquet always is.

    Args:
        path: The file, which need not fit in memory.
    """
    if path.suffix.lower() == ".parquet":
        return True
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with path.open("rb") as stream:
            while part := stream.read(1 << 20):
                decoder.decode(part)
        decoder.decode(b"", final=True)
    except (OSError, UnicodeDecodeError):
        return False
    return True


def open_records(path: Path) -> RecordFile:
    """Opens a file of conversations, by its suffix.

    Args:
        path: The file.

    Returns:
        Its records.

    Raises:
        MissingDataError: It is not there, is no file, or cannot be read.
        InvalidDataError: It is no Parquet, or its rows hold no conversations.
    """
    try:
        if not path.is_file():
            check_file(path)
            raise MissingDataError(f"{path}: is no file, and is to be read twice. Write its content to a file.")
        return _ParquetRows(path) if path.suffix.lower() == ".parquet" else _JsonLines(path)
    except IemomecpError:
        raise
    except FileNotFoundError:
        raise MissingDataError(f"{path}: there is no such file. Check its name and folder.") from None
    except OSError as error:
        raise MissingDataError(f"{path}: cannot be read ({error.strerror}). Check the file and its rights.") from None


class _JsonLines:
    unit = "line"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stream: BinaryIO = path.open("rb")

    def records(self) -> Iterator[Record]:
        self._stream.seek(0)
        number = offset = 0
        while line := self._line(number + 1):
            number += 1
            if line.strip(b" \t\r\n\xef\xbb\xbf" if number == 1 else b" \t\r\n"):
                yield self._record(number, offset, line)
            offset += len(line)

    def record_at(self, number: int, offset: int) -> Record:
        self._stream.seek(offset)
        return self._record(number, offset, self._line(number))

    def close(self) -> None:
        self._stream.close()

    def _line(self, number: int) -> bytes:
        try:
            line = self._stream.readline(LARGEST_FILE + 1)
        except OSError as error:
            raise MissingDataError(
                f"{self._path}: cannot be read ({error.strerror}). Check the file and its rights."
            ) from None
        if len(line) > LARGEST_FILE:
            raise InvalidDataError(
                f"{self._path}, line {number}: more than {LARGEST_FILE:,} bytes. Are its line ends missing?"
            )
        return line

    def _record(self, number: int, offset: int, line: bytes) -> Record:
        where = f"{self._path}, line {number}"
        try:
            if b"\0" in line:
                raise InvalidDataError(f"{where}: not UTF-8 text (a NUL byte). Save the file as UTF-8.")
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
            try:
                value = parse_json(text.rstrip("\r\n"), str(self._path), first_line=number)
            except InvalidDataError as error:  # Of what is not the syntax, it knows the file alone.
                said = str(error)
                raise (
                    error
                    if said.startswith(where)
                    else InvalidDataError(f"{where}{said.removeprefix(str(self._path))}")
                ) from None
            return Record(number, offset, _conversations(value, where, self._path, "jsonl"))
        except UnicodeDecodeError as error:
            reason = f"byte {error.start + 1} of the line: {error.reason}"
            return Record(
                number, offset, error=InvalidDataError(f"{where}: not UTF-8 text ({reason}). Save the file as UTF-8.")
            )
        except InvalidDataError as error:
            return Record(number, offset, error=error)


class _ParquetRows:
    unit = "row"

    def __init__(self, path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._path = path
        self._broken = (pa.ArrowException, UnicodeDecodeError, OSError, ValueError, OverflowError)
        try:
            self._file = pq.ParquetFile(path)
            names = list(self._file.schema_arrow.names)
            groups = [self._file.metadata.row_group(group).num_rows for group in range(self._file.num_row_groups)]
        except self._broken as error:
            raise self._damaged(error) from None
        wanted = {name: str(name).strip().lower() for name in names}
        self._columns = [name for name in names if wanted[name] in (*UTTERANCES, *NAMES)]
        self._unused = [name for name in names if name not in self._columns]
        if not any(wanted[name] in UTTERANCES for name in names):
            self._file.close()
            raise InvalidDataError(
                f"{path}: the columns {', '.join(map(shown, names[:8]))}, expected a conversation in every row: a "
                "column 'utterances' with a list of objects that have 'speaker' and 'text'. Group the utterances, or "
                "write them as .csv or .jsonl."
            )
        self._first_rows = [sum(groups[:group]) for group in range(len(groups) + 1)]
        self._position = -1
        self._rows_left: Iterator[tuple[int, Any]] = iter(())

    def records(self) -> Iterator[Record]:
        for position, row in self._rows(0):
            yield self._record(position, row)

    def record_at(self, number: int, offset: int) -> Record:
        # Rows that are passed over are decoded and not parsed; a row group before the wanted one is not even read.
        group = max(0, sum(first <= offset for first in self._first_rows[:-1]) - 1)
        if self._position < 0 or not self._first_rows[group] <= self._position <= offset:
            self._restart(group)
        for position, row in self._rows_left:
            self._position = position + 1
            if position == offset:
                return self._record(position, row)
        raise InvalidDataError(f"{self._path}: row {number} is no longer there. The file was changed: start anew.")

    def close(self) -> None:
        self._file.close()

    def _restart(self, group: int) -> None:
        self._position = self._first_rows[group]
        self._rows_left = self._rows(group)

    def _rows(self, group: int) -> Iterator[tuple[int, Any]]:
        position = self._first_rows[group]
        try:
            batches = self._file.iter_batches(
                _ROWS_AT_ONCE, row_groups=list(range(group, self._file.num_row_groups)), columns=self._columns
            )
            for batch in batches:
                batch.validate(full=True)
                for place in range(batch.num_rows):
                    yield position, batch.slice(place, 1)
                    position += 1
        except self._broken as error:
            if isinstance(error, IemomecpError):
                raise
            raise self._damaged(error) from None

    def _record(self, position: int, row: Any) -> Record:
        where = f"{self._path}, row {position + 1}"
        try:
            value = _without_nulls(row.to_pylist()[0])
            value |= dict.fromkeys(self._unused)
            return Record(position + 1, position, _conversations(value, where, self._path, "parquet"))
        except InvalidDataError as error:
            return Record(position + 1, position, error=error)
        except self._broken as error:
            found = InvalidDataError(f"{where}: cannot be read ({' '.join(str(error).split())[:200]}). Repair the row.")
            return Record(position + 1, position, error=found)

    def _damaged(self, error: Exception) -> InvalidDataError:
        return InvalidDataError(
            f"{self._path}: cannot be read as Parquet ({' '.join(str(error).split())[:200]}). Write the file again."
        )


def _conversations(value: Any, where: str, path: Path, format_name: str) -> tuple[Conversation, ...]:
    if not isinstance(value, dict | list):
        raise InvalidDataError(f"{where}: {shown(value)}, expected {_EXPECTED}.")
    if is_utterance(value) or (isinstance(value, list) and value != [] and all(isinstance(v, str) for v in value)):
        raise InvalidDataError(f"{where}: an utterance, expected a conversation: {_EXPECTED}.")
    drafts = read_conversation_record(value, where, path.parent)
    return tuple(draft.finished(draft.name or path.stem, format_name) for draft in drafts)


def _without_nulls(value: Any) -> Any:
    """Leaves out what a row has no value for: a column of Parquet has a place for it, where JSON has no key."""
    if isinstance(value, dict):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_without_nulls(inner) for inner in value]
    return value
