"""The reading ladder: what a language model wrote, as pairs and emotions, with every step counted.

An answer is read at the first of four steps that it allows: it is valid by its schema; it holds JSON inside a fence, or
text, or JSON of a like form; it states pairs in words (read by :mod:`iemomecp_dataset.metrics.evaluation.free_pairs`,
as ``evaluate --read leniently`` reads other systems' files); it is unusable. Then each listed pair is kept, or refused
for one reason. So the steps add up to the answers, and kept and refused pairs to the listed ones.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from iemomecp_dataset.corpora.metadata import emotion_aliases
from iemomecp_dataset.metrics.evaluation.free_pairs import (
    OTHER_EMOTION,
    PROSE,
    UNKNOWN,
    WITHOUT,
    corpus_emotion,
    free_pairs,
)
from iemomecp_dataset.metrics.evaluation.ladder import (
    BY_SCHEMA,
    IN_WORDS,
    INSIDE_TEXT,
    NO_TARGET,
    NO_TURN,
    OUTSIDE,
    OVER,
    REFUSALS,
    REPEATED,
    STEPS,
    UNUSABLE,
    Ladder,
)
from iemomecp_dataset.metrics.evaluation.listed_records import (
    NOT_READ,
    OTHERS,
    THOUGHTS,
    Record,
    Role,
    json_values,
    listed_records,
    of_target,
    records_of,
    turns_of,
    without_thoughts,
)
from iemomecp_dataset.schema import NEUTRAL_EMOTIONS
from iemomecp_dataset.trainers.language_model.schemas import MOST_CAUSES, MOST_RECORDS, Schema, fits

__all__ = [
    "BY_SCHEMA",
    "ENDINGS",
    "INSIDE_TEXT",
    "IN_WORDS",
    "REFUSALS",
    "STEPS",
    "UNUSABLE",
    "Ladder",
    "ReadPair",
    "Reading",
    "Reads",
    "read_answer",
    "read_emotions",
    "read_explanation",
]

UNLISTED = "emotion outside the list (the pair is kept, without an emotion)"
ALIAS = "emotion aliases"
SECOND = "another emotion for the same target (the first one is kept)"

CUT, REFUSED, FILTERED = "cut off", "refused", "content filter"
ENDINGS: Mapping[str, str] = {"length": CUT, "refusal": REFUSED, "content_filter": FILTERED}
"""By finish reason how an answer ended, where it did not end by itself."""


@dataclass(frozen=True)
class ReadPair:
    """A pair that was read; it is one of the candidates."""

    target: int
    cause: int
    role: Role = "causes"


@dataclass(frozen=True)
class Reading:
    """What one answer says.

    Attributes:
        step: One of :data:`STEPS`.
        pairs: The pairs that are kept.
        emotions: By target, or turn, its emotion in the corpus's own word.
        listed: Number of pairs that the answer lists.
        refused: By reason the listed pairs that are not kept.
        remarks: What else had to be overlooked, by kind.
        ending: How the answer ended where it did not by itself; else empty.
        text: Of an explanation, the text.
        nowhere: The listed pairs of turns that the dialogue does not have, each once: what stands in place of target
            and cause, and the role.
    """

    step: str
    pairs: tuple[ReadPair, ...] = ()
    emotions: Mapping[int, str] = field(default_factory=dict)
    listed: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)
    remarks: Mapping[str, int] = field(default_factory=dict)
    ending: str = ""
    text: str = ""
    nowhere: frozenset[tuple[str, str, Role]] = frozenset()

    @property
    def n_kept(self) -> int:
        """Number of pairs that are kept."""
        return len(self.pairs)


@dataclass(frozen=True)
class Reads:
    """What answers on a dialogue are read against.

    Attributes:
        n_turns: Number of turns.
        candidates: The pairs ``(target, cause)`` that can be predicted.
        emotions: The corpus's emotions, neutral included.
        target: The one turn that was asked about; None where the whole dialogue was.
        most_records: Most targets that are read.
        most_causes: Most causes, and contexts, of one target that are read.
    """

    n_turns: int
    candidates: frozenset[tuple[int, int]]
    emotions: tuple[str, ...]
    target: int | None = None
    most_records: int = MOST_RECORDS
    most_causes: int = MOST_CAUSES

    @property
    def aliases(self) -> Mapping[str, str]:
        """The corpus's emotion by each word that other systems write."""
        return emotion_aliases(self.emotions)


