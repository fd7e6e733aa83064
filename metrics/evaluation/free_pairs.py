"""Reads pairs that are not quite of the SemEval format, as systems that write free text give them.

Strict reading takes what the official evaluator takes. This module reads the rest, as far as it is not ambiguous, and
names what it had to overlook, so that it can be counted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from iemomecp_dataset.corpora.semeval_json import turn_number
from iemomecp_dataset.field_checks import is_integer

__all__ = ["OTHER_EMOTION", "FreePair", "corpus_emotion", "free_pairs", "is_understood"]

OTHER_EMOTION = "other"
"""Stands for an emotion that the corpus does not have: such a pair is wrong wherever emotions count."""

STOPS = "full stops around numbers"
IN_WORDS = "pairs written as one text"
NONE = "words for none"
PROSE = "prose around pairs"
ALIAS = "emotion aliases"
UNKNOWN = "emotions that the corpus does not have"
WITHOUT = "pairs without an emotion"
SEVERAL = "several causes in one entry"
AROUND = "stops, blanks or quotes around emotions"

_MINUS = r"\-\u2010-\u2015\u2212\uff0d"
_NONE = re.compile(
    rf"\W*|\s*[{_MINUS}]1|(.*\W)?(none|null|nil|nothing|n/a|no(?!\.?\s*[0-9])|not|cannot|unclear|empty)(\W.*)?",
    re.DOTALL | re.I,
)
_BEGINS_WITH_NONE = re.compile(r"\W*(there (is|are|was|were) )?(none|no|nothing)\b", re.I)
_DENIED = re.compile(
    r"\b(?:no(?!\.?\s*[0-9])|not|never|none|neither|nor|null|nil|nothing|n/a|without|cannot|unclear|unlikely|empty|"
    r"except|instead of|rather than)\b|n['’]t\b|\b(?:is|are|was|were|do|does|did|have|has|had|ca|wo)nt\b",
    re.I,
)
_RELATIVE = re.compile(
    r"\b(?:before|earlier|previous(?:ly)?|preceding|prior|ago|after|later|next|following|subsequent|back|above|below)\b",
    re.I,
)
_STOPS = " \t\r\n.,\"'`‘’“”"
_AROUND = " \t\r\n.\"'`()[]{}"
_DIGITS = "[0-9]{1,6}"
"""A turn number; a longer one is no turn of a dialogue."""
_START = rf"(?<![0-9A-Za-z{_MINUS}])(?<![0-9]\.)U?"
"""A number begins: neither within a word or another number, nor after a minus, for a negative number names no turn."""
_END = rf"(?![0-9A-Za-z]|\.[0-9]|[ \t]*[{_MINUS}][ \t]*[0-9])"
"""It ends, and is neither a decimal number nor the begin of a range."""
_NUMBER = re.compile(rf"{_START}(?<![{_MINUS}] )({_DIGITS}){_END}")
_WORD = r"[^\W\d_]+"
_NAMED = rf"{_START}({_DIGITS})[\s.]*_[\s.]*({_WORD})"
_TARGET = re.compile(_NAMED)
_LED_TO = r"[\s.\"')\]]*(?:,|;|:|->|→|and)[\s\"'(\[]*"
_FURTHER = rf"(?:[ \t\"']*(?:[,;&+](?:[ \t]*and\b)?|\band\b)[ \t\"']*U?{_DIGITS}{_END}(?![\s.]*_))*"
_LISTED = rf"U?{_DIGITS}{_END}{_FURTHER}"
_LIST = re.compile(_LISTED)
_PAIR = re.compile(rf"{_NAMED}{_LED_TO}({_LISTED})")
_BARE = re.compile(rf"\(\s*U?({_DIGITS})[\s.]*,\s*(U?{_DIGITS})[\s.]*\)")
_QUOTED = re.compile(rf"{_START}{_DIGITS}[\s.]*[:_](?![0-9]|[\s0-9,.]*$)")
"""The number of an utterance, before its text."""
_SPAN = re.compile(rf"[\s.]*_[\s.]*({_WORD})(?!\w)")
_NEXT_QUOTED = re.compile(rf"(?:[,;\n]|\band)\s*[\"'(]*U?{_DIGITS}\s*[:_]")
_MARKER = re.compile(r"^\s*[0-9]+[.)]", re.MULTILINE)

_LONG_BLANK = re.compile(r"(\s{50})\s++")


@dataclass(frozen=True)
class FreePair:
    """A pair, with the emotion in the corpus's own word."""

    target: int
    emotion: str
    cause: int


