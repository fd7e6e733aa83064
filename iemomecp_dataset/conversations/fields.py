"""Which key of a record, or column of a table, holds what; records of Python, JSON and CSV have the same names."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iemomecp_dataset.conversations.draft import Draft, shown_keys
from iemomecp_dataset.conversations.times import seconds_of
from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.excerpts import shown
from iemomecp_dataset.field_checks import is_integer

__all__ = ["FIELDS", "Fields", "add_record", "fields_of", "name_of"]

FIELDS: Mapping[str, tuple[str, ...]] = {
    "speaker": ("speaker", "speaker_name", "name", "who", "role", "author", "sender", "from"),
    "text": ("text", "utterance", "words", "line", "content", "message", "sentence", "value"),
    "start": ("start", "start_time", "starttime", "begin"),
    "end": ("end", "end_time", "endtime", "stop"),
    "audio": ("audio", "wav", "audio_path", "audio_file"),
    "video": ("video", "video_path", "video_file"),
    "dialogue_id": ("dialogue_id", "conversation_id", "dialog_id", "conversation", "dialogue", "dialog"),
    "turn": ("turn",),
}
"""Names of each field, lower case with underscores. Where a record has several names of one field, the first counts."""


@dataclass(frozen=True)
class Fields:
    """Which keys hold which fields.

    Attributes:
        keys: Key by field.
        unused: Keys that hold none.
    """

    keys: Mapping[str, Any]
    unused: tuple[str, ...]


@functools.lru_cache(maxsize=1024)
def _fields_of(keys: tuple[Any, ...]) -> Fields:
    spelled: dict[str, Any] = {}
    for key in keys:
        spelled.setdefault(re.sub(r"[\s-]+", "_", str(key).strip().lower()), key)
    found = {}
    for field, names in FIELDS.items():
        name = next((name for name in names if name in spelled), None)
        if name is not None:
            found[field] = spelled[name]
    used = set(found.values())
    return Fields(found, tuple(str(key) for key in keys if key not in used))


def fields_of(keys: Iterable[Any]) -> Fields:
    """Finds the fields among keys, whatever their case.

    Args:
        keys: Keys of a record or names of columns.

    Returns:
        The key of each field that is there.

    Example:
        >>> fields_of(["Utterance", "Speaker", "Emotion", "Dialogue ID"])
        Fields(keys={'speaker': 'Speaker', 'text': 'Utterance', 'dialogue_id': 'Dialogue ID'}, unused=('Emotion',))
    """
    return _fields_of(tuple(keys))


def add_record(draft: Draft, record: Mapping[Any, Any], place: str) -> None:
    """Appends the utterance of a record.

    Args:
        draft: The conversation.
        record: Values by key.
        place: Where it stands, such as ``utterance 3``.

    Raises:
        InvalidDataError: Speaker or text is missing or no text, or a time or recording is invalid.
    """
    fields = fields_of(record)
    draft.unused.update(dict.fromkeys(fields.unused))
    at = f"{draft.where}, {place}"
    value = {field: record[key] for field, key in fields.keys.items()}
    for field in ("speaker", "text"):
        if field not in value and not (field == "text" and {"audio", "video"} & value.keys()):
            raise InvalidDataError(f"{at}: no {field}, as it has {shown_keys(record)}. Give 'speaker' and 'text'.")
    if (turn := _turn(value.get("turn"))) is not None:
        draft.follow(turn, place)
    times = {}
    for field in ("start", "end"):
        try:
            times[field] = seconds_of(value.get(field))
        except ValueError as error:
            raise InvalidDataError(f"{at}: the {field} {error}.") from None
    draft.add(
        place,
        _words(value["speaker"], "speaker", at),
        _words(value.get("text"), "text", at),
        audio=_recording(value.get("audio"), "audio", draft.folder, at),
        video=_recording(value.get("video"), "video", draft.folder, at),
        **times,
    )


def name_of(value: Any, at: str) -> str | None:
    """Reads the name of a conversation.

    Args:
        value: Text or an integer; None or empty text where there is none.
        at: Where it stands, for the error.

    Returns:
        The name, on one line, or None.

    Raises:
        InvalidDataError: It is something else.
    """
    if _is_missing(value):
        return None
    if not isinstance(value, str) and not is_integer(value):
        raise InvalidDataError(f"{at}: the name of a conversation must be text or an integer, but is {shown(value)}.")
    return " ".join(str(value).split()) or None


def _words(value: Any, field: str, at: str) -> str:
    if _is_missing(value):
        return ""
    if isinstance(value, str):
        return value
    if field == "speaker" and is_integer(value):
        return str(value)
    raise InvalidDataError(f"{at}: {field!r} must be text, but is {shown(value)}.")


def _turn(value: Any) -> int | None:
    if is_integer(value):
        return value
    return int(value) if isinstance(value, str) and re.fullmatch(r"\s*[0-9]{1,9}\s*", value) else None


def _recording(value: Any, field: str, folder: Path | None, at: str) -> str | None:
    if _is_missing(value) or (isinstance(value, str) and not value.strip()):
        return None
    if not isinstance(value, str | os.PathLike):
        raise InvalidDataError(f"{at}: {field} must be the name of a file, but is {shown(value)}.")
    path = os.fspath(value)
    if isinstance(path, bytes) or "\0" in path:
        raise InvalidDataError(f"{at}: {field} must be the name of a file, but is {shown(value)}.")
    return path if folder is None else str(folder / path.strip())


def _is_missing(value: Any) -> bool:
    # Tables of pandas have NaN where a cell is empty.
    return value is None or (isinstance(value, float) and value != value)
