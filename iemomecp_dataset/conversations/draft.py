"""A conversation while it is read: utterances are checked and cleaned, and what that changes is counted."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from iemomecp_dataset.conversations.conversation import Conversation, ConversationUtterance
from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.excerpts import excerpt, shown
from iemomecp_dataset.files.bounds import check_turns

__all__ = ["Draft", "MissingSpeaker", "NotThisFormatError", "Reading", "Source", "shown_keys"]

_LINE_BREAKS = re.compile(r"[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+")
# Neither models nor the pages that show a conversation can take them.
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")
# Blanks, marks without width, and letters that show nothing; where a text has nothing else, it is empty.
_INVISIBLE = re.compile(
    r"[\s\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164"
    r"\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]*"
)
_PLACES_SHOWN = 3
_KEYS_SHOWN = 8
_UNUSED_SHOWN = 20


MissingSpeaker = Literal["error", "previous"]
"""What to do with a cue of subtitles that names no speaker: an error, or the speaker of the cue before it."""


class NotThisFormatError(Exception):
    """The content has another format than the one that was tried; the message is the reason, in a few words."""


@dataclass(frozen=True)
class Source:
    """What text is read from.

    Attributes:
        where: The file, or what else the user gave, for errors.
        folder: Folder that names of recordings are relative to; None for the current one.
        missing_speaker: What to do with a cue of subtitles that names no speaker.
    """

    where: str
    folder: Path | None = None
    missing_speaker: MissingSpeaker = "error"


def shown_keys(record: Mapping[Any, Any]) -> str:
    """The keys of an object as an error shows them, the first eight.

    Example:
        >>> shown_keys({"who": "Ana", 7: "Hi!"}), shown_keys({})
        ("the keys 'who', '7'", 'no keys')
    """
    names = [shown(excerpt(key, 60)) for key in itertools.islice(record, _KEYS_SHOWN)]
    listed = ", ".join(names) + (f" and {len(record) - _KEYS_SHOWN} more" if len(record) > _KEYS_SHOWN else "")
    return f"the keys {listed}" if names else "no keys"


@dataclass
class Draft:
    """A conversation while it is read.

    Attributes:
        where: The file, or the conversation among several, for errors.
        name: Its ``dialogue_id``, or None.
        folder: Folder that names of recordings are relative to; None for the current one.
        utterances: What was read so far.
        changes: Where each change was made, by what it was.
        unused: Keys or columns that a conversation has no place for.
        last_turn: The last turn that was stated.
        renumbered: Whether a stated turn is not the position of its utterance.
    """

    where: str
    name: str | None = None
    folder: Path | None = None
    utterances: list[ConversationUtterance] = field(default_factory=list)
    changes: dict[str, list[str]] = field(default_factory=dict)
    unused: dict[str, None] = field(default_factory=dict)
    last_turn: int | None = None
    renumbered: bool = False

    def change(self, what: str, place: str) -> None:
        """Counts a change.

        Args:
            what: What was done, the beginning of a sentence.
            place: Where, such as ``line 3``.
        """
        self.changes.setdefault(what, []).append(place)

    def add(
        self,
        place: str,
        speaker: str,
        text: str,
        *,
        start: float | None = None,
        end: float | None = None,
        audio: str | None = None,
        video: str | None = None,
    ) -> None:
        """Appends an utterance.

        Args:
            place: Where it stands, such as ``line 3``.
            speaker: Its speaker.
            text: Its words.
            start: Where it begins in its recording, in seconds.
            end: Where it ends.
            audio: File with its sound.
            video: File with its pictures.

        Raises:
            InvalidDataError: The speaker is empty, or the text without a recording; the end is before the start; half
                of a surrogate pair; too many utterances (see :data:`~iemomecp_dataset.files.bounds.MOST_TURNS`).
        """
        at = f"{self.where}, {place}"
        speaker, text = self._clean(speaker, at, place), self._clean(text, at, place)
        if not speaker:
            raise InvalidDataError(f"{at}: the utterance {shown(text)} has no speaker. Name who says it.")
        if not text and audio is None and video is None:
            raise InvalidDataError(
                f"{at}: {shown(speaker)} has no words. Give the text of the utterance, or leave the utterance out."
            )
        if start is not None and end is not None and end < start:
            raise InvalidDataError(f"{at}: ends at {end:g} s, before it begins at {start:g} s. Correct its times.")
        check_turns(len(self.utterances) + 1, self.where)
        self.utterances.append(ConversationUtterance(speaker, text, start, end, audio, video))

    def follow(self, turn: int, place: str) -> None:
        """Compares the stated turn of the next utterance with the order of the utterances.

        Args:
            turn: The turn, counted from any number.
            place: Where it stands.

        Raises:
            InvalidDataError: It is not above the turn before it.
        """
        if self.last_turn is not None and turn <= self.last_turn:
            raise InvalidDataError(
                f"{self.where}, {place}: turn {turn} stands after turn {self.last_turn}. Sort the utterances by turn, "
                "or leave the turns out if the order is right."
            )
        self.last_turn = turn
        self.renumbered |= turn != len(self.utterances) + 1

    def finished(self, name: str, format_name: str, notes: tuple[str, ...] = ()) -> Conversation:
        r"""Makes the conversation.

        Args:
            name: What it is called.
            format_name: What it was read as.
            notes: Sentences about the whole file.

        Returns:
            The conversation; its notes are ``notes``, what was changed, and what is not used.

        Raises:
            InvalidDataError: It has no utterance.

        Example:
            >>> draft = Draft("chat.txt")
            >>> draft.add("line 1", "Ana", "We\nmissed it.")
            >>> draft.finished("chat", "text").notes
            ('Line breaks inside words were replaced by blanks: 1 (line 1).',)
        """
        if not self.utterances:
            raise InvalidDataError(
                f"{self.where}: an empty conversation. Give at least one utterance with its speaker and text."
            )
        found = [*notes, *(_counted(what, places) for what, places in self.changes.items())]
        if self.renumbered:
            found.append(f"Turns are numbered anew, from 1 to {len(self.utterances)}.")
        if self.unused:
            names = [excerpt(name, 60) for name in itertools.islice(self.unused, _UNUSED_SHOWN)]
            more = f" and {len(self.unused) - _UNUSED_SHOWN} more" if len(self.unused) > _UNUSED_SHOWN else ""
            found.append(f"Not used: {', '.join(names)}{more}.")
        return Conversation(name, tuple(self.utterances), format_name, tuple(found))

    def _clean(self, words: str, at: str, place: str) -> str:
        if words.isprintable():
            return "" if _INVISIBLE.fullmatch(words) else words.strip()
        try:
            words.encode("utf-8")
        except UnicodeEncodeError:
            raise InvalidDataError(
                f"{at}: half of a surrogate pair in {shown(words.encode('utf-8', 'replace').decode())}, so a letter is "
                "cut in two. Correct the text."
            ) from None
        words, controls = _CONTROLS.subn("", words)
        if controls:
            self.change("Control characters were left out of utterances", place)
        parts = [part.strip() for part in _LINE_BREAKS.split(words.strip())]
        if len(parts) > 1:
            words = " ".join(filter(None, parts))
            self.change("Line breaks inside words were replaced by blanks", place)
        return "" if _INVISIBLE.fullmatch(words) else words.strip()


@dataclass(frozen=True)
class Reading:
    """What a format gives.

    Attributes:
        drafts: The conversations.
        single: Whether it is one conversation by its layout, and not a list of conversations that holds one.
        notes: Sentences about the whole file.
    """

    drafts: list[Draft]
    single: bool
    notes: tuple[str, ...] = ()


def _counted(what: str, places: list[str]) -> str:
    listed = ", ".join(places[:_PLACES_SHOWN]) + (", …" if len(places) > _PLACES_SHOWN else "")
    return f"{what}: {len(places)} ({listed})."
