"""Reader of ECF 1.0: one text file per split."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from iemomecp_dataset.corpora.dialogues import CorpusDialogue, CorpusUtterance
from iemomecp_dataset.corpora.metadata import CORPORA
from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.files import read_lines

__all__ = ["read_ecf_text"]

_HEADER = re.compile(r"(\d{1,9}) (\d{1,6})")
_PAIRS = re.compile(r"\s*(\(\s*\d{1,6}\s*,\s*\d{1,6}\s*\)\s*(,\s*\(\s*\d{1,6}\s*,\s*\d{1,6}\s*\)\s*)*)?,?\s*")
_PAIR = re.compile(r"\(\s*(\d+)\s*,\s*(\d+)\s*\)")
_TIMES = re.compile(r".*?:\s*(\d+):(\d+):(\d+(?:\.\d+)?)\s*-\s*(\d+):(\d+):(\d+(?:\.\d+)?)\s*")
_N_FIELDS = 5


def read_ecf_text(path: Path) -> Iterator[CorpusDialogue]:
    """Reads a split of ECF 1.0.

    Args:
        path: ``train.txt``, ``dev.txt`` or ``test.txt``.

    Yields:
        The conversations, in file order.

    Raises:
        InvalidDataError: The file breaks the format; the message has file, line and conversation.
        MissingDataError: The file cannot be read.
    """
    lines = read_lines(path)
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise InvalidDataError(f"{path}: the file is empty; expected conversations of ECF 1.0.")
    position = 0
    while position < len(lines):
        header = _HEADER.fullmatch(lines[position].strip())
        if header is None:
            raise InvalidDataError(
                f"{path}, line {position + 1}: expected a conversation header 'ID N', found {lines[position][:80]!r}."
            )
        conversation, n_turns = header[1], int(header[2])
        where = f"{path}, line {position + 1}, conversation {conversation}"
        # The second line is the pairs even when it is empty: 89 conversations have none.
        block = lines[position + 1 : position + 2 + n_turns]
        if n_turns < 1 or len(block) < n_turns + 1:
            raise InvalidDataError(
                f"{where}: expected a line of pairs and {n_turns} utterances, found {len(block)} lines to the end of "
                f"the file. Fetch the file again."
            )
        gold = _read_pairs(block[0], n_turns, f"{path}, line {position + 2}, conversation {conversation}")
        utterances = [
            _read_utterance(
                line, turn, conversation, f"{path}, line {position + 2 + turn}, conversation {conversation}"
            )
            for turn, line in enumerate(block[1:], start=1)
        ]
        yield CorpusDialogue(dialogue_id=conversation, utterances=utterances, gold=gold)
        position += 2 + n_turns


def _read_pairs(line: str, n_turns: int, where: str) -> frozenset[tuple[int, int]]:
    if _PAIRS.fullmatch(line) is None:
        raise InvalidDataError(f"{where}: expected pairs '(emotion,cause),...' or an empty line, found {line[:80]!r}.")
    gold = set()
    for match in _PAIR.finditer(line):
        target, cause = int(match[1]), int(match[2])
        if not (1 <= target <= n_turns and 1 <= cause <= n_turns):
            raise InvalidDataError(
                f"{where}: pair ({target}, {cause}) points outside the conversation, which has turns 1 to {n_turns}."
            )
        gold.add((target, cause))
    return frozenset(gold)


def _read_utterance(line: str, turn: int, conversation: str, where: str) -> CorpusUtterance:
    fields = line.split(" | ")
    if len(fields) != _N_FIELDS:
        raise InvalidDataError(
            f"{where}: expected {_N_FIELDS} fields 'no | speaker | emotion | text | times', found {len(fields)} in "
            f"{line[:80]!r}."
        )
    number, speaker, emotion, text, times = (field.strip() for field in fields)
    if number != str(turn):
        raise InvalidDataError(f"{where}: expected utterance {turn}, found number {number[:20]!r}.")
    emotions = CORPORA["ecf"].emotions
    if emotion not in emotions:
        raise InvalidDataError(
            f"{where}, turn {turn}: unknown emotion {emotion[:40]!r}; expected one of {', '.join(emotions)}."
        )
    match = _TIMES.fullmatch(times)
    if match is None:
        raise InvalidDataError(
            f"{where}, turn {turn}: expected times 'episode: hh:mm:ss.mmm - hh:mm:ss.mmm', found {times[:60]!r}."
        )
    return CorpusUtterance(
        utterance_id=f"dia{conversation}utt{turn}",
        speaker=speaker,
        text=text,
        emotion=emotion,
        start=_seconds(match[1], match[2], match[3]),
        end=_seconds(match[4], match[5], match[6]),
    )


def _seconds(hours: str, minutes: str, seconds: str) -> float:
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
