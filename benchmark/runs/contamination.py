"""Contamination check: finds utterances, dialogues and texts that training and test data share.

Corpora of this field are built on each other (ECF and ECEM on MELD, say) and split differently, and chunks of one
dialogue look like dialogues. A model that was trained on its test data scores too high without any error.

Utterances are compared by id, through the map that a corpus' authors have published where its file lies in a data
folder; and by text, which finds only what two editions of a transcript spell alike.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from iemomecp_dataset.corpora.metadata import CORPORA
from iemomecp_dataset.corpora.utterance_map import MappedUtterance, read_utterance_map
from iemomecp_dataset.corpus import Corpus
from iemomecp_dataset.errors import IemomecpError
from iemomecp_dataset.fingerprints import text_fingerprint

__all__ = [
    "Leak",
    "Passage",
    "SplitData",
    "UtteranceKey",
    "contamination_warnings",
    "find_leaks",
    "passages",
    "related_dialogues",
    "shared_dialogues",
    "splits_of",
    "utterance_keys",
]

PASSAGE_LENGTH = 5
SHORTEST_PASSAGE = 12

_Map = Mapping[str, Sequence[MappedUtterance]]


class UtteranceKey(NamedTuple):
    """Names one utterance across corpora and splits.

    Attributes:
        corpus: The corpus whose ids these are: that of the rows, or the one that it was built on.
        split: ``train``, ``validation`` or ``test``, of the rows.
        dialogue: The source dialogue, of which a row may be a chunk.
        utterance: The utterance's id.
    """

    corpus: str
    split: str
    dialogue: str
    utterance: str


@dataclass(frozen=True)
class SplitData:
    """The rows of one split of one corpus.

    Attributes:
        corpus: Name of the corpus, such as ``iemomecp``; its configurations share their utterances.
        split: ``train``, ``validation`` or ``test``.
        rows: The rows.
        folder: The data folder, in which the map of the corpus may lie.
        ecf_map: The map of ECF's utterances to MELD's, where options of the loader name it.
    """

    corpus: str
    split: str
    rows: Sequence[Mapping[str, Any]]
    folder: Path | None = None
    ecf_map: Path | None = None


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
        one: Corpus and split; where folders of one corpus differ, the corpus with its folder.
        other: Likewise.
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
            "dialogue": f"{self.n} source dialogues have utterances in both {one} and {other}",
            "text": f"at least {self.n} dialogues of {other} hold text of {one} word for word (whole, or "
            f"{PASSAGE_LENGTH} consecutive utterances; a count by text is a lower bound)",
        }[self.kind]
        return f"{what}; such as {', '.join(self.examples)}."


def contamination_warnings(data: Iterable[SplitData] | Corpus) -> list[str]:
    """States what splits share, and what could be compared by text alone.

    Args:
        data: All splits that something is trained, chosen or tested on, or a corpus with its splits.

    Returns:
        One sentence per leak of :func:`find_leaks`; then one for each map that is not there or does not fit although
        a related corpus is among the data.
    """
    if isinstance(data, Corpus):
        data = splits_of(data)
    leaks, notes = _compared(data, n_examples=3)
    return [str(leak) for leak in leaks] + notes


def splits_of(corpus: Corpus) -> list[SplitData]:
    """Lists the splits of a corpus, with the places where a map may lie.

    Args:
        corpus: Any corpus.

    Returns:
        One entry per split.
    """
    return [SplitData(corpus.name, split, rows, corpus.data_dir, corpus.ecf_map) for split, rows in corpus.rows.items()]


def find_leaks(data: Iterable[SplitData], n_examples: int = 3) -> list[Leak]:
    """Compares every two different splits, of the same corpus or of two, in every folder.

    Args:
        data: All splits that something is trained, chosen or tested on; the same content given twice counts once.
        n_examples: Names to list with each leak.

    Returns:
        Leaks between splits of different names: of utterances and source dialogues within a corpus and those that it
        was built on, of texts within and across corpora. Passages of fewer than 12 words (greetings, say) do not count.

    Example:
        >>> row = {"dialogue_id": "d__c0", "source_dialogue_id": "d", "utterances": [{"utterance_id": "d_1"}]}
        >>> other = {"dialogue_id": "d__c1", "source_dialogue_id": "d", "utterances": [{"utterance_id": "d_2"}]}
        >>> for leak in find_leaks([SplitData("iemomecp", "train", [row]), SplitData("iemomecp", "test", [other])]):
        ...     print(leak)
        1 source dialogues have utterances in both iemomecp/train and iemomecp/test; such as d.
    """
    return _compared(data, n_examples)[0]


def shared_dialogues(data: SplitData, others: Sequence[SplitData]) -> dict[str, str]:
    """Names the dialogues of a split that other splits know, so that they can be left out of training.

    Args:
        data: The split.
        others: Splits that something is chosen or tested on.

    Returns:
        By id of such a dialogue the name of the first of the other splits that has an utterance or a passage of it
        (:func:`passages`), or utterances of the same source dialogue; in the order of the rows.

    Example:
        >>> said = {"text": "We have missed the very last train, and nobody will come to fetch us."}
        >>> known = SplitData("ecf", "test", [{"dialogue_id": "a", "utterances": [{"turn": 1, **said}]}])
        >>> given = [{"dialogue_id": "b", "utterances": [{"turn": 1, **said}]},
        ...          {"dialogue_id": "c", "utterances": [{"turn": 1}]}]
        >>> shared_dialogues(SplitData("reccon", "train", given), [known])
        {'b': 'test'}
    """
    folders = list(dict.fromkeys(item.folder for item in (data, *others) if item.folder is not None))
    named = {"ecf": [item.ecf_map for item in (data, *others) if item.ecf_map is not None]}
    maps, _ = _maps([data, *others], folders, named)
    known: dict[Any, str] = {}
    for other in others:
        of_other = utterance_keys(other, maps)
        for key in (*((k.corpus, k.dialogue) for k in of_other), *(p.text for p in passages(other.rows))):
            known.setdefault(key, other.split)
    found: dict[str, str] = {}
    for row in data.rows:
        of_row = utterance_keys(replace(data, rows=[row]), maps)
        keys: list[Any] = [(key.corpus, key.dialogue) for key in of_row]
        keys += [passage.text for passage in passages([row])]
        where = next((known[key] for key in keys if key in known), None)
        if where is not None:
            found[str(row["dialogue_id"])] = where
    return found


def utterance_keys(data: SplitData, maps: Mapping[str, _Map] | None = None) -> list[UtteranceKey]:
    """Builds the keys of all utterances.

    Args:
        data: A split.
        maps: By corpus the map of its utterances to those of the corpus that it was built on.

    Returns:
        One key per utterance, in the order of the rows, in the ids of the corpus that it was built on, where rows carry
        those or a map gives them. Where utterances have no ids, the turn in the source dialogue, else in the row,
        replaces them.
    """
    corpus = _whose_ids(data.corpus)
    keys = []
    for row in data.rows:
        mapped = _mapped(row, (maps or {}).get(corpus))
        for place, utterance in enumerate(row["utterances"]):
            of_map = None if mapped is None else mapped[place]
            if of_map is None or of_map.dialogue is None or of_map.utterance is None:
                name = str(_first(utterance, "utterance_id", "source_turn", "turn"))
                keys.append(UtteranceKey(corpus, data.split, _source(row), name))
            else:
                origin = _whose_ids(CORPORA[corpus].origin)
                keys.append(UtteranceKey(origin, data.split, of_map.dialogue, of_map.utterance))
    return keys


def related_dialogues(corpus: Corpus, split: str) -> list[tuple[str, ...]]:
    """Finds the dialogues of one split of which none may be trained on where another one is scored.

    They were cut from one dialogue of the corpus that theirs was built on, or share a passage (:func:`passages`).

    Args:
        corpus: Any corpus; where it is loaded from a folder, the map that its authors have published may lie there.
        split: One of its splits.

    Returns:
        Groups of two or more dialogue ids; a dialogue may be in several.

    Example:
        >>> from iemomecp_dataset.corpus import corpus_of
        >>> said = [{"turn": 1, "text": "We have missed the very last train, and nobody will come to fetch us."}]
        >>> rows = [{"dialogue_id": name, "utterances": said, "pairs": []} for name in ("a", "b")]
        >>> related_dialogues(corpus_of({"train": rows}, config_name="rows"), "train")
        [('a', 'b')]
    """
    data = SplitData(corpus.name, split, corpus.rows[split], corpus.data_dir, corpus.ecf_map)
    folders = [] if data.folder is None else [data.folder]
    maps, _ = _maps([data], folders, {"ecf": [] if data.ecf_map is None else [data.ecf_map]})
    keys = iter(utterance_keys(data, maps))
    groups: dict[Any, dict[str, None]] = defaultdict(dict)
    for row in data.rows:
        for _ in row["utterances"]:
            key = next(keys)
            groups[key.corpus, key.dialogue][row["dialogue_id"]] = None
    for passage in passages(data.rows):
        groups[passage.text][passage.dialogue] = None
    return list(dict.fromkeys(tuple(group) for group in groups.values() if len(group) > 1))


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


def _compared(data: Iterable[SplitData], n_examples: int) -> tuple[list[Leak], list[str]]:
    given = list(data)
    items = _distinct(given)
    # A map may lie in the folder of either corpus, or of a copy.
    folders = list(dict.fromkeys(item.folder for item in given if item.folder is not None))
    named = {"ecf": [item.ecf_map for item in given if item.ecf_map is not None]}
    maps, notes = _maps(items, folders, named)
    return _leaks(items, maps, n_examples), notes


def _distinct(data: Iterable[SplitData]) -> list[SplitData]:
    """Each content once, in the order of the splits."""
    order = ("train", "validation", "test")
    unique: dict[Any, SplitData] = {}
    for item in data:
        unique.setdefault((text_fingerprint(item.rows), *utterance_keys(item)), item)
    return sorted(unique.values(), key=lambda s: (order.index(s.split) if s.split in order else 9, s.corpus))


def _leaks(items: Sequence[SplitData], maps: Mapping[str, _Map], n_examples: int) -> list[Leak]:
    keys = [utterance_keys(item, maps) for item in items]
    utterances = [{(key.corpus, key.dialogue, key.utterance) for key in of_item} for of_item in keys]
    dialogues = [{(key.corpus, key.dialogue) for key in of_item} for of_item in keys]
    texts = [passages(item.rows) for item in items]
    names = _names(items)
    leaks = []
    for i, j in itertools.combinations(range(len(items)), 2):
        if items[i].split == items[j].split:
            continue
        found = {
            "utterance": [" ".join(key[1:]) for key in sorted(utterances[i] & utterances[j])],
            "dialogue": [dialogue for _, dialogue in sorted(dialogues[i] & dialogues[j])],
            "text": _shared_texts(texts[i], texts[j]),
        }
        leaks += [
            Leak(kind, names[i], names[j], len(shared), tuple(shared[:n_examples]))
            for kind, shared in found.items()
            if shared
        ]
    return leaks


def _names(items: Sequence[SplitData]) -> list[tuple[str, str]]:
    """Corpus and split of each; with the folder, where a corpus comes from several."""
    folders: dict[str, set[Path]] = defaultdict(set)
    for item in items:
        folders[item.corpus] |= {item.folder} if item.folder is not None else set()
    return [
        (f"{item.corpus} ({item.folder})" if item.folder and len(folders[item.corpus]) > 1 else item.corpus, item.split)
        for item in items
    ]


def _maps(
    items: Sequence[SplitData], folders: Sequence[Path], named: Mapping[str, Sequence[Path]]
) -> tuple[dict[str, _Map], list[str]]:
    """Maps that are named or lie in the folders, by corpus; and notes on those that are missing or do not fit."""
    maps: dict[str, _Map] = {}
    notes = []
    present = {_whose_ids(item.corpus) for item in items}
    for corpus in sorted(present & CORPORA.keys()):
        metadata = CORPORA[corpus]
        if not metadata.origin_map:
            continue
        beside = _whose_ids(metadata.origin) in present
        places = [*named.get(corpus, ()), *(folder / metadata.origin_map for folder in folders)]
        files = [path for path in places if path.is_file()]
        # Corpora built on them without new ids (ECGF on ECF, ECEM on MELD) carry their ids.
        sides = [
            "/".join(sorted({item.corpus for item in items if _whose_ids(item.corpus) == of})) or of
            for of in (corpus, _whose_ids(metadata.origin))
        ]
        alone = f"{sides[0]} and {sides[1]} are compared by text alone, which finds only a part of what they share"
        if files:
            try:
                maps[corpus] = read_utterance_map(files[0])
            except IemomecpError as error:
                notes.append(f"{alone}: {error}")
                continue
            of_corpus = [row for item in items if _whose_ids(item.corpus) == corpus for row in item.rows]
            if beside and (unmapped := sum(_mapped(row, maps[corpus]) is None for row in of_corpus)):
                notes.append(
                    f"{alone}, in {unmapped} of {len(of_corpus)} dialogues: {files[0]} does not have them, or with "
                    "other turns or speakers."
                )
        elif beside:
            notes.append(f"{alone}: the map {metadata.origin_map} is in none of the data folders.")
    return maps, notes


def _whose_ids(corpus: str) -> str:
    """The corpus whose ids the rows of a corpus carry."""
    while (of := CORPORA.get(corpus)) is not None and of.origin and not of.origin_map:
        corpus = of.origin
    return corpus


def _mapped(row: Mapping[str, Any], of_corpus: _Map | None) -> Sequence[MappedUtterance] | None:
    """Entries of the map for a row; None where it has none, or turns or speakers show another numbering."""
    mapped = (of_corpus or {}).get(_source(row))
    if mapped is None or len(mapped) != len(row["utterances"]):
        return None
    speakers = [str(utterance.get("speaker") or "").casefold() for utterance in row["utterances"]]
    return mapped if all(of.speaker.casefold() == own for of, own in zip(mapped, speakers, strict=True)) else None


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
