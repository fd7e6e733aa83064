"""Conversations as objects of Python, and as JSON after parsing: records or (speaker, text) pairs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from iemomecp_dataset.conversations.draft import Draft, Reading, shown_keys
from iemomecp_dataset.conversations.fields import FIELDS, add_record, fields_of, name_of
from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.excerpts import shown

__all__ = [
    "NAMES",
    "UTTERANCES",
    "is_utterance",
    "listed_utterances",
    "read_conversation_record",
    "read_json_value",
    "read_utterances",
]

UTTERANCES = ("utterances", "conversation", "dialogue", "dialog", "turns", "messages", "lines")
"""Keys under which a conversation lists its utterances, lower case; the first that holds a list counts."""

_CONVERSATIONS = ("conversations", "dialogues", "dialogs")
NAMES = (*FIELDS["dialogue_id"], "name", "id")
"""Keys of the name of a conversation, lower case; the first that is there counts."""

_EXPECTED = "an object with 'speaker' and 'text', or a (speaker, text) pair"


def is_utterance(item: Any) -> bool:
    """Tells an utterance from a conversation: an object without a list of utterances, or a tuple of plain values.

    Args:
        item: An item of a list.

    Returns:
        Whether it is an utterance, valid or not.

    Example:
        >>> [is_utterance(item) for item in ({"speaker": "Ana"}, ("Ana", "Hi!"), ["Ana", "Hi!"], {"utterances": []})]
        [True, True, False, False]
    """
    if isinstance(item, Mapping):
        return listed_utterances(item) is None
    return isinstance(item, tuple) and not any(isinstance(part, Mapping | list | tuple) for part in item)


def listed_utterances(record: Mapping[Any, Any]) -> Any | None:
    """Finds the key of an object under which a conversation lists its utterances.

    Args:
        record: The object.

    Returns:
        The key, or None if this is no conversation.
    """
    keys = {str(key).strip().lower(): key for key in record}
    for name in UTTERANCES:
        if name in keys and isinstance(record[keys[name]], list | tuple):
            return keys[name]
    return None


def read_conversation_record(given: Any, where: str, folder: Path | None = None) -> list[Draft]:
    """Reads one list of utterances, or one object with such a list.

    Args:
        given: The list, of objects or of (speaker, text) pairs (here lists count as pairs, too); or the object, with a
            name as well.
        where: File and conversation, for errors.
        folder: Folder that names of recordings are relative to.

    Returns:
        One conversation; several where the utterances have different ``dialogue_id``.

    Raises:
        InvalidDataError: An utterance is invalid, or there is none.
    """
    name, unused = None, {}
    if isinstance(given, Mapping):
        key = listed_utterances(given)
        if key is None:
            raise InvalidDataError(
                f"{where}: an object with {shown_keys(given)}, expected a list of "
                "utterances, or an object that has one under 'utterances'."
            )
        keys = {str(other).strip().lower(): other for other in given if other != key}
        named = next((keys[candidate] for candidate in NAMES if candidate in keys), None)
        name = None if named is None else name_of(given[named], where)
        unused = {str(other): None for other in given if other not in (key, named)}
        given = given[key]
    if not isinstance(given, Sequence) or isinstance(given, str | bytes):
        raise InvalidDataError(f"{where}: {shown(given)}, expected a list of utterances.")
    found = read_utterances(((f"utterance {n}", item) for n, item in enumerate(given, start=1)), where, folder)
    if name is not None and len(found) == 1:
        found[0].name = name
    for draft in found:
        draft.unused = {**unused, **draft.unused}
    return found


def read_utterances(items: Iterable[tuple[str, Any]], where: str, folder: Path | None = None) -> list[Draft]:
    """Reads utterances, which name their conversation or do not.

    Args:
        items: Where each stands, such as ``line 3``, and the object or (speaker, text) pair.
        where: The file, for errors.
        folder: Folder that names of recordings are relative to.

    Returns:
        One conversation, also of no utterance; one per ``dialogue_id`` where they differ.

    Raises:
        InvalidDataError: An utterance is invalid, or some have a ``dialogue_id`` and others none.
    """
    drafts: dict[str | None, Draft] = {}
    for place, item in items:
        at, own = f"{where}, {place}", None
        if isinstance(item, Mapping):
            key = fields_of(item).keys.get("dialogue_id")
            own = None if key is None else name_of(item[key], at)
        if drafts and (own is None) != (None in drafts):
            found = "no dialogue_id, but the" if own is None else f"the dialogue_id {own!r}, but none of the"
            raise InvalidDataError(f"{at}: {found} utterances before it have one. Give it to all of them, or to none.")
        _add(drafts.setdefault(own, Draft(where, own, folder)), item, place)
    return list(drafts.values()) or [Draft(where, None, folder)]


def read_json_value(value: Any, where: str, folder: Path | None = None) -> Reading:
    """Reads the content of a JSON file.

    Args:
        value: The parsed JSON: a conversation, or a list of them. JSON has no tuples, so that a list of lists of two
            texts is one conversation of pairs.
        where: The file, for errors.
        folder: Folder that names of recordings are relative to.

    Returns:
        The conversations.

    Raises:
        InvalidDataError: It holds something else.
    """
    if isinstance(value, Mapping):
        wrapped = next((value[key] for key in value if str(key).strip().lower() in _CONVERSATIONS), None)
        if wrapped is None or listed_utterances(value) is not None:
            drafts = read_conversation_record(value, where, folder)
            return Reading(drafts, single=len(drafts) == 1)
        value = wrapped
    if not isinstance(value, list):
        raise InvalidDataError(f"{where}: {shown(value)}, expected a list of utterances or of conversations.")
    if not value:
        raise InvalidDataError(f"{where}: an empty list. Give at least one utterance with its speaker and text.")
    if is_utterance(value[0]) or _is_pair(value[0]) or not isinstance(value[0], Mapping | list):
        drafts = read_conversation_record(value, where, folder)
        return Reading(drafts, single=len(drafts) == 1)
    found = []
    for number, item in enumerate(value, start=1):
        found += read_conversation_record(item, f"{where}, conversation {number}", folder)
    return Reading(found, single=False)


def _is_pair(item: Any) -> bool:
    return isinstance(item, list | tuple) and len(item) == 2 and all(isinstance(part, str) for part in item)


def _add(draft: Draft, item: Any, place: str) -> None:
    if isinstance(item, Mapping):
        add_record(draft, item, place)
    elif isinstance(item, list | tuple):
        if len(item) != 2:
            raise InvalidDataError(
                f"{draft.where}, {place}: {len(item)} entries in {shown(item)}, expected a (speaker, text) pair."
            )
        add_record(draft, {"speaker": item[0], "text": item[1]}, place)
    else:
        raise InvalidDataError(f"{draft.where}, {place}: {shown(item)}, expected {_EXPECTED}.")
