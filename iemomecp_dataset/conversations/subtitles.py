"""Conversations as subtitles: SubRip and WebVTT, an utterance per cue or per speaker of a cue."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from iemomecp_dataset.conversations.draft import Draft, MissingSpeaker, NotThisFormatError, Reading, Source
from iemomecp_dataset.conversations.text_lines import begun_by
from iemomecp_dataset.conversations.times import TIMECODE, timecode_seconds
from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.excerpts import shown
from iemomecp_dataset.files import check_lines

__all__ = ["read_subrip", "read_webvtt"]

_TIMING = re.compile(rf"\s*({TIMECODE})\s*-->\s*({TIMECODE})(?:\s.*)?")
# Times that may be wrong, where times can stand; words with an arrow are none.
_TIMES_OF_CUE = re.compile(rf"\s*[\d:.,]+\s*-->|{_TIMING.pattern}$")
_ALMOST_TIMES = re.compile(r"\s*\d[\d:.,]*\s*-*>")
_NUMBER = re.compile(r"\s*\d+\s*")
# What a part has taken, it does not give back: a line of one unclosed mark after the other is read in one go.
_VOICE = re.compile(r"<v(?:\.[^\s<>]*+)?\s++([^<>]++)>")
# Elements of WebVTT and of SubRip as players know them, and times within a cue; no other word in brackets.
_TAG = re.compile(rf"</?(?:b|i|u|s|c|v|em|strong|font|lang|ruby|rt)(?:[.\s][^<>]*)?/?>|<{TIMECODE}>", re.IGNORECASE)
# Where players of SubRip show a cue, such as {\an8}.
_POSITION = re.compile(r"\{\\[^{}]*\}")
_DASH = re.compile(r"(?:[-‐–—]|>{2,3})\s*(?=\S)")


def read_subrip(text: str, source: Source) -> Reading:
    r"""Reads SubRip subtitles.

    Args:
        text: Cues: a number, a line of times, lines of words. ``Name:`` in front of a line or behind a dash names the
            speaker, as does ``<v Name>``.
        source: The file, for errors, and what to do with a cue that names no speaker.

    Returns:
        One conversation, with times.

    Raises:
        NotThisFormatError: No line has times.
        InvalidDataError: A cue is invalid or has no speaker.

    Example:
        >>> cue = "1\n00:00:01,000 --> 00:00:02,500\n- Ana: We missed\nit.\n- Ben: Oh no!"
        >>> spoken = read_subrip(cue, Source("a.srt")).drafts[0].utterances
        >>> [(utterance.speaker, utterance.text, utterance.end) for utterance in spoken]
        [('Ana', 'We missed it.', 2.5), ('Ben', 'Oh no!', 2.5)]
    """
    lines = _lines(text)
    if not any(_TIMING.fullmatch(line) for line in lines):
        damaged = next(((n, line) for n, line in enumerate(lines, start=1) if _ALMOST_TIMES.match(line)), None)
        found = "no line has" if damaged is None else f"line {damaged[0]}, {shown(damaged[1].strip())}, has no"
        raise NotThisFormatError(f"{found} times such as 00:00:01,000 --> 00:00:02,500")
    check_lines(lines, source.where)
    draft = Draft(source.where)
    _read_cues(_subrip_cues(lines, draft), draft, source.missing_speaker, unescape=False)
    return Reading([draft], single=True)


def read_webvtt(text: str, source: Source) -> Reading:
    r"""Reads WebVTT subtitles.

    Args:
        text: ``WEBVTT``, then cues with ``<v Name>`` or ``Name:`` in front of their words. Notes, styles and regions
            are left out and counted.
        source: The file, for errors, and what to do with a cue that names no speaker.

    Returns:
        One conversation, with times.

    Raises:
        NotThisFormatError: It does not begin with ``WEBVTT``.
        InvalidDataError: A cue is invalid or has no speaker.

    Example:
        >>> cue = "WEBVTT\n\n00:01.000 --> 00:02.500\n<v Ana>We <i>missed</i> it."
        >>> [(spoken.speaker, spoken.text) for spoken in read_webvtt(cue, Source("a.vtt")).drafts[0].utterances]
        [('Ana', 'We missed it.')]
    """
    lines = _lines(text)
    if not re.match(r"WEBVTT(?:\s|$)", lines[0]):
        raise NotThisFormatError("it does not begin with WEBVTT")
    check_lines(lines, source.where)
    draft = Draft(source.where)
    _read_cues(_webvtt_cues(lines, draft), draft, source.missing_speaker, unescape=True)
    return Reading([draft], single=True)


@dataclass
class _Cue:
    """A cue with times in seconds; ``number`` counts from 1, ``line`` is that of its times."""

    number: int
    line: int
    start: float
    end: float
    lines: list[str] = field(default_factory=list)

    @property
    def place(self) -> str:
        return f"cue {self.number} on line {self.line}"


@dataclass
class _Voice:
    """What one speaker says in a cue."""

    speaker: str | None
    words: list[str]


def _lines(text: str) -> list[str]:
    return re.split(r"\r\n|\r|\n", text)


def _cue(number: int, line: int, timing: str, where: str) -> _Cue:
    found = _TIMING.fullmatch(timing)
    try:
        if found is None:
            raise ValueError(f"{shown(timing)} are not times such as 00:00:01.000 --> 00:00:02.500")
        return _Cue(number, line, timecode_seconds(found[1]), timecode_seconds(found[2]))
    except ValueError as error:
        raise InvalidDataError(f"{where}, line {line}: {error}. Correct the times of the cue.") from None


def _subrip_cues(lines: list[str], draft: Draft) -> Iterator[_Cue]:
    """Cues by their lines of times: what is between two of them belongs to the first, blank lines too.

    A number directly above times is that of their cue, whether a blank line is above it or not.
    """
    cue: _Cue | None = None
    number = 0
    for line, content in enumerate(lines, start=1):
        if _TIMES_OF_CUE.match(content):
            number += 1
            begun = _cue(number, line, content, draft.where)
            if cue is not None:
                if cue.lines and _NUMBER.fullmatch(cue.lines[-1]):
                    cue.lines.pop()
                if cue.lines and cue.lines[-1]:
                    draft.change("Cues without a blank line before them were told apart by their times", begun.place)
                yield cue
            cue = begun
        elif cue is not None:
            cue.lines.append(content.strip())
        elif content.strip() and not _NUMBER.fullmatch(content):
            raise InvalidDataError(
                f"{draft.where}, line {line}: {shown(content.strip())} before the times of the first cue. "
                "Remove the line."
            )
    if cue is not None:
        yield cue


def _webvtt_cues(lines: list[str], draft: Draft) -> Iterator[_Cue]:
    """Cues by blocks; the first block is the header."""
    cue: _Cue | None = None
    number = 0
    for first, block in list(_blocks(lines, draft))[1:]:
        at = next((index for index, line in enumerate(block[:2]) if "-->" in line), None)
        if at is not None:
            if cue is not None:
                yield cue
            number += 1
            cue = _cue(number, first + at, block[at], draft.where)
            cue.lines = block[at + 1 :]
        elif re.match(r"(?:NOTE|STYLE|REGION)(?:\s|$)", block[0]):
            draft.change("Notes, styles and regions were left out", f"line {first}")
        elif cue is not None:
            cue.lines += ["", *block]
        else:
            raise InvalidDataError(
                f"{draft.where}, line {first}: {shown(block[0])} before the times of the first cue. Remove the line."
            )
    if cue is not None:
        yield cue


def _blocks(lines: list[str], draft: Draft) -> Iterator[tuple[int, list[str]]]:
    """Blocks with their first line: blank lines end them and, as the standard of WebVTT has it, further times.

    By the standard a line above such times is one of the block before. A number is not: it would be said.
    """
    block: list[str] = []
    header = True
    for line, content in enumerate([*lines, ""], start=1):
        if not content.strip():
            if block:
                yield line - len(block), block
                header = False
            block = []
            continue
        # Times are the first line of a block, or the second one behind an identifier.
        if block and _TIMES_OF_CUE.match(content) and (header or len(block) > 1 or "-->" in block[0]):
            own = [block.pop()] if len(block) > 1 and _NUMBER.fullmatch(block[-1]) else []
            what = "Cues without a blank line before them were told apart by their times"
            if not own and not header:
                what += ", and the lines above these are words of the cue before"
            draft.change(what, f"line {line}")
            yield line - len(own) - len(block), block
            header, block = False, own
        block.append(content.strip())


def _read_cues(cues: Iterator[_Cue], draft: Draft, missing_speaker: MissingSpeaker, *, unescape: bool) -> None:
    previous: str | None = None
    for cue in cues:
        while cue.lines and not cue.lines[-1]:
            cue.lines.pop()
        if "" in cue.lines:
            draft.change("Lines after a blank line were joined to their cue", cue.place)
        voices = _voices(cue, draft, unescape=unescape)
        if not voices:
            draft.change("Cues without words were left out", cue.place)
        for voice in voices:
            words = " ".join(voice.words)
            speaker = voice.speaker
            if speaker is None:
                speaker = _speaker_of(cue, words, previous if len(voices) == 1 else None, missing_speaker, draft)
            draft.add(cue.place, speaker, words, start=cue.start, end=cue.end)
            previous = speaker


def _speaker_of(cue: _Cue, words: str, previous: str | None, missing_speaker: MissingSpeaker, draft: Draft) -> str:
    if missing_speaker == "previous" and previous is not None:
        draft.change("Cues without a speaker were given to the speaker before them", cue.place)
        return previous
    remedy = "Name who says it, as 'Name: words'"
    if missing_speaker == "error":
        remedy += ", or give such cues to the speaker before them (missing_speaker='previous')"
    raise InvalidDataError(f"{draft.where}, {cue.place}: no speaker of {shown(words)}. {remedy}.")


def _voices(cue: _Cue, draft: Draft, *, unescape: bool) -> list[_Voice]:
    """What each speaker says in a cue, without tags; nothing where the cue has no words."""
    voices: list[_Voice] = []
    tags = 0
    # Where voices are marked, a colon further on is one of the words.
    marked = any(_VOICE.search(line) for line in cue.lines)
    for line in cue.lines:
        # Text before the first <v Name>, then a name and its text by turns.
        before, *named = _VOICE.split(line)
        parts: list[tuple[str | None, str]] = [(None, before), *zip(named[::2], named[1::2], strict=True)]
        for voice, part in parts:
            words, found = _TAG.subn("", part)
            tags += found
            if unescape:
                words = html.unescape(words)
            else:
                words, found = _POSITION.subn("", words)
                tags += found
            words = words.strip()
            if voice is not None:
                voices.append(
                    _Voice(html.unescape(voice).strip() if unescape else voice.strip(), [words] if words else [])
                )
            elif words:
                _continue(voices, words, draft, cue, marked=marked)
    if tags:
        draft.change("Tags were left out of cues", cue.place)
    return [voice for voice in voices if voice.words]


def _continue(voices: list[_Voice], words: str, draft: Draft, cue: _Cue, *, marked: bool) -> None:
    """Adds a line to what is said in a cue: a dash or a name in front begins what another speaker says."""
    if marked and voices:
        voices[-1].words.append(words)
        return
    dash = _DASH.match(words)
    if dash:
        words = words[dash.end() :]
        draft.change("Dashes in front of lines were left out", cue.place)
    split = begun_by(words, draft, cue.place)
    if split is not None:
        voices.append(_Voice(split[0], [split[1]] if split[1] else []))
    elif dash or not voices:
        voices.append(_Voice(None, [words]))
    else:
        voices[-1].words.append(words)
