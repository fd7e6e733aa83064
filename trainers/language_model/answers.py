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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from iemomecp_dataset.corpora.metadata import emotion_aliases
from iemomecp_dataset.corpora.semeval_json import turn_number
from iemomecp_dataset.metrics.evaluation.free_pairs import OTHER_EMOTION, corpus_emotion, free_pairs
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

BY_SCHEMA, INSIDE_TEXT, IN_WORDS, UNUSABLE = "valid by schema", "JSON inside text", "in words", "unusable"
STEPS = (BY_SCHEMA, INSIDE_TEXT, IN_WORDS, UNUSABLE)
"""Where an answer is read, in the order in which it is tried."""

NO_TURN = "turn outside the dialogue"
NO_TARGET = "emotion of its target is neutral"
REPEATED = "repeated"
OVER = "over the most that are asked for"
OUTSIDE = "outside the candidates"
REFUSALS = (NO_TURN, NO_TARGET, REPEATED, OVER, OUTSIDE)
"""Why a listed pair is not kept; the first that applies counts."""

UNLISTED = "emotion outside the list (the pair is kept, without an emotion)"
ALIAS = "emotion aliases"
SECOND = "another emotion for the same target (the first one is kept)"

CUT, REFUSED, FILTERED = "cut off", "refused", "content filter"
ENDINGS: Mapping[str, str] = {"length": CUT, "refusal": REFUSED, "content_filter": FILTERED}
"""By finish reason how an answer ended, where it did not end by itself."""

Role = Literal["causes", "context"]

_KEYS = {"target": "target", "targets": "target", "emotion_turn": "target", "turn": "target", "target_turn": "target",
         "emotion": "emotion", "causes": "causes", "cause": "causes", "cause_turns": "causes", "cause_turn": "causes",
         "context": "context", "contexts": "context"}  # fmt: skip