def read_answer(text: str, reads: Reads, schema: Schema, *, finish_reason: str = "stop") -> Reading:
    r"""Reads an answer on a dialogue, or on one of its utterances.

    Args:
        text: What the model wrote.
        reads: What it is read against.
        schema: The schema that it was asked for.
        finish_reason: Why it ended, in the words of OpenAI's interface.

    Returns:
        Its pairs and emotions, and what was not kept. Every pair is one of the candidates.

    Example:
        >>> from iemomecp_dataset.trainers.language_model.schemas import dialogue_schema
        >>> reads = Reads(3, frozenset({(3, 1), (3, 3)}), ("neutral", "joy"))
        >>> text = '```json\n{"records": [{"target": 3, "emotion": "happy", "causes": [1, 2, 9]}]}\n```'
        >>> reading = read_answer(text, reads, dialogue_schema(3, ("joy",)))
        >>> reading.step, reading.pairs, reading.emotions
        ('JSON inside text', (ReadPair(target=3, cause=1, role='causes'),), {3: 'joy'})
        >>> dict(reading.refused)
        {'outside the candidates': 1, 'turn outside the dialogue': 1}
    """
    ending = ENDINGS.get(finish_reason, "")
    if ending == REFUSED:
        return Reading(UNUSABLE, ending=ending)
    value = _decoded(text)
    if value is not _NOTHING and fits(schema, value):
        records, _ = records_of(value, reads.target, reads.aliases) or ([], 0)
        return _kept(BY_SCHEMA, of_target(records, reads.target), reads, Counter(), ending)
    remarks: Counter[str] = Counter()
    text = _answered(text, remarks)
    found = listed_records(text, reads.target, reads.aliases)
    if found is not None:
        remarks[NOT_READ] += found[1]
        remarks[OTHERS] += found[2]
        return _kept(INSIDE_TEXT, found[0], reads, remarks, ending)
    words = _in_words(text, reads, remarks)
    if words is None:
        return Reading(UNUSABLE, remarks=+remarks, ending=ending)
    return _kept(IN_WORDS, words, reads, remarks, ending)


def read_emotions(text: str, reads: Reads, schema: Schema, *, finish_reason: str = "stop") -> Reading:
    """Reads the emotions of all turns of a dialogue, or of the one that was asked about.

    Args:
        text: As in :func:`read_answer`, and so are the others.
        reads: As there; the candidates are not used.
        schema: As there.
        finish_reason: As there.

    Returns:
        The emotions that were read; turns without one are not among them.

    Example:
        >>> from iemomecp_dataset.trainers.language_model.schemas import emotions_schema
        >>> reads = Reads(2, frozenset(), ("neutral", "joy"))
        >>> reading = read_emotions('{"emotions": ["Happy", "angst"]}', reads, emotions_schema(2, reads.emotions))
        >>> reading.emotions, dict(reading.remarks)
        ({1: 'joy'}, {'emotion aliases': 1, 'emotion outside the list': 1})
    """
    ending = ENDINGS.get(finish_reason, "")
    value = _decoded(text)
    step = BY_SCHEMA if value is not _NOTHING and fits(schema, value) else INSIDE_TEXT
    remarks: Counter[str] = Counter()
    if step != BY_SCHEMA:
        text = _answered(text, remarks)
    candidates = [value] if step == BY_SCHEMA else [one for one, *_ in json_values(text)]
    words: list[Any] | None = None
    # An example or a draft precedes an answer.
    for found in reversed(candidates):
        keys = _by_key(found) if isinstance(found, dict) else {}
        listed = keys.get("emotions", keys.get("emotion")) if keys else found
        if isinstance(listed, str):
            listed = [listed]
        if isinstance(listed, list) and listed:
            words = [one.get("emotion") if isinstance(one, dict) else one for one in listed]
            break
    if words is None and ending != REFUSED:
        named = _named_emotions(text, reads.aliases)
        wanted = 1 if reads.target is not None else reads.n_turns
        if len(named) == wanted:
            step, words = IN_WORDS, list(named)
    if words is None:
        return Reading(UNUSABLE, remarks=+remarks, ending=ending)
    turns = [reads.target] if reads.target is not None else list(range(1, reads.n_turns + 1))
    if len(words) != len(turns):
        remarks["more or fewer emotions than turns"] += 1
    emotions: dict[int, str] = {}
    for turn, word in zip(turns, words, strict=False):
        name, kinds = corpus_emotion(word, reads.aliases) if isinstance(word, str) else (OTHER_EMOTION, [""])
        if name not in reads.emotions:
            remarks["emotion outside the list"] += 1
            continue
        remarks[ALIAS] += bool(kinds)
        emotions[turn] = name
    if not emotions:
        return Reading(UNUSABLE, remarks=+remarks, ending=ending)
    return Reading(step, emotions=emotions, remarks=+remarks, ending=ending)


