"""Reads ECF 2.0, the JSON of SemEval-2024 Task 3."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from iemomecp_dataset.corpora.clips import read_clip
from iemomecp_dataset.corpora.dialogues import CorpusDialogue, CorpusUtterance
from iemomecp_dataset.corpora.metadata import CORPORA
from iemomecp_dataset.corpora.turn_lists import read_turn_lists
from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.field_checks import check_pair, check_text_fields
from iemomecp_dataset.files import read_json

__all__ = ["read_ecf_json"]

_PAIRS = "emotion-cause_pairs"
_TARGET = re.compile(r"(\d{1,6})_(\w+)")
# Subtask 2 names the cause by its turn alone; subtask 1 adds the text of the span.
_CAUSE = re.compile(r"(\d{1,6})(?:_.*)?", re.DOTALL)


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
    if not isinstance(content, list) or not content:
        raise InvalidDataError(f"{path}: expected a list of conversations, found {str(content)[:40]!r}.")
    for position, conversation in enumerate(content, start=1):
        yield _conversation(path, position, conversation, counts)


def _conversation(path: Path, position: int, conversation: Any, counts: Counter[str]) -> CorpusDialogue:
    if not isinstance(conversation, dict):
        raise InvalidDataError(f"{path}, conversation number {position}: expected an object.")
    number = conversation.get("conversation_ID")
    if isinstance(number, bool) or not isinstance(number, int | str):
        raise InvalidDataError(
            f"{path}, conversation number {position}: 'conversation_ID' must be a number, but is {str(number)[:40]!r}."
        )
    number = str(number).strip()
    where = f"{path}, conversation {number}"
    turns = conversation.get("conversation")
    if not isinstance(turns, list) or not turns:
        raise InvalidDataError(f"{where}: expected a list 'conversation' of utterances.")
    utterances = [_utterance(entry, turn, number, f"{where}, turn {turn}") for turn, entry in enumerate(turns, start=1)]
    pairs = conversation.get(_PAIRS)
    if not isinstance(pairs, list):
        raise InvalidDataError(
            f"{where}: expected a list {_PAIRS!r}; unlabelled files of the task's test phase cannot be loaded."
        )
    gold: set[tuple[int, int]] = set()
    for pair in pairs:
        target, emotion, cause = _pair(pair, len(turns), where)
        counts["pairs whose emotion is not the target's"] += emotion != utterances[target - 1].emotion
        counts["causes named more than once (counted once)"] += (target, cause) in gold
        gold.add((target, cause))
    return CorpusDialogue(dialogue_id=number, utterances=utterances, gold=frozenset(gold))


def _utterance(entry: Any, turn: int, conversation: str, where: str) -> CorpusUtterance:
    if not isinstance(entry, dict):
        raise InvalidDataError(f"{where}: expected an object.")
    if isinstance(entry.get("utterance_ID"), bool) or entry.get("utterance_ID") != turn:
        raise InvalidDataError(f"{where}: expected utterance_ID {turn}, found {str(entry.get('utterance_ID'))[:20]!r}.")
    check_text_fields(entry, ("text", "speaker", "emotion"), where)
    corpus = CORPORA["ecf"]
    if entry["emotion"] not in corpus.emotions:
        raise InvalidDataError(
            f"{where}: unknown emotion {entry['emotion'][:40]!r}; expected one of {', '.join(corpus.emotions)}."
        )
    clip = read_clip(entry, where)
    return CorpusUtterance(
        utterance_id=corpus.utterance_id(conversation, turn),
        speaker=entry["speaker"].strip(),
        text=entry["text"].strip(),
        emotion=entry["emotion"],
        start=clip.start,
        end=clip.end,
        video=clip.video,
    )


def _pair(pair: Any, n_turns: int, where: str) -> tuple[int, str, int]:
    if isinstance(pair, list) and len(pair) == 2 and all(isinstance(part, str) for part in pair):
        target, cause = _TARGET.fullmatch(pair[0]), _CAUSE.fullmatch(pair[1])
        if target is not None and cause is not None:
            target_turn, cause_turn = check_pair(int(target[1]), int(cause[1]), n_turns, where)
            return target_turn, target[2], cause_turn
    raise InvalidDataError(f"{where}: expected a pair like ['3_surprise', '1'], found {str(pair)[:60]!r}.")
