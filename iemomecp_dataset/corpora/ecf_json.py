"""Reads ECF 2.0, the JSON of SemEval-2024 Task 3."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from iemomecp_dataset.corpora.clips import read_clip
from iemomecp_dataset.corpora.dialogues import CorpusDialogue, CorpusUtterance
from iemomecp_dataset.corpora.metadata import CORPORA
from iemomecp_dataset.corpora.semeval_json import (
    PAIRS_KEY,
    TURNS_KEY,
    labeled_pair,
    listed_pairs,
    semeval_conversations,
    turn_number,
)
from iemomecp_dataset.corpora.turn_lists import read_turn_lists
from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.excerpts import excerpt
from iemomecp_dataset.field_checks import check_pair, check_text_fields, json_kind
from iemomecp_dataset.files import read_json

__all__ = ["read_ecf_json"]


def read_ecf_json(path: Path, counts: Counter[str]) -> Iterator[CorpusDialogue]:
    """Reads a split of ECF 2.0, or of ECF re-encoded by dialogue.

    Args:
        path: The file.
        counts: Receives the number of pairs whose emotion differs from the target's, and of causes listed again (once
            per span).

    Yields:
        The conversations, in file order.

    Raises:
        InvalidDataError: The file is malformed; the message names file, conversation and turn or pair.
        MissingDataError: The file cannot be read.

    See Also:
        :func:`iemomecp_dataset.corpora.ecf.read_ecf_text` for ECF 1.0.
    """
    content = read_json(path)
    if isinstance(content, dict):
        yield from read_turn_lists(path, "ecf", counts)
        return
    conversations = semeval_conversations(path, content)
    if not conversations:
        raise InvalidDataError(f"{path}: expected a list of conversations, found an empty one.")
    for number, conversation in conversations.items():
        yield _conversation(path, number, conversation, counts)


def _conversation(path: Path, number: str, conversation: Mapping[str, Any], counts: Counter[str]) -> CorpusDialogue:
    where = f"{path}, conversation {excerpt(number, 80)}"
    turns = conversation.get(TURNS_KEY)
    if not isinstance(turns, list) or not turns:
        raise InvalidDataError(f"{where}: expected a list {TURNS_KEY!r} of utterances.")
    utterances = [_utterance(entry, turn, number, f"{where}, turn {turn}") for turn, entry in enumerate(turns, start=1)]
    pairs = listed_pairs(conversation, where)
    if not isinstance(pairs, list):
        raise InvalidDataError(f"{where}: {PAIRS_KEY!r} must be a list, but is {json_kind(pairs)}.")
    listed: list[tuple[int, int]] = []
    gold: set[tuple[int, int]] = set()
    for pair in pairs:
        target, emotion, cause = _pair(pair, len(turns), where)
        counts["pairs whose emotion is not the target's"] += emotion != utterances[target - 1].emotion
        counts["causes named more than once (counted once)"] += (target, cause) in gold
        listed.append((target, cause))
        gold.add((target, cause))
    return CorpusDialogue(dialogue_id=number, utterances=utterances, gold=frozenset(gold), listed=listed)


def _utterance(entry: Any, turn: int, number: str, where: str) -> CorpusUtterance:
    if not isinstance(entry, dict):
        raise InvalidDataError(f"{where}: expected an object.")
    if turn_number(entry.get("utterance_ID")) != turn:
        raise InvalidDataError(
            f"{where}: expected utterance_ID {turn}, found {excerpt(entry.get('utterance_ID'), 20)!r}."
        )
    check_text_fields(entry, ("text", "speaker", "emotion"), where)
    corpus = CORPORA["ecf"]
    if entry["emotion"] not in corpus.emotions:
        raise InvalidDataError(
            f"{where}: unknown emotion {entry['emotion'][:40]!r}; expected one of {', '.join(corpus.emotions)}."
        )
    clip = read_clip(entry, where)
    return CorpusUtterance(
        utterance_id=corpus.utterance_id(number, turn),
        speaker=entry["speaker"].strip(),
        text=entry["text"].strip(),
        emotion=entry["emotion"],
        start=clip.start,
        end=clip.end,
        video=clip.video,
        times=clip.times,
    )


def _pair(pair: Any, n_turns: int, where: str) -> tuple[int, str, int]:
    found = labeled_pair(pair)
    if found is None:
        raise InvalidDataError(f"{where}: expected a pair like ['3_surprise', '1'], found {excerpt(pair, 60)!r}.")
    check_pair(found[0], found[2], n_turns, where)
    return found
