"""Reads conversations from what a user has: objects of Python, text, or files of the usual formats."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from iemomecp_dataset.conversations.conversation import Conversation
from iemomecp_dataset.conversations.decoding import decode, read_bytes
from iemomecp_dataset.conversations.draft import MissingSpeaker, Reading, Source, shown_keys
from iemomecp_dataset.conversations.fields import fields_of
from iemomecp_dataset.conversations.formats import FORMATS, SUFFIXES, find_format, read_formatted
from iemomecp_dataset.conversations.recording import with_recording
from iemomecp_dataset.conversations.records import is_utterance, listed_utterances, read_conversation_record
from iemomecp_dataset.conversations.text_lines import speaker_and_words
from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UsageError
from iemomecp_dataset.excerpts import shown

__all__ = [
    "FORMATS",
    "is_conversation_text",
    "read_conversation_bytes",
    "read_conversation_file",
    "read_conversation_text",
    "read_conversations",
    "renamed",
    "with_recording",
]

DEFAULT_NAME = "conversation"
"""What a conversation is called that has no name, and is not from a file."""

_ACCEPTED = (
    "a list of {'speaker', 'text'} objects or of (speaker, text) tuples, text of 'Speaker: words' lines, the name of a "
    "file, or a list of these"
)


def read_conversations(
    given: object, *, name: str | None = None, missing_speaker: MissingSpeaker = "error"
) -> tuple[list[Conversation], bool]:
    """Reads one conversation or several.

    Args:
        given: A list of objects with ``speaker`` and ``text``; a list of ``(speaker, text)`` tuples; an object with a
            list of either under ``utterances``, such as a row of :func:`iemomecp_dataset.load`; text in one of
            :data:`FORMATS`; the name of a file (a path, or text that is one); a :class:`Conversation`; or a list of
            these, in which (speaker, text) pairs may be lists as well.
        name: What a conversation is called that has no name of its own, ``conversation`` by default.
        missing_speaker: What to do with a cue of subtitles that names no speaker: ``error``, or give it to the
            ``previous`` one.

    Returns:
        The conversations, with different names, and whether it was one conversation and not a list.

    Raises:
        UsageError: It is none of these.
        InvalidDataError: An utterance has no speaker or no text, a conversation is empty, or text or a file has none of
            the formats.
        MissingDataError: A file does not exist.

    Example:
        >>> conversations, single = read_conversations([("Ana", "We missed it."), ("Ben", "Oh no!")])
        >>> conversations[0].name, conversations[0].utterances[1].speaker, single
        ('conversation', 'Ben', True)
    """
    if missing_speaker not in get_args(MissingSpeaker):
        raise UsageError(f"missing_speaker must be 'error' or 'previous', but is {missing_speaker!r}.")
    default = name or DEFAULT_NAME
    found, single = _read(given, default, missing_speaker)
    return _with_different_names(found, default), single


def read_conversation_file(path: str | Path, *, missing_speaker: MissingSpeaker = "error") -> list[Conversation]:
    """Reads the conversations of a file.

    Args:
        path: The file. Its suffix says which format is tried first.
        missing_speaker: What to do with a cue of subtitles that names no speaker: ``error``, or give it to the
            ``previous`` one.

    Returns:
        The conversations, with different names: their ``dialogue_id``, else the name of the file.

    Raises:
        MissingDataError: It does not exist, is a folder, or cannot be read.
        InvalidDataError: It has none of the formats, or what it holds is invalid.
    """
    return read_conversations(Path(path), missing_speaker=missing_speaker)[0]


def read_conversation_text(
    text: str, *, name: str | None = None, missing_speaker: MissingSpeaker = "error"
) -> list[Conversation]:
    """Reads the conversations of text that is never taken for the name of a file, such as what a visitor pastes.

    Args:
        text: Text in one of :data:`FORMATS`. Recordings that it names are not opened here.
        name: What a conversation is called that has no ``dialogue_id``, ``conversation`` by default.
        missing_speaker: What to do with a cue of subtitles that names no speaker.

    Returns:
        The conversations, with different names.

    Raises:
        InvalidDataError: It has none of the formats, or what it holds is invalid.
    """
    default = name or DEFAULT_NAME
    return _with_different_names(_read_text(text, default, "the text", missing_speaker)[0], default)


def read_conversation_bytes(
    data: bytes, where: str, *, name: str | None = None, missing_speaker: MissingSpeaker = "error"
) -> list[Conversation]:
    r"""Reads the conversations of bytes that are content, such as those of standard input, as of a file without suffix.

    Args:
        data: Text in one of :data:`FORMATS`, in any encoding that a file may have. It is never taken for the name of a
            file.
        where: What it is, for errors, such as ``standard input``.
        name: What a conversation is called that has no ``dialogue_id``, ``conversation`` by default.
        missing_speaker: What to do with a cue of subtitles that names no speaker.

    Returns:
        The conversations, with different names; their notes tell an encoding that was assumed.

    Raises:
        InvalidDataError: It has none of the formats, or what it holds is invalid.

    Example:
        >>> (conversation,) = read_conversation_bytes(b"Zo\xeb: We missed it.", "standard input")
        >>> conversation.utterances[0].speaker
        'Zoë'
    """
    default = name or DEFAULT_NAME
    text, notes = decode(data, where)
    conversations, _ = _read_text(text, default, where, missing_speaker, notes)
    return _with_different_names(conversations, default)


def is_conversation_text(text: str) -> bool:
    """Tells text from the name of a file, where no file of this name exists.

    Args:
        text: What was given as the name of a file.

    Returns:
        Whether it has line breaks, is a line of ``Speaker: words``, or begins as JSON does.

    Example:
        >>> [is_conversation_text(given) for given in ("Ana: Hi!", '["Ana", "Hi!"]', "chat.txt", "C:/chats/a.txt")]
        [True, True, False, False]
    """
    text = text.strip()
    if len(text.splitlines()) > 1:
        return True
    split = speaker_and_words(text)
    return (text[:1] in ("[", "{") and '"' in text) or (split is not None and not split[1].startswith(("\\", "/")))


def _read(given: object, name: str, missing_speaker: MissingSpeaker) -> tuple[list[Conversation], bool]:
    one = _read_one(given, name, "the conversation", missing_speaker)
    if one is not None:
        return one
    # A table of pandas lists the names of its columns, where a list of records is meant.
    if hasattr(given, "columns") and callable(to_dict := getattr(given, "to_dict", None)):
        return _read(to_dict("records"), name, missing_speaker)
    if isinstance(given, Mapping | bytes | bytearray | set | frozenset) or not isinstance(given, Iterable):
        if isinstance(given, Mapping) and {"speaker", "text"} & fields_of(given).keys.keys():
            raise UsageError("Not a conversation: one utterance. Put it into a list, with the others.")
        raise UsageError(f"Not a conversation: {_kind(given)}. Give {_ACCEPTED}.")
    items = list(given)
    if not items:
        raise InvalidDataError(
            "An empty conversation: the list has no utterance. Give at least one, with speaker and text."
        )
    if is_utterance(items[0]):
        return _finished(Reading(read_conversation_record(items, "the conversation"), single=True), "records", name)
    conversations: list[Conversation] = []
    for number, item in enumerate(items, start=1):
        where = f"conversation {number}"
        read = _read_one(item, name, where, missing_speaker)
        if read is None:
            read = _finished(Reading(_listed(item, where), single=True), "records", name)
        conversations += read[0]
    return conversations, False


def _read_one(
    given: object, name: str, where: str, missing_speaker: MissingSpeaker
) -> tuple[list[Conversation], bool] | None:
    """Reads what is a conversation, or a file or text with several; None for a list, which could be either."""
    if isinstance(given, Conversation):
        if not given.utterances:
            raise InvalidDataError(f"{given.name}: an empty conversation. Give at least one utterance.")
        return [given], True
    if isinstance(given, os.PathLike):
        return _read_file(Path(given), missing_speaker)
    if isinstance(given, str):
        return _read_words(given, name, "the text" if where == "the conversation" else where, missing_speaker)
    if isinstance(given, Mapping) and listed_utterances(given) is not None:
        return _finished(Reading(read_conversation_record(given, where), single=True), "records", name)
    return None


def _listed(item: object, where: str) -> Any:
    """The drafts of an item of a list of conversations that is a list itself."""
    if isinstance(item, Mapping):
        raise UsageError(
            f"{where}: {_kind(item)}, but the first item of the list is a conversation. Give conversations only, or "
            "utterances only."
        )
    if not isinstance(item, Sequence) or isinstance(item, bytes):
        raise UsageError(f"{where}: {_kind(item)} is not a conversation. Give {_ACCEPTED}.")
    if item and all(isinstance(part, str) for part in item):
        raise UsageError(
            f"{where}: a list of texts, {shown(list(item))}, where a conversation is expected. Write the "
            "(speaker, text) pairs of one conversation as tuples, or put the conversation into a list."
        )
    return read_conversation_record(item, where)


def _read_words(text: str, name: str, where: str, missing_speaker: MissingSpeaker) -> tuple[list[Conversation], bool]:
    """Reads text that is a conversation, or the name of a file with one."""
    if len(text.strip().splitlines()) == 1:
        path = Path(text.strip())
        if _exists(path):
            return _read_file(path, missing_speaker)
        split = speaker_and_words(text.strip())
        if path.suffix.lower() in SUFFIXES and (split is None or split[1].startswith(("\\", "/"))):
            raise MissingDataError(f"{text.strip()}: there is no such file. Check its name and folder.")
        if text.strip()[0] not in "[{" and find_format(text, Source(where, None, missing_speaker))[0] is None:
            raise UsageError(
                f"{shown(text)} is neither the name of a file that exists nor a conversation. Give lines of "
                "'Speaker: words', or a file."
            )
    return _read_text(text, name, where, missing_speaker)


def _read_text(
    text: str, name: str, where: str, missing_speaker: MissingSpeaker, notes: tuple[str, ...] = ()
) -> tuple[list[Conversation], bool]:
    if not text.strip():
        raise InvalidDataError(f"{where}: an empty conversation, as the text is empty. Give lines of 'Speaker: words'.")
    reading, format_name = read_formatted(text, Source(where, None, missing_speaker))
    return _finished(dataclasses.replace(reading, notes=(*notes, *reading.notes)), format_name, name)


def _read_file(path: Path, missing_speaker: MissingSpeaker) -> tuple[list[Conversation], bool]:
    if path.suffix.lower() == ".parquet":
        return _read_rows(path), False
    text, notes = decode(read_bytes(path), str(path))
    if not text.strip():
        raise InvalidDataError(f"{path}: the file is empty. A conversation needs at least one utterance.")
    source = Source(str(path), path.parent, missing_speaker)
    reading, format_name = read_formatted(text, source, SUFFIXES.get(path.suffix.lower()))
    return _finished(dataclasses.replace(reading, notes=(*notes, *reading.notes)), format_name, path.stem)


def _read_rows(path: Path) -> list[Conversation]:
    from iemomecp_dataset.conversations.streaming import open_records  # pyarrow, for this format alone

    file = open_records(path)
    found: list[Conversation] = []
    try:
        for record in file.records():
            if record.error is not None:
                raise record.error
            found += record.conversations
    finally:
        file.close()
    if not found:
        raise InvalidDataError(f"{path}: the file is empty. A conversation needs at least one utterance.")
    return found


def _finished(reading: Reading, format_name: str, name: str) -> tuple[list[Conversation], bool]:
    conversations = [draft.finished(draft.name or name, format_name, reading.notes) for draft in reading.drafts]
    return conversations, reading.single and len(conversations) == 1


def _with_different_names(conversations: list[Conversation], default: str) -> list[Conversation]:
    """Numbers those that are called as one before them, as names are parts of the ids of utterances."""
    names = {conversation.name for conversation in conversations}
    taken: set[str] = set()
    numbers: dict[str, int] = {}
    found = []
    for conversation in conversations:
        name = conversation.name
        if name in taken:
            number = numbers.get(name, 2)
            while (new := f"{name}_{number}") in names:
                number += 1
            numbers[name] = number + 1
            names.add(new)
            conversation = renamed(conversation, new, default)
        taken.add(conversation.name)
        found.append(conversation)
    return found


def renamed(conversation: Conversation, name: str, default: str = DEFAULT_NAME) -> Conversation:
    """Gives a conversation another name, as another one is called as it was.

    Args:
        conversation: The conversation.
        name: Its new name.
        default: What conversations without a name are called: that it has another then needs no note.

    Returns:
        The conversation, with a note.

    Example:
        >>> renamed(Conversation("trip", ()), "trip_2").notes
        ('Called trip_2, as there is another conversation called trip.',)
    """
    notes = conversation.notes
    if conversation.name != default:
        notes = (*notes, f"Called {name}, as there is another conversation called {conversation.name}.")
    return dataclasses.replace(conversation, name=name, notes=notes)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # Too long for the name of a file, or with characters that none has.
        return False


def _kind(value: object) -> str:
    if isinstance(value, Mapping):
        return f"an object with {shown_keys(value)}"
    return f"{shown(value)} of type {type(value).__name__}"