_LISTS = ("records", "pairs", "emotion-cause_pairs", "emotion_cause_pairs", "answer", "result", "results", "emotions")
_MOST_OBJECTS = 1000


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
    """

    step: str
    pairs: tuple[ReadPair, ...] = ()
    emotions: Mapping[int, str] = field(default_factory=dict)
    listed: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)
    remarks: Mapping[str, int] = field(default_factory=dict)
    ending: str = ""
    text: str = ""


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


@dataclass
class Ladder:
    """Counts over many answers.

    Attributes:
        steps: Answers by step.
        endings: Answers by how they ended, where not by themselves.
        listed: Pairs that the answers list.
        kept: Pairs that are kept.
        refused: Pairs that are not, by reason.
        remarks: What was overlooked, by kind.
    """

    steps: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(STEPS, 0)))
    endings: Counter[str] = field(default_factory=Counter)
    listed: int = 0
    kept: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    remarks: Counter[str] = field(default_factory=Counter)

    def add(self, reading: Reading) -> None:
        """Counts one answer."""
        self.steps[reading.step] += 1
        if reading.ending:
            self.endings[reading.ending] += 1
        self.listed += reading.listed
        self.kept += len(reading.pairs)
        self.refused.update(reading.refused)
        self.remarks.update(reading.remarks)

    @property
    def answers(self) -> int:
        """Number of answers."""
        return self.steps.total()

    def as_record(self) -> dict[str, Any]:
        """The counts as a record states them; ``share_by_schema`` is None without answers."""
        return {
            "answers": self.answers,
            "steps": {step: self.steps[step] for step in STEPS},
            "share_by_schema": self.steps[BY_SCHEMA] / self.answers if self.answers else None,
            "endings": dict(self.endings),
            "pairs_listed": self.listed,
            "pairs_kept": self.kept,
            "pairs_refused": dict(self.refused),
            "remarks": dict(self.remarks),
        }


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
    value = _decoded(text)
    if value is not _NOTHING and fits(schema, value):
        return _kept(BY_SCHEMA, list(_records(value, reads.target) or []), reads, Counter(), ending)
    if ending == REFUSED:
        return Reading(UNUSABLE, ending=ending)
    records = None
    for found in _objects(text):
        records = _records(found, reads.target)
        if records is not None:
            break
    if records is None:
        # The answer was cut off within its list: what is complete of it is read.
        inner = [_record(found, reads.target) for found in _objects(text, inner=True) if isinstance(found, dict)]
        complete = [record for record in inner if record is not None]
        records = complete or None
    if records is not None:
        return _kept(INSIDE_TEXT, records, reads, Counter(), ending)
    remarks: Counter[str] = Counter()
    words = _in_words(text, reads, remarks)
    if words is None:
        return Reading(UNUSABLE, ending=ending)
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
    candidates = [value] if step == BY_SCHEMA else list(_objects(text))
    words: list[Any] | None = None
    for found in candidates:
        listed = found.get("emotions", found.get("emotion")) if isinstance(found, dict) else found
        if isinstance(listed, str):
            listed = [listed]
        if isinstance(listed, list) and listed:
            words = [one.get("emotion") if isinstance(one, dict) else one for one in listed]
            break
    remarks: Counter[str] = Counter()
    if words is None and ending != REFUSED:
        named = _named_emotions(text, reads.aliases)
        wanted = 1 if reads.target is not None else reads.n_turns
        if len(named) == wanted:
            step, words = IN_WORDS, list(named)
    if words is None:
        return Reading(UNUSABLE, ending=ending)
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
    for found in _objects(text):
        if isinstance(found, dict) and isinstance(found.get("explanation"), str):
            return Reading(INSIDE_TEXT, text=_one_line(found["explanation"]), ending=ending)
    if not text.strip() or ending in (REFUSED, FILTERED):
        return Reading(UNUSABLE, ending=ending)
    return Reading(IN_WORDS, text=_one_line(text), ending=ending)


_NOTHING = object()
_APOLOGY = re.compile(
    r"\b(?:sorry|apolog\w+|unable|cannot|can['’]?t|(?:do|does|could|would)(?: not|n['’]?t)|not (?:able|sure|clear))\b",
    re.I,
)


@dataclass(frozen=True)
class _Record:
    """A target as it was listed: nothing is checked yet."""

    target: Any
    emotion: Any
    lists: tuple[tuple[Role, tuple[Any, ...]], ...]


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return _NOTHING


def _objects(text: str, *, inner: bool = False) -> Iterator[Any]:
    """Decodes the JSON values that a text holds, in order; with ``inner`` also those within one that is cut off."""
    decoder = json.JSONDecoder()
    place = tried = 0
    while (found := re.compile(r"[{\[]").search(text, place)) is not None and tried < _MOST_OBJECTS:
        tried += 1
        try:
            value, place = decoder.raw_decode(text, found.start())
        except (ValueError, RecursionError):
            place = found.start() + 1
            if not inner and found[0] == "{" and text.lstrip()[:1] == "{" and tried == 1:
                return  # an object from the beginning that does not end: cut off
            continue
        yield value


def _records(value: Any, target: int | None) -> list[_Record] | None:
    """The records of a decoded value; None where it is of no known form."""
    if isinstance(value, dict):
        listed = next((value[name] for name in _LISTS if isinstance(value.get(name), list)), None)
        if listed is None:
            record = _record(value, target)
            return None if record is None else [record]
        value = listed
    if not isinstance(value, list):
        return None
    records = [_record(entry, target) for entry in value]
    # A list of numbers alone answers about the causes of one target.
    if target is not None and value and all(turn_number(entry) is not None for entry in value):
        return [_Record(target, None, (("causes", tuple(value)),))]
    if any(record is None for record in records):
        return None
    return [record for record in records if record is not None]


def _record(entry: Any, target: int | None) -> _Record | None:
    if not isinstance(entry, dict):
        return None
    found = {_KEYS[key.strip().lower()]: value for key, value in entry.items() if key.strip().lower() in _KEYS}
    if "target" not in found and target is None:
        return None
    if "causes" not in found and "context" not in found and (target is None or "emotion" not in found):
        return None
    roles: tuple[Role, ...] = ("causes", "context")
    lists = tuple((role, _as_tuple(found[role])) for role in roles if role in found)
    # What was asked about is what is answered about, whatever number the answer repeats.
    return _Record(found.get("target") if target is None else target, found.get("emotion"), lists)


def _as_tuple(value: Any) -> tuple[Any, ...]:
    if value is None:
        return ()
    return tuple(value) if isinstance(value, list) else (value,)


def _in_words(text: str, reads: Reads, remarks: Counter[str]) -> list[_Record] | None:
    """Reads pairs in words: the whole text, else each of its lines that can be read."""
    aliases = reads.aliases
    # In place of a pair, "not" means none; a whole answer that says so may be an apology.
    if not re.search(r"\w", text) or _APOLOGY.search(text):
        return None
    if reads.target is not None:
        named = list(dict.fromkeys(_named_emotions(text, aliases)))
        emotion = named[0] if len(named) == 1 else OTHER_EMOTION
        for part in (text, *text.splitlines()):
            found = free_pairs([f"{reads.target}_{emotion}", part], aliases)
            if found is not None:
                remarks.update(kind for kind in found[1] if not kind.startswith("emotions that"))
                causes = tuple(pair.cause for pair in found[0])
                word = None if emotion == OTHER_EMOTION else emotion
                return [_Record(reads.target, word, (("causes", causes),))]
        return None
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
            _Record(pair.target, None if pair.emotion == OTHER_EMOTION else pair.emotion, (("causes", (pair.cause,)),))
            for pair in pairs
        ]
    return records


def _named_emotions(text: str, aliases: Mapping[str, str]) -> list[str]:
    """The corpus's emotions by the words of a text, in order."""
    return [aliases[word] for word in re.findall(r"[^\W\d_]+", text.lower()) if word in aliases]


