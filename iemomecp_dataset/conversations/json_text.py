"""Conversations as JSON, and as JSON Lines: an utterance on every line, or a conversation on every line."""

from __future__ import annotations

import json
import re
from typing import Any

from iemomecp_dataset.conversations.draft import Draft, NotThisFormatError, Reading, Source
from iemomecp_dataset.conversations.records import (
    is_utterance,
    read_conversation_record,
    read_json_value,
    read_utterances,
)
from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.excerpts import shown
from iemomecp_dataset.files import parse_json

__all__ = ["read_json_lines", "read_json_text"]


def read_json_text(text: str, source: Source) -> Reading:
    """Reads JSON: a list of utterances, an object with ``utterances``, or a list of either.

    Args:
        text: The JSON.
        source: The file, for errors, and the folder of its recordings.

    Returns:
        The conversations.

    Raises:
        NotThisFormatError: It is not JSON.
        InvalidDataError: It is, and holds no conversation, or an invalid one.
    """
    if text.lstrip()[:1] not in ("[", "{"):
        raise NotThisFormatError("it does not begin with [ or {")
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        raise NotThisFormatError(f"line {error.lineno}, column {error.colno}: {error.msg}") from None
    except (RecursionError, ValueError):
        pass  # The strict reader says what is wrong with it.
    return read_json_value(parse_json(text, source.where), source.where, source.folder)


def read_json_lines(text: str, source: Source) -> Reading:
    """Reads JSON Lines.

    Args:
        text: One object or list per line: all are utterances of one conversation (of several, if their ``dialogue_id``
            differ), or all are conversations. Blank lines are skipped.
        source: The file, for errors, and the folder of its recordings.

    Returns:
        The conversations.

    Raises:
        NotThisFormatError: The first line is not an object or a list of JSON.
        InvalidDataError: Another line is not, or a conversation is invalid.
    """
    where, folder = source.where, source.folder
    lines = [(number, line) for number, line in enumerate(re.split(r"\r\n|\r|\n", text), start=1) if line.strip()]
    number, first = lines[0] if lines else (1, "")
    try:
        fits = isinstance(json.loads(first), dict | list)
    except (RecursionError, ValueError):
        fits = False
    if not fits:
        raise NotThisFormatError(f"line {number} is not an object or a list of JSON")
    values: list[tuple[int, Any]] = []
    for number, line in lines:
        value = parse_json(line, where, first_line=number)
        if not isinstance(value, dict | list):
            raise InvalidDataError(f"{where}, line {number}: {shown(line.strip())}, expected an object or a list.")
        values.append((number, value))
    kinds = [_is_utterance(value) for _, value in values]
    for (number, _), kind in zip(values, kinds, strict=True):
        if kind != kinds[0]:
            expected, found = ("an utterance", "a conversation") if kinds[0] else ("a conversation", "an utterance")
            raise InvalidDataError(
                f"{where}, line {number}: {found}, but line {values[0][0]} is {expected}. Write one kind on every line."
            )
    if kinds[0]:
        drafts = read_utterances(((f"line {number}", value) for number, value in values), where, folder)
        return Reading(drafts, single=len(drafts) == 1)
    found_drafts: list[Draft] = []
    for number, value in values:
        found_drafts += read_conversation_record(value, f"{where}, line {number}", folder)
    return Reading(found_drafts, single=False)


def _is_utterance(value: Any) -> bool:
    return is_utterance(value) or (
        isinstance(value, list) and all(isinstance(part, str) for part in value) and value != []
    )
