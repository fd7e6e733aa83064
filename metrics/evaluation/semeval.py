"""Reads and writes predictions in the JSON of SemEval-2024 Task 3 (ECF 2.0), which the official evaluator takes.

The format itself is :mod:`iemomecp_dataset.corpora.semeval_json`'s. A file that we write with gold emotions has
``"emotions": "gold"`` in each conversation, so that whoever scores it knows; the official evaluator ignores the key.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from iemomecp_dataset.corpora.metadata import emotion_aliases
from iemomecp_dataset.corpora.semeval_json import (
    ID_KEY,
    PAIRS_KEY,
    TURNS_KEY,
    labeled_pair,
    listed_pairs,
    semeval_conversations,
    turn_number,
)
from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.excerpts import excerpt
from iemomecp_dataset.field_checks import is_integer
from iemomecp_dataset.files import read_json, write_json
from iemomecp_dataset.metrics.evaluation.free_pairs import FreePair, corpus_emotion, free_pairs
from iemomecp_dataset.metrics.evaluation.ladder import (
    BY_SCHEMA,
    IN_WORDS,
    INSIDE_TEXT,
    NO_TURN,
    REPEATED,
    UNUSABLE,
    Entry,
    Ladder,
)
from iemomecp_dataset.metrics.evaluation.listed_records import (
    NOT_READ,
    OTHERS,
    THOUGHTS,
    Record,
    listed_records,
    records_of,
    turns_of,
    without_thoughts,
)
from iemomecp_dataset.metrics.set_scores import SEMEVAL_EMOTIONS, PairSet, pair_set

__all__ = [
    "EMOTION_NAMES",
    "Reading",
    "SemevalConversations",
    "missing_and_further",
    "read_semeval",
    "turn_numbers",
    "write_semeval",
]

Reading = Literal["strict", "leniently"]
"""How files of other systems are read: as the official evaluator does, or with what free text brings along."""

EMOTION_NAMES = (*SEMEVAL_EMOTIONS, "neutral")
"""Emotions of ECF and SemEval-2024 Task 3."""

_ORIGIN_KEY = "emotions"
_OUTSIDE = "turns outside the dialogue (kept as wrong pairs)"
_CONTEXT = "context, which the format has not (left out)"
_UNREADABLE = "entries that cannot be read (left out)"


@dataclass(frozen=True)
class SemevalConversations:
    """Content of a SemEval-2024 Task 3 file.

    Attributes:
        pairs: Its pairs with their emotions; dialogue ids are the conversation ids as text.
        conversations: The conversations as in the file, by id, in order.
        n_repeated: Pairs given more than once (once per span, in subtask 1) and kept once.
        emotions: Origin of the emotions: ``predicted``, or ``gold`` where the file says so.
        readings: How many entries are not quite of the format, by kind.
        ladder: By entry the step at which it was read, as answers of language models are, and by listed pair what
            became of it; of the first step is what the official evaluator takes.
    """

    pairs: PairSet
    conversations: Mapping[str, Mapping[str, Any]]
    n_repeated: int
    emotions: Literal["gold", "predicted"] = "predicted"
    readings: Mapping[str, int] = field(default_factory=dict)
    ladder: Ladder = field(default_factory=Ladder)

    @property
    def notes(self) -> list[str]:
        """What a reader of the scores must know about the file."""
        notes = []
        if self.n_repeated:
            notes.append(f"{self.n_repeated} pairs are given more than once with the same emotion and count once.")
        if self.readings:
            counted = ", ".join(f"{kind} {count}" for kind, count in sorted(self.readings.items()))
            notes.append(f"Entries that are not quite of the format were read, by kind: {counted}.")
        if self.ladder.steps[BY_SCHEMA] < self.ladder.answers:
            steps = ", ".join(f"{step} {count}" for step, count in self.ladder.steps.items())
            refused = "".join(f", {reason} {count}" for reason, count in self.ladder.refused.items())
            notes.append(
                f"Of {self.ladder.answers} entries, by the step at which they were read: {steps}. Of the "
                f"{self.ladder.listed} pairs that they list: kept {self.ladder.kept}{refused}."
            )
        return notes

    def only(self, kept: Iterable[str]) -> SemevalConversations:
        """Leaves out all other conversations."""
        names = set(kept)
        inside = np.array([name in names for name in self.pairs.dialogue_ids.tolist()], dtype=np.bool_)
        return replace(
            self,
            pairs=self.pairs.where(inside),
            conversations={name: entry for name, entry in self.conversations.items() if name in names},
        )


def read_semeval(
    path: str | Path, *, reading: Reading = "strict", emotion_names: Sequence[str] = EMOTION_NAMES
) -> SemevalConversations:
    """Reads a file of either subtask.

    Args:
        path: The JSON file, gold or predicted.
        reading: ``strict`` takes what the official evaluator takes; ``leniently`` also what
            :mod:`~iemomecp_dataset.metrics.evaluation.free_pairs` and
            :mod:`~iemomecp_dataset.metrics.evaluation.listed_records` read, and counts each kind.
        emotion_names: The emotions of the corpus, for their aliases.

    Returns:
        Its pairs and conversations.

    Raises:
        MissingDataError: There is no such file.
        InvalidDataError: It is not of this format; the message names the conversation and the pair, and how many more
            there are.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder) / "gold.json"
        ...     _ = file.write_text('[{"conversation_ID": 1, "emotion-cause_pairs": [["3_joy", " 2"]]}]')
        ...     pairs = read_semeval(file).pairs
        >>> pairs.target_turns.tolist(), pairs.cause_turns.tolist(), pairs.emotions.tolist()
        ([3], [2], ['joy'])
    """
    path = Path(path)
    content = read_json(path)
    if isinstance(content, list) and content and isinstance(content[0], dict) and "dialogue_id" in content[0]:
        raise InvalidDataError(
            f"{path} holds the rows of a table. Tables of predicted pairs are CSV, TSV or Parquet; JSON is read as "
            "SemEval-2024 writes it."
        )
    conversations = semeval_conversations(path, content)
    aliases = emotion_aliases(emotion_names)
    rows: dict[tuple[str, int, int, str], None] = {}
    readings: Counter[str] = Counter()
    refused: list[str] = []  # by strict reading, where they are and why
    ladder = Ladder()
    n_readable = n_repeated = 0
    for name, conversation in conversations.items():
        where = f"{path}: conversation {excerpt(name)}"
        turns = turn_numbers(conversation, where)
        listed = listed_pairs(conversation, where)
        for entry in listed if isinstance(listed, list) else [listed]:
            strict = labeled_pair(entry) if isinstance(listed, list) else None
            outside = strict is not None and _outside((strict[0], strict[2]), turns)
            if reading == "strict":
                if strict is None or outside:
                    n_readable += strict is not None or _freely(None, entry, aliases)[0] != UNUSABLE
                    refused.append(_refusal(where, entry, strict, turns))
                    continue
                step, found, unread = BY_SCHEMA, [FreePair(*strict)], 0
                kinds = _liberties(entry)
            else:
                step, found, kinds, unread = _freely(strict, entry, aliases)
                kinds = (
                    _liberties(entry)
                    + kinds
                    + [_OUTSIDE] * sum(_outside((pair.target, pair.cause), turns) for pair in found)
                )
            readings.update(kinds)
            before = len(rows)
            for pair in found:
                rows[name, pair.target, pair.cause, pair.emotion] = None
            kept = len(rows) - before
            refused_pairs = Counter({REPEATED: len(found) - kept, NO_TURN: unread})
            n_repeated += refused_pairs[REPEATED]
            ladder.add(Entry(step, len(found) + unread, kept, +refused_pairs))
    if refused:
        raise InvalidDataError(
            f"{refused[0]} {len(refused)} such entries, of which {n_readable} are understood by reading leniently "
            "(--read leniently)."
        )
    keys = list(rows)
    return SemevalConversations(
        pairs=pair_set([k[0] for k in keys], [k[1] for k in keys], [k[2] for k in keys], [k[3] for k in keys]),
        conversations=conversations,
        n_repeated=n_repeated,
        emotions="gold" if any(entry.get(_ORIGIN_KEY) == "gold" for entry in conversations.values()) else "predicted",
        readings=dict(readings),
        ladder=ladder,
    )


def write_semeval(
    path: str | Path,
    pairs: PairSet,
    conversations: Iterable[Mapping[str, Any]],
    *,
    emotions: Literal["gold", "predicted"] = "predicted",
) -> None:
    """Writes predictions in the format of subtask 2.

    Args:
        path: The file to write.
        pairs: The predicted pairs, with emotions.
        conversations: The conversations they were predicted on: ``conversation_ID`` and, to be copied,
            ``conversation``. All are written in this order, also those without a predicted pair; their gold pairs are
            not.
        emotions: Origin of the emotions; ``gold`` is written into each conversation.

    Raises:
        InvalidDataError: Pairs without emotions, or of a conversation that is not given.
        UsageError: The place cannot be written to.
    """
    if pairs.emotions is None:
        raise InvalidDataError(
            "The SemEval format needs an emotion for every pair; these have none. Give predicted emotions, or gold "
            "ones, and state which."
        )
    entries = list(conversations)
    found: dict[str, list[tuple[int, str, int]]] = {str(entry[ID_KEY]).strip(): [] for entry in entries}
    columns = (pairs.dialogue_ids, pairs.target_turns, pairs.cause_turns, pairs.emotions)
    for dialogue, target, cause, emotion in zip(*(column.tolist() for column in columns), strict=True):
        if dialogue not in found:
            raise InvalidDataError(
                f"Pair (dialogue {dialogue}, target {target}, cause {cause}) is of none of the {len(found)} "
                "given conversations."
            )
        found[dialogue].append((target, emotion, cause))
    content = []
    for conversation in entries:
        entry = {key: value for key, value in conversation.items() if key not in (PAIRS_KEY, _ORIGIN_KEY)}
        if emotions == "gold":
            entry[_ORIGIN_KEY] = "gold"
        entry[PAIRS_KEY] = [
            [f"{target}_{emotion}", str(cause)]
            for target, emotion, cause in sorted(found[str(conversation[ID_KEY]).strip()])
        ]
        content.append(entry)
    write_json(Path(path), content)


def missing_and_further(path: Path, listed: Iterable[str], wanted: Iterable[str]) -> list[str]:
    """Compares the conversations of a file with those of the gold.

    Args:
        path: The file.
        listed: Ids of its conversations.
        wanted: Ids of the gold's.

    Returns:
        Those of the file that the gold does not have, sorted; they are left out of the score.

    Raises:
        InvalidDataError: Conversations of the gold are missing.

    Example:
        >>> missing_and_further(Path("p.json"), ["1", "2", "3"], ["2", "1"])
        ['3']
    """
    found, gold = set(listed), set(wanted)
    further, missing = sorted(found - gold), sorted(gold - found)
    if missing:
        absent, unknown = (", ".join(map(excerpt, ids[:5])) for ids in (missing, further))
        raise InvalidDataError(
            f"{path}: {len(missing)} of the {len(gold)} conversations of the gold are missing "
            f"({absent}); {len(further)} of its {len(found)} are unknown "
            f"({unknown or 'none'}). Give every conversation, with an empty list where nothing is "
            "predicted, or check that corpus and split are the same."
        )
    return further


def _freely(
    strict: tuple[int, str, int] | None, entry: Any, aliases: Mapping[str, str]
) -> tuple[str, list[FreePair], list[str], int]:
    """Reads an entry at the first step that it allows.

    Returns:
        The step, the pairs, what was overlooked, and how many causes are no turns.
    """
    if strict is not None:
        emotion, kinds = corpus_emotion(strict[1], aliases)
        return BY_SCHEMA, [FreePair(strict[0], emotion, strict[2])], kinds, 0
    text = without_thoughts(entry) if isinstance(entry, str) else None
    if text is not None and (listed := listed_records(text, None, aliases)) is not None:
        return _of_records(listed, entry != text, aliases)
    # A text without its reasoning is read in words; what is no text may be one pair, or JSON of a like form.
    found = free_pairs(entry if text is None else text, aliases)
    if found is not None:
        return IN_WORDS, found[0], [*found[1], *[THOUGHTS] * (text is not None and text != entry)], 0
    records = None if text is not None else records_of(entry, None, aliases)
    return (UNUSABLE, [], [_UNREADABLE], 0) if records is None else _of_records((*records, 0), False, aliases)


def _of_records(
    listed: tuple[list[Record], int, int], thought: bool, aliases: Mapping[str, str]
) -> tuple[str, list[FreePair], list[str], int]:
    remarks: Counter[str] = Counter({THOUGHTS: int(thought), NOT_READ: listed[1], OTHERS: listed[2]})
    pairs: list[FreePair] = []
    unread = 0
    for record in listed[0]:
        (target, *more) = turns_of(record.target, remarks)
        emotion, kinds = corpus_emotion(record.emotion if isinstance(record.emotion, str) else "", aliases)
        for role, entries in record.lists:
            for cause in (turn for one in entries for turn in turns_of(one, remarks)):
                if role == "context":
                    remarks[_CONTEXT] += 1
                elif target is None or more or cause is None:
                    unread += 1
                else:
                    pairs.append(FreePair(target, emotion, cause))
                    remarks.update(kinds)
    return INSIDE_TEXT, pairs, list(remarks.elements()), unread


def _liberties(entry: Any) -> list[str]:
    """What the official evaluator overlooks in a pair."""
    parts = entry if isinstance(entry, list) and len(entry) == 2 else []
    numbers = [part.partition("_")[0] for part in parts if isinstance(part, str)]
    kinds = ["blanks around numbers"] * any(number != number.strip() for number in numbers)
    kinds += ["a U before numbers"] * any(number.strip().startswith("U") for number in numbers)
    return kinds + ["numbers that are not text"] * any(is_integer(part) for part in parts)


def turn_numbers(conversation: Mapping[str, Any], where: str) -> frozenset[int]:
    """Finds the numbers of the utterances of a conversation.

    Args:
        conversation: As in the file.
        where: What to call it in a message.

    Returns:
        The numbers; none where the file does not repeat the utterances.

    Raises:
        InvalidDataError: An utterance has no number.
    """
    utterances = conversation.get(TURNS_KEY) or []
    if not isinstance(utterances, list):
        raise InvalidDataError(f"{where}: {TURNS_KEY!r} must be a list of utterances.")
    numbers = [turn_number(entry.get("utterance_ID")) if isinstance(entry, dict) else None for entry in utterances]
    if None in numbers:
        raise InvalidDataError(f"{where}: an utterance lacks a whole number 'utterance_ID'.")
    return frozenset(number for number in numbers if number is not None)


def _outside(pair: tuple[int, int], turns: frozenset[int]) -> bool:
    return bool(turns) and not turns.issuperset(pair)


def _refusal(where: str, entry: Any, strict: tuple[int, str, int] | None, turns: frozenset[int]) -> str:
    if strict is not None:
        role, turn = ("emotion", strict[0]) if strict[0] not in turns else ("cause", strict[2])
        return (
            f"{where}, pair {entry}: there is no utterance {turn} ({role}); the conversation has {len(turns)} "
            "utterances."
        )
    return (
        f'{where}: {excerpt(entry, 80)} is not a pair; expected ["<turn>_<emotion>", "<turn>"], or '
        '["<turn>_<emotion>", "<turn>_<text>"] with a span.'
    )