def _kept(step: str, records: Sequence[_Record], reads: Reads, remarks: Counter[str], ending: str) -> Reading:
    """Keeps the listed pairs that can be predicted, each once, and counts the others."""
    refused: Counter[str] = Counter()
    kept: dict[tuple[int, int], Role] = {}
    emotions: dict[int, str] = {}
    n_listed = 0
    known = 0
    aliases = reads.aliases
    for record in records:
        target = turn_number(record.target)
        exists = target is not None and 1 <= target <= reads.n_turns
        known += target not in emotions
        over_targets = known > reads.most_records
        word, kinds = _emotion(record.emotion, aliases)
        neutral = word in NEUTRAL_EMOTIONS
        remarks.update(kinds)
        if exists and not over_targets and word and target is not None:
            first = emotions.setdefault(target, word)
            remarks[SECOND] += first != word
        for role, listed in record.lists:
            for place, entry in enumerate(listed):
                n_listed += 1
                cause = turn_number(entry)
                pair = (target or 0, cause or 0)
                if not exists or cause is None or not 1 <= cause <= reads.n_turns:
                    refused[NO_TURN] += 1
                elif neutral:
                    refused[NO_TARGET] += 1
                elif pair in kept:
                    refused[REPEATED] += 1
                elif over_targets or place >= reads.most_causes:
                    refused[OVER] += 1
                elif pair not in reads.candidates:
                    refused[OUTSIDE] += 1
                else:
                    kept[pair] = role
    pairs = tuple(ReadPair(target, cause, role) for (target, cause), role in kept.items())
    return Reading(step, pairs, emotions, n_listed, +refused, +remarks, ending)


def _emotion(value: Any, aliases: Mapping[str, str]) -> tuple[str, list[str]]:
    if value is None:
        return "", []
    if not isinstance(value, str):
        return "", [UNLISTED]
    word, kinds = corpus_emotion(value, aliases)
    if word == OTHER_EMOTION and OTHER_EMOTION not in aliases.values():
        return "", [UNLISTED]
    return word, [ALIAS] if kinds else []