def free_pairs(entry: Any, aliases: Mapping[str, str]) -> tuple[list[FreePair], list[str]] | None:
    """Reads what stands in place of a pair.

    Args:
        entry: A decoded value.
        aliases: As :func:`~iemomecp_dataset.corpora.metadata.emotion_aliases` gives them.

    Returns:
        The pairs, which may be none, and what had to be overlooked; None where it cannot be read.

    Example:
        >>> aliases = {"joy": "joy", "happy": "joy"}
        >>> free_pairs(["3_happy", "2."], aliases)
        ([FreePair(target=3, emotion='joy', cause=2)], ['full stops around numbers', 'emotion aliases'])
        >>> free_pairs("3_joy, 1", aliases)
        ([FreePair(target=3, emotion='joy', cause=1)], ['pairs written as one text'])
        >>> free_pairs(["3_joy", "1, 2"], aliases)[1]
        ['several causes in one entry']
        >>> free_pairs(["3_joy", "There is no cause."], aliases)
        ([], ['words for none'])
        >>> free_pairs(["3_joy", "either 1 or 2"], aliases) is None
        True
    """
    if entry is None or entry == []:
        return [], [NONE]
    if isinstance(entry, str):
        return _of_text(entry, aliases)
    if not isinstance(entry, list):
        return None
    if len(entry) == 1 and isinstance(entry[0], str):
        return _of_text(entry[0], aliases)
    return _of_parts(entry[0], entry[1], aliases) if len(entry) == 2 else None


def corpus_emotion(word: str, aliases: Mapping[str, str]) -> tuple[str, list[str]]:
    """Finds the corpus's word for an emotion.

    Args:
        word: What the system writes.
        aliases: As in :func:`free_pairs`.

    Returns:
        The word, :data:`OTHER_EMOTION` for an emotion that the corpus does not have, and what was overlooked.

    Example:
        >>> corpus_emotion(" Happy.", {"joy": "joy", "happy": "joy"})
        ('joy', ['stops, blanks or quotes around emotions', 'emotion aliases'])
    """
    if word in aliases.values():
        return word, []
    bare = word.strip(_STOPS)
    if not bare:
        return OTHER_EMOTION, [WITHOUT]
    kinds = [AROUND] if bare != word else []
    name = aliases.get(bare.lower())
    if name is None:
        return OTHER_EMOTION, [*kinds, UNKNOWN]
    return name, kinds if name == bare else [*kinds, ALIAS]


def is_understood(word: str, aliases: Mapping[str, str]) -> bool:
    """Whether lenient reading finds the corpus's word for an emotion.

    Args:
        word: What the system writes.
        aliases: As in :func:`free_pairs`.

    Returns:
        False for an emotion that the corpus does not have.
    """
    return not {UNKNOWN, WITHOUT}.intersection(corpus_emotion(word, aliases)[1])


def _of_text(text: str, aliases: Mapping[str, str]) -> tuple[list[FreePair], list[str]] | None:
    """Reads pairs out of a text; one that is nothing but pairs is told from prose."""
    matches = list(_PAIR.finditer(text))
    if not matches:
        led = re.match(rf"[{re.escape(_AROUND)}]*{_NAMED}{_LED_TO}", text)
        if _says_none(text) or (led is not None and text[led.end() :].strip() and _says_none(text[led.end() :])):
            return [], [NONE]
    named = [(int(match[1]), match[2], match[3]) for match in matches]
    if not named:
        matches = list(_BARE.finditer(text))
        named = [(int(match[1]), "", match[2]) for match in matches]
    if not named:
        return None
    before, after = text[: matches[0].start()], _after_pairs(text, matches)
    # What stands in place of a cause may be a target, and a target before the pairs lacks its cause.
    spans = [_SPAN.match(text, match.end()) for match in matches]
    if _TARGET.search(before) or any(span is not None and span[1].lower() in aliases for span in spans):
        return None
    if _DENIED.search(before) or any(
        _DENIED.search(words) or _RELATIVE.search(words) or not set(_numbers(words)) <= own for words, own in after
    ):
        return None
    rest = (_PAIR if matches[0].re is _PAIR else _BARE).sub("", text)
    kinds = [IN_WORDS if not re.search(r"\w", rest) else PROSE]
    pairs = []
    for target, word, listed in named:
        if word and _says_none(word):
            kinds.append(NONE)
            continue
        causes = _listed(listed)
        kinds += [SEVERAL] * (len(causes) > 1)
        emotion, more = corpus_emotion(word, aliases)
        pairs += [FreePair(target, emotion, cause) for cause in causes]
        kinds += more
    return pairs, kinds


