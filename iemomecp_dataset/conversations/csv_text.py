"""Conversations as a table: CSV with commas, semicolons, tabs or bars, a header and one utterance per line."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator

from iemomecp_dataset.conversations.draft import NotThisFormatError, Reading, Source
from iemomecp_dataset.conversations.fields import fields_of
from iemomecp_dataset.conversations.records import read_utterances
from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.excerpts import shown

__all__ = ["read_csv_text"]

_DELIMITERS = (",", "\t", ";", "|")


def read_csv_text(text: str, source: Source) -> Reading:
    r"""Reads a table.

    Args:
        text: A header that names columns for speaker and text, in any order and case, and a line per utterance. With a
            column ``dialogue_id`` or ``conversation`` it may hold several conversations.
        source: The file, for errors, and the folder of its recordings.

    Returns:
        The conversations.

    Raises:
        NotThisFormatError: The first line names no such columns.
        InvalidDataError: A line has another number of cells than the header, quotation marks are not closed, or an
            utterance is invalid.

    Example:
        >>> (draft,) = read_csv_text('Who;Line\nAna;"We missed it; sorry."', Source("chat.csv")).drafts
        >>> draft.utterances[0].text
        'We missed it; sorry.'
    """
    where = source.where
    first = text.lstrip("\r\n").splitlines()[0] if text.strip() else ""
    delimiter = next((mark for mark in _DELIMITERS if _is_header(first, mark)), None)
    if delimiter is None:
        raise NotThisFormatError(f"no columns for speaker and text in its first line, {shown(first)}")
    # With an empty newline the reader sees the line breaks within quotation marks as they are.
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    empty: list[str] = []

    def records() -> Iterator[tuple[str, dict[str, str]]]:
        header: list[str] | None = None
        line = 1
        while True:
            try:
                cells = next(rows, None)
            except csv.Error as error:
                raise InvalidDataError(
                    f"{where}, line {line}: not valid CSV ({error}). Put cells that hold quotation marks into "
                    "quotation marks, and double those within."
                ) from None
            if cells is None:
                return
            place, line = f"line {line}", rows.line_num + 1
            if not any(cell.strip() for cell in cells):
                if cells:
                    empty.append(place)
            elif header is None:
                header = [cell.strip() for cell in cells]
                if len(set(header)) < len(header):
                    times = Counter(header)
                    if twice := next((name for name in header if name and times[name] > 1), None):
                        raise InvalidDataError(
                            f"{where}, {place}: two columns are called {shown(twice)}. Rename one of them."
                        )
            elif len(cells) != len(header):
                raise InvalidDataError(
                    f"{where}, {place}: {len(cells)} cells, but the header has {len(header)}. Put text that holds "
                    f"{delimiter!r} into double quotation marks."
                )
            else:
                yield place, dict(zip(header, cells, strict=True))

    drafts = read_utterances(records(), where, source.folder)
    notes = (f"Lines without any value were left out: {len(empty)} ({', '.join(empty[:3])}).",) if empty else ()
    return Reading(drafts, single=len(drafts) == 1, notes=notes)


def _is_header(line: str, delimiter: str) -> bool:
    try:
        names = next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return False
    return {"speaker", "text"} <= fields_of(name for name in names).keys.keys()
