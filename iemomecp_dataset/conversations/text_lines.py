"""Conversations as text: lines of ``Speaker: words``, as one types them or as a messenger exports them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from iemomecp_dataset.conversations.draft import Draft, NotThisFormatError, Reading, Source
from iemomecp_dataset.conversations.times import TIMECODE, timecode_seconds
from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.excerpts import shown
from iemomecp_dataset.files import check_lines

__all__ = ["begun_by", "read_text_lines", "speaker_and_words"]

_LONGEST_NAME, _MOST_WORDS = 60, 6
_COMMENT = re.compile(r"#(?:\s|$)")
_BULLET = re.compile(r"(?:[-–—*•]|\d{1,5}[.)])\s+")
# *Ana:* or **Ana**: of Markdown
_EMPHASIS = re.compile(r"(\*{1,3}|_{1,3})(?=[^\s*_])([^*_]{1,60}?)(?:([:：])\1|\1\s*([:：]))")
# (sighs) or [laughs], in front of a speaker; with a colon it is none of these.
_REMARK = re.compile(r"(?:\([^()\[\]:]{1,60}\)|\[[^()\[\]:]{1,60}\])\s*")
# In brackets, or bare before a blank; a range has two times.
_RANGE = rf"({TIMECODE})(?:\s*(?:-->|->|-|–|—|to)\s*({TIMECODE}))?"
_TIMES = re.compile(rf"(?:\[\s*{_RANGE}\s*\]|\(\s*{_RANGE}\s*\)|{_RANGE}(?=\s))\s*[-–—]?\s*")
_TIMES_BEHIND = re.compile(rf"\s*(?:\[\s*{_RANGE}\s*\]|\(\s*{_RANGE}\s*\))$")
# The date and the time of day of a messenger: [12/03/24, 10:30:15] or 12/03/24, 10:30 - or [10:30 PM].
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2})?"
_DAY = r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}"
_HALF = r"[\s\u202f]?[AaPp]\.?[Mm]\.?"
_DATE = re.compile(rf"\[?(?:{_DAY},?[T\s]\s*{_CLOCK}(?:{_HALF})?|{_CLOCK}{_HALF})\]?(?:\s*[-–—])?\s+")


_MARKS_LEFT_OUT = "Marks of bold or italic speakers were left out"


def read_text_lines(text: str, source: Source) -> Reading:
    r"""Reads lines of ``Speaker: words``.

    A line without a speaker continues the utterance above it. Blank lines are skipped, and lines that begin with ``#``
    and a blank are comments.

    Args:
        text: The lines.
        source: The file, for errors.

    Returns:
        One conversation.

    Raises:
        NotThisFormatError: The first line has no speaker.
        InvalidDataError: An utterance has no words, a line has a date and no speaker, or a time is invalid.

    Example:
        >>> (draft,) = read_text_lines("[0:05] Ana: We missed it.\nBen: Oh no!\n  At 10:30?", Source("chat.txt")).drafts
        >>> [(spoken.speaker, spoken.text, spoken.start) for spoken in draft.utterances]
        [('Ana', 'We missed it.', 5.0), ('Ben', 'Oh no! At 10:30?', None)]
    """
    draft = Draft(source.where)
    open_utterance: _Open | None = None
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
        place, content = f"line {number}", line.strip().lstrip("\u200e\u200f\ufeff")
        if not content:
            continue
        if _COMMENT.match(content):
            draft.change("Comment lines were left out", place)
            continue
        begun = _begin(content, draft, place)
        if begun is not None or open_utterance is not None:
            check_lines([line], source.where, first=number)
        if begun is not None:
            if open_utterance is not None:
                open_utterance.close(draft)
            open_utterance = begun
        elif open_utterance is None:
            raise NotThisFormatError(f"line {number} has no 'Speaker:' in front, {shown(content)}")
        else:
            open_utterance.words.append(_continuation(content, draft, place))
            if len(open_utterance.words) > 2 or open_utterance.words[0]:
                draft.change("Lines without a speaker were joined to the utterance above them", place)
    if open_utterance is not None:
        open_utterance.close(draft)
    return Reading([draft], single=True)


def speaker_and_words(line: str) -> tuple[str, str] | None:
    """Splits a line at the colon behind its speaker.

    Args:
        line: A line without blanks around it.

    Returns:
        Speaker and words, which may hold further colons; None where the line begins with no speaker: it has no colon,
        or the first one is of a time, an address or a smiley, or what is before it is no name (more than six words or
        60 characters, or with brackets, quotation marks, or a question or exclamation mark).

    Example:
        >>> speaker_and_words("Dr. Ana B: See https://a.example at 10:30: now!")
        ('Dr. Ana B', 'See https://a.example at 10:30: now!')
        >>> [speaker_and_words(line) for line in ("at 10:30 then", "https://a.example", "me too :D", "so: what?")]
        [None, None, None, ('so', 'what?')]
    """
    for found in re.finditer("[:：]", line[: _LONGEST_NAME + 20]):
        before, after = line[: found.start()], line[found.end() :]
        if before[-1:].isdigit() and after[:1].isdigit():
            continue
        if after.startswith("//") or (before[-1:].isspace() and not (after == "" or after[0].isspace())):
            return None
        name = before.strip()
        return (name, after.strip()) if _is_name(_TIMES_BEHIND.sub("", name)) else None
    return None


def begun_by(line: str, draft: Draft, place: str) -> tuple[str, str] | None:
    """Splits a line as :func:`speaker_and_words` does, where its speaker is emphasised or stands behind a remark.

    Args:
        line: A line without blanks around it.
        draft: The conversation, which counts what is changed.
        place: Where the line stands.

    Returns:
        Speaker and words, which the remark is the first of; None where the line begins with no speaker.

    Example:
        >>> draft = Draft("chat.txt")
        >>> begun_by("(sighs) Ana: Hi!", draft, "line 1"), begun_by("*Ben:* Hi.", draft, "line 2")
        (('Ana', '(sighs) Hi!'), ('Ben', 'Hi.'))
        >>> list(draft.changes)
        ['Remarks in front of speakers were put to their words', 'Marks of bold or italic speakers were left out']
    """
    remarks: list[str] = []
    end = 0
    while remark := _REMARK.match(line, end):
        remarks.append(remark[0].strip())
        end = remark.end()
    rest = line[end:]
    if emphasis := _EMPHASIS.match(rest):
        rest = f"{emphasis[2]}: {rest[emphasis.end() :]}"
    split = speaker_and_words(rest)
    if split is None:  # A name may be in brackets as a whole.
        return speaker_and_words(line)
    if remarks:
        draft.change("Remarks in front of speakers were put to their words", place)
    if emphasis:
        draft.change(_MARKS_LEFT_OUT, place)
    return split[0], " ".join(filter(None, (*remarks, split[1])))


@dataclass
class _Open:
    """An utterance that further lines may continue."""

    place: str
    speaker: str
    words: list[str]
    start: float | None
    end: float | None

    def close(self, draft: Draft) -> None:
        draft.add(self.place, self.speaker, " ".join(filter(None, self.words)), start=self.start, end=self.end)


def _begin(line: str, draft: Draft, place: str) -> _Open | None:
    """The utterance that a line begins, or None if it names no speaker."""
    if line[0].isalpha():  # As most lines do, and then there is nothing to leave out.
        split = speaker_and_words(line)
        return None if split is None else _opened(split, None, draft, place)
    stripped: list[str] = []
    rest = line
    dated = _DATE.match(rest)
    if dated:
        rest = rest[dated.end() :]
        stripped.append("Dates in front of lines were left out")
    times = None if dated else _TIMES.match(rest)
    if times:
        rest = rest[times.end() :]
    if bullet := _BULLET.match(rest):
        rest = rest[bullet.end() :]
        stripped.append("List marks in front of lines were left out")
    if emphasis := _EMPHASIS.match(rest):
        rest = f"{emphasis[2]}: {rest[emphasis.end() :]}"
        stripped.append(_MARKS_LEFT_OUT)
    # A time is read in front of a list mark or behind it.
    if times is None and not dated and (times := _TIMES.match(rest)):
        rest = rest[times.end() :]
    split = begun_by(rest, draft, place)
    if split is None:
        if dated:
            raise InvalidDataError(
                f"{draft.where}, {place}: a date and no speaker in {shown(line)}. Name who says it, or remove the line."
            )
        return None
    for what in stripped:
        draft.change(what, place)
    return _opened(split, times, draft, place)


def _opened(split: tuple[str, str], times: re.Match[str] | None, draft: Draft, place: str) -> _Open:
    speaker, words = split
    if behind := _TIMES_BEHIND.search(speaker):
        speaker = speaker[: behind.start()]
        times = times or behind
    try:
        start, end = [timecode_seconds(code) if code else None for code in _codes(times)]
    except ValueError as error:
        raise InvalidDataError(f"{draft.where}, {place}: {error}. Correct the time.") from None
    return _Open(place, speaker, [words], start, end)


def _codes(times: re.Match[str] | None) -> tuple[str | None, str | None]:
    if times is None:
        return None, None
    groups = times.groups()
    at = next(index for index in range(0, len(groups), 2) if groups[index])
    return groups[at], groups[at + 1]


def _continuation(line: str, draft: Draft, place: str) -> str:
    times = _TIMES.match(line)
    if times is None or line[0] not in "[(":
        return line
    draft.change("Times of lines without a speaker were left out", place)
    return line[times.end() :]


def _is_name(name: str) -> bool:
    return (
        0 < len(name) <= _LONGEST_NAME
        and len(name.split()) <= _MOST_WORDS
        and not re.search(r"[\[\]{}<>\"“”|?!\t]", name)
        and any(character.isalnum() or not character.isascii() for character in name)
    )