def _after_pairs(text: str, matches: list[re.Match[str]]) -> list[tuple[str, set[int]]]:
    """What follows each pair, without the text that is quoted of its cause, and the numbers of the pair."""
    found = []
    for match, end in zip(matches, [*(later.start() for later in matches[1:]), len(text)], strict=True):
        follows = text[match.end() : end]
        quoted = re.match(r"[\s.]*[:_]", follows) is not None
        numbers = {int(match[1]), *_listed(match[3] if match.re is _PAIR else match[2])}
        found.append(("" if quoted else _MARKER.sub("", _squeezed(follows)), numbers))
    return found


def _squeezed(text: str) -> str:
    """Shortens long runs of blanks and line breaks, over which the search for a number would start at every one."""
    return _LONG_BLANK.sub(r"\1", text)


def _of_parts(first: Any, second: Any, aliases: Mapping[str, str]) -> tuple[list[FreePair], list[str]] | None:
    """Reads a target with its emotion, and its causes."""
    kinds: list[str] = []
    target = None if _says_none(first) else _target(first, kinds)
    if _says_none(first) or _says_none(second) or (target is not None and target[1] and _says_none(target[1])):
        return [], [NONE]
    causes = _causes(second, kinds)
    if target is None or causes is None:
        return None
    emotion, more = corpus_emotion(target[1], aliases)
    return [FreePair(target[0], emotion, cause) for cause in causes], [*kinds, *more]


def _says_none(value: Any) -> bool:
    """Whether it says that there is nothing; where it also has a number, only if it begins so."""
    if not isinstance(value, str):
        return value is None or (is_integer(value) and value == -1)
    if _NUMBER.search(value) or _TARGET.search(value):
        return _BEGINS_WITH_NONE.match(value) is not None and _NONE.fullmatch(value) is not None
    return _NONE.fullmatch(value.strip(_AROUND)) is not None


def _target(value: Any, kinds: list[str]) -> tuple[int, str] | None:
    number = turn_number(value)
    if number is not None:
        return number, ""
    if not isinstance(value, str):
        return None
    bare = value.strip(_AROUND)
    match = _TARGET.fullmatch(bare)
    if match is None:
        found = list(_TARGET.finditer(value))
        if len(found) != 1:
            # A number and words: a sentence stands where the emotion belongs.
            begun = re.match(rf"U?({_DIGITS})[\s.]*_", bare)
            return (int(begun[1]), OTHER_EMOTION) if begun and not found else None
        match = found[0]
        around = f"{value[: match.start()]} {value[match.end() :]}"
        if _DENIED.search(around) or _RELATIVE.search(around) or _numbers(value[match.end() :]):
            return None
        kinds.append(PROSE)
    elif "." in value:
        kinds.append(STOPS)
    return int(match[1]), match[2]


def _causes(value: Any, kinds: list[str]) -> list[int] | None:
    """Reads the numbers of causes: one, or a list of them; the text after a number and a colon is that utterance's."""
    number = turn_number(value)
    if number is not None or not isinstance(value, str):
        return None if number is None else [number]
    begun = _QUOTED.search(value)
    said = value if begun is None else value[: begun.end() - 1]
    if _DENIED.search(said) or _RELATIVE.search(said) or _NEXT_QUOTED.search(_squeezed(value[len(said) :])):
        return None
    bare = said.strip(_AROUND + ",;")
    if _LIST.fullmatch(bare):
        kinds += [STOPS] * ("." in said)
        kinds += [PROSE] * (begun is not None and begun[0].endswith(":"))
        causes = _listed(bare)
        kinds += [SEVERAL] * (len(causes) > 1)
        return causes
    found = _numbers(said)
    if len(found) != 1:
        return None
    kinds.append(PROSE)
    return found


def _numbers(text: str) -> list[int]:
    return [int(number) for number in _NUMBER.findall(text)]


def _listed(text: str) -> list[int]:
    """The numbers of a list, each once."""
    return list(dict.fromkeys(int(number) for number in re.findall(r"[0-9]+", text)))
