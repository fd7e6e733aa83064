"""Reads targets with their causes out of JSON that systems write: inside a text, damaged, or of a like form.

Of several values the last one of a known form counts: an example or a draft precedes an answer. Nothing is checked
against a dialogue here.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from iemomecp_dataset.corpora.semeval_json import turn_number
from iemomecp_dataset.metrics.evaluation.free_pairs import OTHER_EMOTION, free_pairs

__all__ = [
    "Record",
    "Role",
    "json_values",
    "listed_records",
    "of_target",
    "opened",
    "records_of",
    "turns_of",
    "without_thoughts",
]

Role = Literal["causes", "context"]

THOUGHTS = "reasoning before the answer (left out)"
NOT_READ = "records that cannot be read (left out)"
OTHERS = "other answers in the same text (left out; the last one counts)"
WORDED = "turns with words around them"

_KEYS: Mapping[str, str] = {
    "target": "target", "targets": "target", "emotion_turn": "target", "turn": "target", "target_turn": "target",
    "emotion": "emotion", "causes": "causes", "cause": "causes", "cause_turns": "causes", "cause_turn": "causes",
    "context": "context", "contexts": "context",
}  # fmt: skip
_LISTS = ("records", "pairs", "emotion-cause_pairs", "emotion_cause_pairs", "answer", "result", "results", "emotions")
_TURN_KEYS = ("turn", "cause", "cause_turn", "context", "utterance", "number", "id")

_MOST_VALUES = 1000
_MOST_REPAIRS = 50
_LONGEST_REPAIR = 20_000

_THOUGHT_BEGINS = re.compile(r"<(?:think|thinking|thought|reasoning)>|\[THINK\]", re.I)
_THOUGHT_ENDS = re.compile(r"</(?:think|thinking|thought|reasoning)>|\[/THINK\]", re.I)
_BETWEEN = re.compile(r"(?:[0-9]{1,3}[.)]|[\s,;*-]|\band\b)*", re.I)
_BRACKET = re.compile(r"[{\[]")
_LAST_COMMA = re.compile(r",(\s*[}\]])")
_CONSTANTS = {"null": "None", "true": "True", "false": "False"}
_WORDED = re.compile(
    r"\s*(?:turn|utterance|line|u|no\.?)?\s*#?\s*([0-9]{1,6})\s*(?:[.:_)\]](?!\s*[0-9]).*|\(.*)?", re.DOTALL | re.I
)
_SEVERAL = re.compile(r"\s*U?[0-9]{1,6}(?:\s*(?:[,;&+]|\band\b)\s*U?[0-9]{1,6})+\s*\.?\s*")
_TARGET = re.compile(r"\s*U?([0-9]{1,6})[\s.]*_[\s.]*([^\W\d_]+)[\s.]*")


@dataclass(frozen=True)
class Record:
    """A target as it was listed: nothing is checked yet.

    Attributes:
        target: What stands in place of its turn.
        emotion: What stands in place of its emotion; None without.
        lists: By role what stands in place of turns.
        as_pair: Whether it is listed as a pair, whose target is meant as it is written.
    """

    target: Any
    emotion: Any
    lists: tuple[tuple[Role, tuple[Any, ...]], ...]
    as_pair: bool = False


def without_thoughts(text: str) -> str:
    """Leaves out the reasoning that precedes an answer; one that does not end has no answer after it.

    Example:
        >>> without_thoughts("<think>Turn 1, or {2}?</think> [1]"), without_thoughts("<think>Turn 1")
        (' [1]', '')
    """
    ends = list(_THOUGHT_ENDS.finditer(text))
    rest = text[ends[-1].end() :] if ends else text
    begun = _THOUGHT_BEGINS.search(rest)
    return rest if begun is None else rest[: begun.start()]


def listed_records(text: str, target: int | None, aliases: Mapping[str, str]) -> tuple[list[Record], int, int] | None:
    r"""Reads the records of the last JSON value of a known form; those that follow each other are read together.

    Between those that follow each other may be blanks, commas, numbers and bullets of a list, and "and".

    Args:
        text: What a system writes.
        target: The turn that it was asked about; None: the dialogue.
        aliases: As in :func:`~iemomecp_dataset.metrics.evaluation.free_pairs.free_pairs`.

    Returns:
        The records, which may be none, how many further ones cannot be read, and how many other answers, such as
        earlier ones, the text has; None where there is no such value.

    Example:
        >>> text = 'Such as {"target": 1, "causes": [1]}. My answer: {"target": 3, "causes": [2,]}'
        >>> [(record.target, record.lists) for record in listed_records(text, None, {})[0]]
        [(3, (('causes', (2,)),))]
    """
    found: tuple[list[Record], int] | None = None
    bare: tuple[list[Record], int] | None = None
    last_end, others = -1, 0
    text = opened(text) if isinstance(opened(text), str) else text
    for value, start, end, inside in json_values(text):
        records = records_of(value, target, aliases)
        if records is None:
            continue
        if isinstance(value, list) and not any(isinstance(entry, dict | list) for entry in value):
            # Of an object that is cut off, or of a reference, it says little.
            others += bare is not None and not inside
            bare = bare if inside else records
            continue
        single = isinstance(value, dict) and not any(_key(name) in _LISTS for name in value)
        if single and found is not None and last_end >= 0 and _BETWEEN.fullmatch(text, last_end, start):
            found = (found[0] + records[0], found[1] + records[1])
        else:
            others += found is not None
            found = records
        last_end = end if single else -1
    others += found is not None and bare is not None
    found = bare if found is None else found
    return None if found is None else (of_target(found[0], target), found[1], others)


def opened(value: Any) -> Any:
    """Decodes a JSON value that is written once more as a text; any other value is given back.

    Example:
        >>> opened('"[1]"'), opened("[1]"), opened("none"), opened(1)
        ('[1]', [1], 'none', 1)
    """
    if not isinstance(value, str) or value.lstrip()[:1] not in ('"', "[", "{"):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def json_values(text: str) -> Iterator[tuple[Any, int, int, bool]]:
    """Decodes the JSON objects and lists that a text holds, in order; single quotes and last commas are overlooked.

    Args:
        text: The text.

    Yields:
        A value, where it begins and ends, and whether it lies within brackets that are no JSON, such as one cut off.
    """
    decoder = json.JSONDecoder()
    place = tried = repaired = inside_to = 0
    while (found := _BRACKET.search(text, place)) is not None and tried < _MOST_VALUES:
        tried += 1
        start = found.start()
        try:
            value, place = decoder.raw_decode(text, start)
        except RecursionError:
            return  # nothing that is nested so deeply is an answer, and each bracket of it would be tried
        except ValueError:
            end = _closing(text, start) if repaired < _MOST_REPAIRS else len(text)
            repaired += 1
            value = None if end is None else _repaired(text[start:end])
            if value is None:
                place, inside_to = start + 1, max(inside_to, len(text) if end is None else end)
                continue
            place = end or len(text)
        yield value, start, place, start < inside_to


def records_of(value: Any, target: int | None, aliases: Mapping[str, str]) -> tuple[list[Record], int] | None:
    """The records of a decoded value as listed, and how many cannot be read; None where it is of no known form.

    Args:
        value: The value.
        target: As in :func:`listed_records`, and so are the aliases.
        aliases: Emotions by their words.
    """
    for _ in range(_MOST_VALUES):
        if not isinstance(value, dict):
            break
        by_key = {_key(name): opened(entry) for name, entry in value.items()}
        listed = next((by_key[name] for name in _LISTS if isinstance(by_key.get(name), list | dict)), None)
        if listed is None:
            record = _record(value, target)
            return None if record is None else ([record], 0)
        value = listed
    if not isinstance(value, list):
        return None
    # A list of numbers alone answers about the causes of one target.
    if target is not None and value and all(_alone(entry) for entry in value):
        return [Record(None, None, (("causes", tuple(value)),))], 0
    entries = [_of_entry(entry, target, aliases) for entry in value]
    records = [record for entry in entries if entry is not None for record in entry]
    n_bad = sum(entry is None for entry in entries)
    return None if n_bad and n_bad == len(entries) else (records, n_bad)


def of_target(records: list[Record], target: int | None) -> list[Record]:
    """What was asked about is what is answered about, whatever number is repeated, unless several are named.

    Args:
        records: As they are listed.
        target: As in :func:`listed_records`.

    Returns:
        The records, of which those of other targets than the one that was asked about are named as they are.
    """
    if target is None:
        return records
    named = {turns_of(record.target, Counter())[0] for record in records if record.target is not None}
    return [
        replace(record, target=target) if record.target is None or (len(named) == 1 and not record.as_pair) else record
        for record in records
    ]


def turns_of(value: Any, remarks: Counter[str]) -> list[int | None]:
    """Reads the turns that stand in place of one.

    Args:
        value: A decoded value.
        remarks: Receives what had to be overlooked.

    Returns:
        The turns; None for one that cannot be read.

    Example:
        >>> [turns_of(value, Counter()) for value in (3, "turn 3", "3. Ann", "1, 2", {"turn": 3}, 3.0, "3.5", True)]
        [[3], [3], [3], [1, 2], [3], [3], [None], [None]]
    """
    if isinstance(value, dict):
        value = next((value[name] for name in _TURN_KEYS if name in value), None)
    number = turn_number(value)
    if number is not None:
        return [number]
    if isinstance(value, float) and value.is_integer() and turn_number(int(value)) is not None:
        return [int(value)]
    if isinstance(value, str):
        if _SEVERAL.fullmatch(value):
            remarks[WORDED] += 1
            return [int(found) for found in re.findall("[0-9]+", value)]
        match = _WORDED.fullmatch(value)
        if match is not None:
            remarks[WORDED] += 1
            return [int(match[1])]
    return [None]


def _alone(entry: Any) -> bool:
    return not isinstance(entry, dict | list) and turns_of(entry, Counter()) != [None]


def _of_entry(entry: Any, target: int | None, aliases: Mapping[str, str]) -> list[Record] | None:
    if isinstance(entry, dict):
        record = _record(entry, target)
        return None if record is None else [record]
    if isinstance(entry, list) and len(entry) in (2, 3):
        named = _TARGET.fullmatch(entry[0]) if isinstance(entry[0], str) else None
        turn, emotion = (entry[0], None) if named is None else (int(named[1]), named[2])
        if len(entry) == 3 and isinstance(entry[1], str) and turns_of(entry[1], Counter()) == [None]:
            emotion = entry[1]
        elif len(entry) == 3:
            return None
        causes = _as_tuple(entry[-1])
        if turns_of(turn, Counter())[0] is None or any(turns_of(cause, Counter()) == [None] for cause in causes):
            return None
        return [Record(turn, emotion, (("causes", causes),), as_pair=True)]
    pairs = free_pairs(entry, aliases) if isinstance(entry, str) else None
    if pairs is None:
        return None
    return [
        Record(pair.target, None if pair.emotion == OTHER_EMOTION else pair.emotion, (("causes", (pair.cause,)),), True)
        for pair in pairs[0]
    ]


def _record(entry: Mapping[str, Any], target: int | None) -> Record | None:
    found = {_KEYS[key.strip().lower()]: value for key, value in entry.items() if _key(key) in _KEYS}
    if "target" not in found and target is None:
        return None
    if "causes" not in found and "context" not in found and (target is None or "emotion" not in found):
        return None
    emotion, turn = found.get("emotion"), found.get("target")
    named = _TARGET.fullmatch(turn) if isinstance(turn, str) else None
    if named is not None and emotion is None:
        turn, emotion = int(named[1]), named[2]
    roles: tuple[Role, ...] = ("causes", "context")
    return Record(turn, emotion, tuple((role, _as_tuple(found[role])) for role in roles if role in found))


def _key(key: Any) -> str:
    return key.strip().lower() if isinstance(key, str) else ""


def _as_tuple(value: Any) -> tuple[Any, ...]:
    if value is None or value == "":
        return ()
    return tuple(value) if isinstance(value, list) else (value,)


def _closing(text: str, start: int) -> int | None:
    """Where the bracket at a place is closed, texts in quotes apart; None where it is not."""
    open_, quote, before = 0, "", ""
    for place in range(start, min(len(text), start + _LONGEST_REPAIR)):
        sign = text[place]
        if quote:
            if sign == quote and text[place - 1] != "\\":
                quote = ""
            continue
        # An apostrophe within words begins no text.
        if sign == '"' or (sign == "'" and before in "[{(,:"):
            quote = sign
        elif sign in "[{":
            open_ += 1
        elif sign in "]}":
            open_ -= 1
            if not open_:
                return place + 1
        before = before if sign.isspace() else sign
    return None


def _repaired(text: str) -> Any:
    """Decodes what is JSON but for last commas, or is written as Python does; None where it is neither."""
    text = _LAST_COMMA.sub(r"\1", text)
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    text = re.sub(r"\b(null|true|false)\b", lambda match: _CONSTANTS[match[1]], text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = json.loads(json.dumps(ast.literal_eval(text)))  # tuples become lists, and keys texts
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    return value if isinstance(value, dict | list) else None