def read_explanation(text: str, schema: Schema, *, finish_reason: str = "stop") -> Reading:
    """Reads an explanation: the text of the schema's field, else of JSON inside a text, else the whole text.

    Args:
        text: What the model wrote.
        schema: The schema that it was asked for.
        finish_reason: Why it ended.

    Example:
        >>> from iemomecp_dataset.trainers.language_model.schemas import explanation_schema
        >>> read_explanation("Because Ann won.", explanation_schema()).text
        'Because Ann won.'
    """
    ending = ENDINGS.get(finish_reason, "")
    value = _decoded(text)
    if value is not _NOTHING and fits(schema, value):
        return Reading(BY_SCHEMA, text=_one_line(value["explanation"]), ending=ending)
    remarks: Counter[str] = Counter()
    text = _answered(text, remarks)
    for found in reversed([one for one, *_ in json_values(text)]):
        explanation = _by_key(found).get("explanation") if isinstance(found, dict) else None
        if isinstance(explanation, str):
            return Reading(INSIDE_TEXT, text=_one_line(explanation), remarks=+remarks, ending=ending)
    if not text.strip() or ending in (REFUSED, FILTERED):
        return Reading(UNUSABLE, remarks=+remarks, ending=ending)
    return Reading(IN_WORDS, text=_one_line(text), remarks=+remarks, ending=ending)


_NOTHING = object()
_APOLOGY = re.compile(
    r"\b(?:sorry|apolog\w+|unable|cannot|can['’]?t|(?:do|does|could|would)(?: not|n['’]?t)|not (?:able|sure|clear))\b",
    re.I,
)


_ITSELF = re.compile(r"\b(?:cause[sd]?|itself|self|same)\b", re.I)
_BEGINS_WITH_TURN = re.compile(r"\W*U?[0-9]")
_NUMBERS = r"U?[0-9]{1,6}(?:[ \t]*(?:[,;&+]|\band\b)[ \t]*U?[0-9]{1,6})*"
_LABELLED = re.compile(
    r"\b(causes?|contexts?)\b(?:[ \t:=*\"'\[(]|\b(?:turns?|utterances?|are|is|was|were)\b)*"
    rf"({_NUMBERS})(?=[ \t\])}}\"'*.;,]*(?:$|\b(?:context|cause)))",
    re.I | re.M,
)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return _NOTHING


def _by_key(value: Mapping[str, Any]) -> dict[str, Any]:
    """The entries of an object by their keys in small letters."""
    return {key.strip().lower(): entry for key, entry in value.items()}


def _answered(text: str, remarks: Counter[str]) -> str:
    """The text without the reasoning before the answer."""
    rest = without_thoughts(text)
    remarks[THOUGHTS] += rest != text
    inner = _decoded(rest)
    return inner if isinstance(inner, str) else rest  # JSON that is written once more as a JSON string


def _in_words(text: str, reads: Reads, remarks: Counter[str]) -> list[Record] | None:
    """Reads pairs in words: the whole text, else each of its lines that can be read."""
    aliases = reads.aliases
    # In place of a pair, "not" means none; a whole answer that says so may be an apology.
    if not re.search(r"\w", text) or _APOLOGY.search(text):
        return None
    if reads.target is not None:
        return _about_target(text, reads.target, aliases, remarks)
    whole = free_pairs(text, aliases)
    parts = [whole] if whole is not None else [free_pairs(line, aliases) for line in text.splitlines() if line.strip()]
    readable = [part for part in parts if part is not None]
    if not any(pairs for pairs, _ in readable) and whole is None:
        return None
    remarks["lines that cannot be read"] += len(parts) - len(readable)
    records = []
    for pairs, kinds in readable:
        remarks.update(kinds)
        records += [
            Record(pair.target, None if pair.emotion == OTHER_EMOTION else pair.emotion, (("causes", (pair.cause,)),))
            for pair in pairs
        ]
    return records


def _about_target(text: str, target: int, aliases: Mapping[str, str], remarks: Counter[str]) -> list[Record] | None:
    """Reads the causes of one target in words: as pairs, by their headings, or as numbers."""
    named = list(dict.fromkeys(_named_emotions(text, aliases)))
    emotion = named[0] if len(named) == 1 else None
    pairs = free_pairs(text, aliases)
    # "(1, 2)" are two causes, unless the target stands first.
    if pairs is not None and (WITHOUT not in pairs[1] or any(pair.target == target for pair in pairs[0])):
        remarks.update(kind for kind in pairs[1] if kind not in (UNKNOWN, WITHOUT))
        if not pairs[0]:
            return [Record(target, emotion, (("causes", ()),))]
        return [
            Record(
                pair.target, emotion if pair.emotion == OTHER_EMOTION else pair.emotion, (("causes", (pair.cause,)),)
            )
            for pair in pairs[0]
        ]
    labelled = list(_LABELLED.finditer(text))
    if labelled:
        remarks[PROSE] += 1
        lists: dict[Role, tuple[Any, ...]] = {}
        for match in labelled:
            role: Role = "causes" if match[1].lower().startswith("cause") else "context"
            lists[role] = (*lists.get(role, ()), *(int(number) for number in re.findall("[0-9]+", match[2])))
        return [Record(target, emotion, tuple(lists.items()))]
    causes: list[int] = []
    n_read = 0
    lines = [line for line in text.splitlines() if line.strip()]
    for part in (text, *lines):
        found = _causes_of_target(part, target, emotion, aliases)
        if found is None or (n_read and PROSE in found[1]):
            continue
        remarks.update(kind for kind in found[1] if kind not in (UNKNOWN, WITHOUT))
        causes += found[0]
        n_read += 1
        if part is text:
            n_read = len(lines)
            break
    if not n_read:
        return None
    remarks["lines that cannot be read"] += len(lines) - n_read
    return [Record(target, emotion, (("causes", tuple(causes)),))]


