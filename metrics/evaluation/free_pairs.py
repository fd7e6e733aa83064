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

__all__ = ["OTHER_EMOTION", "FreePair", "corpus_emotion", "free_pairs"]

OTHER_EMOTION = "other"
"""Stands for an emotion that the corpus does not have: such a pair is wrong wherever emotions count."""

STOPS = "full stops around numbers"
IN_WORDS = "pairs written as one text"
NONE = "words for none"
PROSE = "prose around pairs"
ALIAS = "emotion aliases"
UNKNOWN = "emotions that the corpus does not have"
WITHOUT = "pairs without an emotion"

_NONE = re.compile(
    r"\W*|(.*\W)?(none|null|nil|nothing|n/a|no(?!\.?\s*[0-9])|not|cannot|unclear|empty)(\W.*)?", re.DOTALL | re.I
)
_BEGINS_WITH_NONE = re.compile(r"\W*(there (is|are|was|were) )?(none|no|nothing)\b", re.I)
_AROUND = " \t\r\n.\"'`()[]{}"
_NUMBER = re.compile(r"(?<![0-9A-Za-z])U?([0-9]{1,6})(?![0-9A-Za-z])")
_WORD = r"[^\W\d_]+"
_TARGET = re.compile(rf"U?([0-9]{{1,6}})[\s.]*_[\s.]*({_WORD})")
_PAIR = re.compile(rf"U?([0-9]{{1,6}})[\s.]*_[\s.]*({_WORD})[\s.\"')\]]*(?:,|;|:|->|→|and)[\s\"'(\[]*U?([0-9]{{1,6}})")
_BARE = re.compile(r"\(\s*U?([0-9]{1,6})[\s.]*,\s*U?([0-9]{1,6})[\s.]*\)")


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
    """
    if not word:
        return OTHER_EMOTION, [WITHOUT]
    name = aliases.get(word.lower())
    if name is None:
        return OTHER_EMOTION, [UNKNOWN]
    return name, [] if name == word else [ALIAS]


def _of_text(text: str, aliases: Mapping[str, str]) -> tuple[list[FreePair], list[str]] | None:
    """Reads pairs out of a text; one that is nothing but pairs is told from prose."""
    named = [(int(match[1]), match[2], int(match[3])) for match in _PAIR.finditer(text)]
    bare = [] if named else [(int(match[1]), "", int(match[2])) for match in _BARE.finditer(text)]
    if not named and not bare:
        return ([], [NONE]) if _says_none(text) else None
    rest = (_PAIR if named else _BARE).sub("", text)
    kinds = [IN_WORDS if not re.search(r"\w", rest) else PROSE]
    pairs = []
    for target, word, cause in named or bare:
        emotion, more = corpus_emotion(word, aliases)
        pairs.append(FreePair(target, emotion, cause))
        kinds += more
    return pairs, kinds


def _of_parts(first: Any, second: Any, aliases: Mapping[str, str]) -> tuple[list[FreePair], list[str]] | None:
    """Reads a target with its emotion, and a cause."""
    kinds: list[str] = []
    target = None if _says_none(first) else _target(first, kinds)
    if _says_none(first) or _says_none(second) or (target is not None and target[1] and _says_none(target[1])):
        return [], [NONE]
    cause = _cause(second, kinds)
    if target is None or cause is None:
        return None
    emotion, more = corpus_emotion(target[1], aliases)
    return [FreePair(target[0], emotion, cause)], [*kinds, *more]


def _says_none(value: Any) -> bool:
    """Whether it says that there is nothing; where it also has a number, only if it begins so."""
    if not isinstance(value, str):
        return value is None
    if _NUMBER.search(value) or _TARGET.search(value):
        return _BEGINS_WITH_NONE.match(value) is not None and _NONE.fullmatch(value) is not None
    return _NONE.fullmatch(value) is not None


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
            begun = re.match(r"U?([0-9]{1,6})[\s.]*_", bare)
            return (int(begun[1]), OTHER_EMOTION) if begun and not found else None
        match = found[0]
        kinds.append(PROSE)
    elif "." in value:
        kinds.append(STOPS)
    return int(match[1]), match[2]


def _cause(value: Any, kinds: list[str]) -> int | None:
    number = turn_number(value)
    if number is not None or not isinstance(value, str):
        return number
    number = turn_number(value.partition("_")[0].strip(_AROUND))
    if number is not None:
        if "." in value.partition("_")[0]:
            kinds.append(STOPS)
        return number
    found = _NUMBER.findall(value)
    if len(found) != 1 or _NONE.fullmatch(value):  # "utterance 3 has no cause" is not cause 3
        return None
    kinds.append(PROSE)
    return int(found[0])
