"""Contamination check: finds utterances, dialogues and texts that the training and test data of a matrix share.

Corpora of this field are built on each other (ECF and ECEM on MELD, say) and split differently, and chunks of one
dialogue look like dialogues. A model that was trained on its test data scores too high without any error.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

__all__ = ["Leak", "Passage", "SplitData", "UtteranceKey", "find_leaks", "passages", "utterance_keys"]

PASSAGE_LENGTH = 5
SHORTEST_PASSAGE = 12


class UtteranceKey(NamedTuple):
    """Names one utterance across corpora and splits.

    Attributes:
        corpus: Name of the corpus, such as ``iemomecp``; its configurations share their utterances.
        split: ``train``, ``validation`` or ``test``.
        dialogue: The source dialogue, of which a row may be a chunk.
        utterance: The utterance's id.
    """

    corpus: str
    split: str
    dialogue: str
    utterance: str


@dataclass(frozen=True)
class SplitData:
    """The rows of one split of one corpus."""

    corpus: str
    split: str
    rows: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Passage:
    """Consecutive utterances, as normalised text.

    Attributes:
        text: The utterances, one per line.
        dialogue: Id of their row.
    """

    text: str
    dialogue: str


@dataclass(frozen=True)
class Leak:
    """Data that two splits share.

    Attributes:
        kind: ``utterance``, ``dialogue`` or ``text``.
        one: Corpus and split.
        other: Corpus and split.
        n: Number of utterances, source dialogues or (of ``other``) rows with a shared passage.
        examples: A few names, never texts.
    """

    kind: str
    one: tuple[str, str]
    other: tuple[str, str]
    n: int
    examples: tuple[str, ...]

    def __str__(self) -> str:
        """States the leak in one sentence."""
        one, other = ("/".join(side) for side in (self.one, self.other))
        what = {
            "utterance": f"{one} and {other} share {self.n} utterances",
            "dialogue": f"{self.n} source dialogues have chunks in both {one} and {other}",
            "text": f"{self.n} dialogues of {other} hold text of {one} word for word (whole, or {PASSAGE_LENGTH} "
            "consecutive utterances)",
        }[self.kind]
        return f"{what}; such as {', '.join(self.examples)}."


def find_leaks(data: Iterable[SplitData], n_examples: int = 3) -> list[Leak]:
    """Compares every two different splits, of the same corpus or of two.

    Args:
        data: All splits that a matrix trains, chooses or tests on; the same one given twice counts once.
        n_examples: Names to list with each leak.

    Returns:
        Leaks between splits of different names: of utterances and source dialogues within a corpus, of texts within
        and across corpora. Passages of fewer than 12 words (greetings, say) do not count.

    Example:
        >>> row = {"dialogue_id": "d__c0", "source_dialogue_id": "d", "utterances": [{"utterance_id": "d_1"}]}
        >>> other = {"dialogue_id": "d__c1", "source_dialogue_id": "d", "utterances": [{"utterance_id": "d_2"}]}
        >>> for leak in find_leaks([SplitData("iemomecp", "train", [row]), SplitData("iemomecp", "test", [other])]):
        ...     print(leak)
        1 source dialogues have chunks in both iemomecp/train and iemomecp/test; such as d.
    """
    order = ("train", "validation", "test")
    unique: dict[tuple[str, str], SplitData] = {}
    for item in data:
        unique.setdefault((item.corpus, item.split), item)
    items = sorted(unique.values(), key=lambda s: (order.index(s.split) if s.split in order else 9, s.corpus))
    keys = [utterance_keys(item) for item in items]
    texts = [passages(item.rows) for item in items]
    leaks = []
    for i, one in enumerate(items):
        for j, other in enumerate(items[i + 1 :], i + 1):
            if one.split == other.split:
                continue
            sides = ((one.corpus, one.split), (other.corpus, other.split))
            found: dict[str, list[str]] = {"text": _shared_texts(texts[i], texts[j])}
            if one.corpus == other.corpus:
                both = {(k.dialogue, k.utterance) for k in keys[i]} & {(k.dialogue, k.utterance) for k in keys[j]}
                found["utterance"] = [" ".join(names) for names in sorted(both)]
                found["dialogue"] = sorted({k.dialogue for k in keys[i]} & {k.dialogue for k in keys[j]})
            for kind in ("utterance", "dialogue", "text"):
                if names := found.get(kind):
                    leaks.append(Leak(kind, *sides, len(names), tuple(names[:n_examples])))
    return leaks


def utterance_keys(data: SplitData) -> list[UtteranceKey]:
    """Builds the keys of all utterances.

    Args:
        data: A split.

    Returns:
        One key per utterance, in the order of the rows. Where utterances have no ids, the turn in the source dialogue,
        else in the row, replaces them.
    """
    return [
        UtteranceKey(data.corpus, data.split, _source(row), str(_first(u, "utterance_id", "source_turn", "turn")))
        for row in data.rows
        for u in row["utterances"]
    ]


def passages(rows: Iterable[Mapping[str, Any]]) -> list[Passage]:
    """Collects every passage of every dialogue: any five consecutive utterances, or all of a shorter dialogue.

    Args:
        rows: Rows with ``utterances``; those without text give none.

    Returns:
        The passages of at least 12 words. Case, punctuation and spacing are removed, so that two editions of one
        transcript agree.

    Example:
        >>> row = {"dialogue_id": "d", "utterances": [{"text": "It's  YOU, is it?"}, {"text": "Yes. " * 9}]}
        >>> passages([row])[0].text.splitlines()[0]
        'it s you is it'
    """
    found = []
    for row in rows:
        lines = [_normalized(u.get("text") or "") for u in row["utterances"]]
        length = min(PASSAGE_LENGTH, len(lines))
        for begin in range(len(lines) - length + 1):
            text = "\n".join(lines[begin : begin + length])
            if len(text.split()) >= SHORTEST_PASSAGE:
                found.append(Passage(text, str(row["dialogue_id"])))
    return found


def _shared_texts(one: Sequence[Passage], other: Sequence[Passage]) -> list[str]:
    known: dict[str, str] = {passage.text: passage.dialogue for passage in one}
    shared: dict[str, set[str]] = defaultdict(set)
    for passage in other:
        if passage.text in known:
            shared[passage.dialogue].add(known[passage.text])
    return [f"{dialogue} (also {min(sources)})" for dialogue, sources in sorted(shared.items())]


def _normalized(text: str) -> str:
    return " ".join(re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold()))


def _source(row: Mapping[str, Any]) -> str:
    return str(row.get("source_dialogue_id") or row["dialogue_id"])


def _first(utterance: Mapping[str, Any], *names: str) -> Any:
    return next((utterance[name] for name in names if utterance.get(name) not in (None, "")), "")
