"""Text formats of conversations, and the detection of a file's format."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence

from iemomecp_dataset.conversations.csv_text import read_csv_text
from iemomecp_dataset.conversations.draft import NotThisFormatError, Reading, Source
from iemomecp_dataset.conversations.json_text import read_json_lines, read_json_text
from iemomecp_dataset.conversations.subtitles import read_subrip, read_webvtt
from iemomecp_dataset.conversations.text_lines import read_text_lines
from iemomecp_dataset.errors import InvalidDataError

__all__ = ["FORMATS", "SUFFIXES", "find_format", "read_formatted"]

FORMATS: dict[str, str] = {
    "text": "lines of 'Speaker: words' (.txt), with times such as [00:01:02] in front if there are any",
    "json": "a list of objects with 'speaker' and 'text' (.json), or of conversations",
    "jsonl": "JSON Lines (.jsonl): an utterance on every line, or a conversation on every line",
    "csv": "a table with columns for speaker and text (.csv, .tsv), separated by commas, semicolons, tabs or bars",
    "subrip": "SubRip subtitles (.srt) with 'Name: words'",
    "webvtt": "WebVTT subtitles (.vtt) with '<v Name>' or 'Name: words'",
}
"""What files and text may hold, by the name that :attr:`Conversation.format` has."""

SUFFIXES = {
    **dict.fromkeys((".txt", ".text", ".md", ".log"), "text"),
    ".json": "json",
    **dict.fromkeys((".jsonl", ".ndjson"), "jsonl"),
    **dict.fromkeys((".csv", ".tsv", ".tab"), "csv"),
    ".srt": "subrip",
    ".vtt": "webvtt",
}
"""Format by the suffix of a file."""

# In the order in which they are tried: from the strictest to text, which almost everything could be.
_READERS: Mapping[str, Callable[[str, Source], Reading]] = {
    "webvtt": read_webvtt,
    "subrip": read_subrip,
    "json": read_json_text,
    "jsonl": read_json_lines,
    "csv": read_csv_text,
    "text": read_text_lines,
}


# Lines that tell a damaged file of a format from lines of words.
_JSON_LINE = re.compile(r"""\s*(?:[{}\]"']|\[\s*(?:[\[{"'\]]|$))""")
_CUE_LINE = re.compile(r"\s*(?:\d+\s*$|\d[\d:.,]*\s*-*>|WEBVTT\b)")
_OWN_LINES: Mapping[str, re.Pattern[str]] = {
    "json": _JSON_LINE,
    "jsonl": _JSON_LINE,
    # A separator before any colon: "Ana,Hi!"; behind it, it is one of the words.
    "csv": re.compile(r"[^:：]*[,;\t|]"),
    "subrip": _CUE_LINE,
    "webvtt": _CUE_LINE,
}


def read_formatted(text: str, source: Source, expected: str | None = None) -> tuple[Reading, str]:
    """Reads text in the first format that it has.

    Args:
        text: The text of a file, or what a user pasted.
        source: What it is from.
        expected: The format that is tried first, or None. A file of another suffix than that of text is not tried as
            text where it has lines that only its format has: in damaged JSON, and in a table without a header, others
            look like ``Speaker: words``.

    Returns:
        The conversations and the name of the format.

    Raises:
        InvalidDataError: It has none of the formats, or what it holds is invalid.
    """
    found, reasons = find_format(text, source, expected)
    if found is None:
        raise InvalidDataError(
            f"{source.where}: none of the formats of a conversation. Tried: {'; '.join(reasons)}. Write lines of "
            "'Speaker: words', or correct the file."
        )
    return found


def find_format(
    text: str, source: Source, expected: str | None = None
) -> tuple[tuple[Reading, str] | None, Sequence[str]]:
    """Reads text as :func:`read_formatted` does, where it may be something else than a conversation.

    Args:
        text: The text.
        source: What it is from.
        expected: The format that is tried first, or None.

    Returns:
        The conversations and the name of the format, or None; and why each format that was tried did not fit, the
        likeliest first.

    Raises:
        InvalidDataError: It has one of the formats, and what it holds is invalid.
    """
    tried = list(_READERS)
    own = _OWN_LINES.get(expected or "")
    if expected is not None and own is not None:
        tried = [expected, *(name for name in _READERS if name not in (expected, "text"))]
        if not any(own.match(line) for line in re.split(r"\r\n|\r|\n", text)):
            tried.append("text")
    reasons: list[str] = []
    for name in tried:
        try:
            reading = _READERS[name](text, source)
        except NotThisFormatError as error:
            reasons.append(f"{name} ({error})")
            continue
        if expected not in (None, name):
            note = f"Read as {name}, which the content is, though the suffix is that of {expected}."
            reading = dataclasses.replace(reading, notes=(note, *reading.notes))
        return (reading, name), reasons
    if own is None:
        reasons.reverse()
    return None, reasons
