"""Reads MEC4; written from the public description of the corpus, not verified on genuine files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from iemomecp_dataset.corpora.dialogues import CorpusDialogue, CorpusUtterance
from iemomecp_dataset.corpora.metadata import CORPORA
from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.excerpts import excerpt
from iemomecp_dataset.field_checks import check_pair, check_text_fields
from iemomecp_dataset.files import parse_json, read_text

__all__ = ["read_mec4"]

_PAIR = re.compile(r"[(（]\s*(\d{1,6})\s*[,，]\s*(\d{1,6})\s*[)）]")
_NUMBER = re.compile(r"(?<![\d.])([0-9]{1,6})\s*+[.．、]\s*+")
_SPEAKER = re.compile(r"([^：:\n]{1,40}?)\s{0,40}[：:]")
_BETWEEN_PAIRS = re.compile(r"[\s,，;；\[\]【】]*")


def read_mec4(path: Path) -> Iterator[CorpusDialogue]:
    """Reads one split.

    The files label no emotions: targets of gold pairs become ``emotional``, all other utterances ``neutral``.

    Args:
        path: The file, a JSON list or one JSON object per line.

    Yields:
        The dialogues, in file order.

    Raises:
        InvalidDataError: The file is malformed; the message names file, dialogue and turn or pair.
        MissingDataError: The file cannot be read.
    """
    rows = _rows(path)
    for position, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise InvalidDataError(f"{path}, row {position}: expected an object, found {excerpt(row)!r}.")
        dialogue_id = row.get("dia_id")
        if isinstance(dialogue_id, bool) or not isinstance(dialogue_id, int | str) or not str(dialogue_id).strip():
            raise InvalidDataError(f"{path}, row {position}: 'dia_id' must be an id, but is {excerpt(dialogue_id)!r}.")
        where = f"{path}, dialogue {excerpt(str(dialogue_id), 80)!r}"
        check_text_fields(row, ("text", "pairs"), where)
        length = row.get("dia_len")
        if isinstance(length, str) and length.strip().isascii() and length.strip().isdigit():
            length = int(length[:9])
        if isinstance(length, bool) or not isinstance(length, int) or not 1 <= length < 10_000:
            raise InvalidDataError(f"{where}: 'dia_len' must be the number of turns, but is {excerpt(length)!r}.")
        turns = _turns(row["text"], length, where)
        gold = _pairs(row["pairs"], length, where)
        targets = {target for target, _ in gold}
        yield CorpusDialogue(
            dialogue_id=str(dialogue_id),
            utterances=[
                CorpusUtterance(
                    utterance_id=CORPORA["mec4"].utterance_id(str(dialogue_id), turn),
                    speaker=speaker,
                    text=text,
                    emotion="emotional" if turn in targets else "neutral",
                )
                for turn, (speaker, text) in enumerate(turns, start=1)
            ],
            gold=gold,
        )


def _rows(path: Path) -> list[Any]:
    text = read_text(path)
    if text.lstrip().startswith("{"):
        lines = enumerate(text.split("\n"), start=1)
        return [parse_json(line, str(path), first_line=number) for number, line in lines if line.strip()]
    rows = parse_json(text, str(path))
    if not isinstance(rows, list) or not rows:
        raise InvalidDataError(f"{path}: expected a list of dialogues, found {excerpt(rows)!r}.")
    return rows


def _turns(text: str, length: int, where: str) -> list[tuple[str, str]]:
    """Splits ``1.A：... 2.B：...`` at the turn numbers, in order; other numbers are not followed by a speaker."""
    numbered = _numbered(text)
    starts: list[_Start] = []
    position = 0
    for turn in range(1, length + 2):
        candidates = [start for start in numbered.get(str(turn), ()) if start.begin >= position]
        # One after a blank is the likelier one: 1.A：At 2.B：... has none.
        start = next((start for start in candidates if start.spaced), candidates[0] if candidates else None)
        if start is None:
            break
        starts.append(start)
        position = start.end
    if len(starts) != length or text[: starts[0].begin].strip():
        raise InvalidDataError(
            f"{where}: 'dia_len' is {length}, but the text has {len(starts)} numbered turns such as '1.speaker：text'."
        )
    ends = [start.begin for start in starts[1:]] + [len(text)]
    return [(start.speaker.strip(), text[start.end : end].strip()) for start, end in zip(starts, ends, strict=True)]


class _Start(NamedTuple):
    """Where a turn may begin: a number, a stop, a speaker and a colon; ``end`` is behind the colon."""

    begin: int
    end: int
    speaker: str
    spaced: bool


def _numbered(text: str) -> dict[str, list[_Start]]:
    """Everything that may begin a turn, in order, by its number."""
    found: dict[str, list[_Start]] = {}
    for number in _NUMBER.finditer(text):
        speaker = _SPEAKER.match(text, number.end())
        if speaker is not None:
            begin = number.start()
            spaced = begin == 0 or text[begin - 1].isspace()
            found.setdefault(number[1], []).append(_Start(begin, speaker.end(), speaker[1], spaced))
    return found


def _pairs(text: str, length: int, where: str) -> frozenset[tuple[int, int]]:
    gold = frozenset(check_pair(int(match[1]), int(match[2]), length, where) for match in _PAIR.finditer(text))
    rest = _PAIR.sub("", text)
    if _BETWEEN_PAIRS.fullmatch(rest) is None:
        raise InvalidDataError(f"{where}: expected pairs such as '(2,1)(3,3)', found {text[:60]!r}.")
    return gold