def _causes_of_target(
    text: str, target: int, emotion: str | None, aliases: Mapping[str, str]
) -> tuple[list[int], list[str]] | None:
    # What names the target as files of pairs do says nothing about its causes.
    if re.search(rf"(?<![0-9A-Za-z])U?{target}[ \t.]*_[ \t.]*[^\W\d_]", text):
        return None
    found = free_pairs([f"{target}_{emotion or OTHER_EMOTION}", text], aliases)
    if found is None:
        return None
    causes = [pair.cause for pair in found[0]]
    if causes == [target] and PROSE in found[1] and not (_ITSELF.search(text) or _BEGINS_WITH_TURN.match(text)):
        return None  # such as "in turn 3 she feels joy": the question is repeated
    return causes, found[1]


def _named_emotions(text: str, aliases: Mapping[str, str]) -> list[str]:
    """The corpus's emotions by the words of a text, in order."""
    return [aliases[word] for word in re.findall(r"[^\W\d_]+", text.lower()) if word in aliases]


def _kept(step: str, records: Sequence[Record], reads: Reads, remarks: Counter[str], ending: str) -> Reading:
    """Keeps the listed pairs that can be predicted, each once, and counts the others."""
    refused: Counter[str] = Counter()
    kept: dict[tuple[int, int], Role] = {}
    nowhere: set[tuple[str, str, Role]] = set()
    emotions: dict[int, str] = {}
    targets: set[int] = set()
    of_target: Counter[tuple[int, Role]] = Counter()
    n_listed = 0
    placed: list[tuple[Record, int | None]] = []
    # A target has one emotion, which is known before any of its pairs is kept: the first one that is stated.
    for record in records:
        turns = turns_of(record.target, remarks)
        target = turns[0] if len(turns) == 1 and turns[0] is not None and 1 <= turns[0] <= reads.n_turns else None
        placed.append((record, target))
        if target is not None and len(targets) < reads.most_records:
            targets.add(target)
        word, kinds = _emotion(record.emotion, reads.aliases)
        remarks.update(kinds)
        if target in targets and target is not None and word and reads.target in (None, target):
            remarks[SECOND] += emotions.setdefault(target, word) != word
    for record, target in placed:
        foreign = reads.target is not None and target != reads.target
        over_targets = target not in targets
        word = emotions.get(target or 0) or _emotion(record.emotion, reads.aliases)[0]
        neutral = word in NEUTRAL_EMOTIONS
        for role, listed in record.lists:
            for written, cause in ((one, turn) for one in listed for turn in turns_of(one, remarks)):
                n_listed += 1
                pair = (target or 0, cause or 0)
                if target is None or cause is None or not 1 <= cause <= reads.n_turns:
                    refused[NO_TURN] += 1
                    nowhere.add((_shown(target, record.target), _shown(cause, written), role))
                elif neutral:
                    refused[NO_TARGET] += 1
                elif pair in kept:
                    refused[REPEATED] += 1
                elif over_targets or of_target[pair[0], role] >= reads.most_causes:
                    refused[OVER] += 1
                elif foreign or pair not in reads.candidates:
                    refused[OUTSIDE] += 1
                else:
                    kept[pair] = role
                    of_target[pair[0], role] += 1
    pairs = tuple(ReadPair(target, cause, role) for (target, cause), role in kept.items())
    return Reading(step, pairs, emotions, n_listed, +refused, +remarks, ending, nowhere=frozenset(nowhere))


def _shown(turn: int | None, written: Any) -> str:
    """What tells a turn from another one: its number, or else what is written in its place."""
    if turn is None:
        turns = turns_of(written, Counter())
        turn = turns[0] if len(turns) == 1 else None
    return repr(written) if turn is None else str(turn)


def _emotion(value: Any, aliases: Mapping[str, str]) -> tuple[str, list[str]]:
    if value is None:
        return "", []
    if not isinstance(value, str):
        return "", [UNLISTED]
    word, kinds = corpus_emotion(value, aliases)
    if word == OTHER_EMOTION and OTHER_EMOTION not in aliases.values():
        return "", [UNLISTED]
    return word, [ALIAS] if kinds else []
