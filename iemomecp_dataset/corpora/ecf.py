"""Reads ECF 1.0: one text file per split."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from iemomecp_dataset.corpora.clips import StatedTimes, clock_seconds
from iemomecp_dataset.corpora.dialogues import CorpusDialogue, CorpusUtterance
from iemomecp_dataset.corpora.metadata import CORPORA
from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.field_checks import check_pair
from iemomecp_dataset.files import read_lines
from iemomecp_dataset.files.bounds import LONGEST_FIELD

__all__ = ["conversation_blocks", "read_ecf_text"]

_HEADER = re.compile(r"(\d{1,9}) (\d{1,6})")
# Blanks are taken once and not given back, so that a line of nothing else is read in one go.
_ONE = r"\(\s*+\d{1,6}\s*+,\s*+\d{1,6}\s*+\)\s*+"
_PAIRS = re.compile(rf"\s*+(?:{_ONE}(?:,\s*+{_ONE})*+)?+,?\s*+")
_PAIR = re.compile(r"\(\s*+(\d{1,6})\s*+,\s*+(\d{1,6})\s*+\)")
_TIMES = re.compile(r"(.*?):\s*(([\d:.]+)\s*-\s*([\d:.]+))\s*")
_N_FIELDS = 5


def read_ecf_text(path: Path) -> Iterator[CorpusDialogue]:
    """Reads a split of ECF 1.0.

    Args:
        path: ``train.txt``, ``dev.txt`` or ``test.txt``.

    Yields:
        The conversations, in file order.

    Raises:
        InvalidDataError: The file is malformed; the message names file, line and conversation.
        MissingDataError: The file cannot be read.

    See Also:
        :func:`iemomecp_dataset.corpora.ecf_json.read_ecf_json` for ECF 2.0.
    """
    for number, conversation, pairs, lines in conversation_blocks(path):
        listed = _read_pairs(pairs, len(lines), f"{path}, line {number + 1}, conversation {conversation}")
        utterances = [
            _read_utterance(line, turn, conversation, f"{path}, line {number + 1 + turn}, conversation {conversation}")
            for turn, line in enumerate(lines, start=1)
        ]
        yield CorpusDialogue(dialogue_id=conversation, utterances=utterances, gold=frozenset(listed), listed=listed)


def conversation_blocks(path: Path) -> Iterator[tuple[int, str, str, list[str]]]:
    """Splits a text file of ECF into conversations: a header ``ID N``, a line of pairs, and N utterances.

    Args:
        path: A split, or ``all_data_pair.txt``, which has all of them.

    Yields:
        1-based line number of the header, id of the conversation, its line of pairs, and its utterance lines.

    Raises:
        InvalidDataError: The file is malformed; the message names file, line and conversation.
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
        # The second line holds the pairs even if it is empty: 89 conversations have no pair.
        block = lines[position + 1 : position + 2 + n_turns]
        if n_turns < 1 or len(block) < n_turns + 1:
            raise InvalidDataError(
                f"{where}: expected a line of pairs and {n_turns} utterances, found {len(block)} lines to the end of "
                f"the file. Fetch the file again."
            )
        yield position + 1, conversation, block[0], block[1:]
        position += 2 + n_turns


def _read_pairs(line: str, n_turns: int, where: str) -> list[tuple[int, int]]:
    if _PAIRS.fullmatch(line) is None:
        raise InvalidDataError(f"{where}: expected pairs '(emotion,cause),...' or an empty line, found {line[:80]!r}.")
    return [check_pair(int(match[1]), int(match[2]), n_turns, where) for match in _PAIR.finditer(line)]


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
    corpus = CORPORA["ecf"]
    if emotion not in corpus.emotions:
        raise InvalidDataError(
            f"{where}, turn {turn}: unknown emotion {emotion[:40]!r}; expected one of {', '.join(corpus.emotions)}."
        )
    match = _TIMES.fullmatch(times) if len(times) <= LONGEST_FIELD else None
    start, end = (None, None) if match is None else (clock_seconds(match[3]), clock_seconds(match[4]))
    if match is None or start is None or end is None:
        raise InvalidDataError(
            f"{where}, turn {turn}: expected times 'episode: hh:mm:ss.mmm - hh:mm:ss.mmm', found {times[:60]!r}."
        )
    return CorpusUtterance(
        utterance_id=corpus.utterance_id(conversation, turn),
        speaker=speaker,
        text=text,
        emotion=emotion,
        start=start,
        end=end,
        times=StatedTimes(match[1].strip(), match[2]),
    )
