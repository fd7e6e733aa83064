"""Reads MEC4; written from the public description of the corpus, not verified on genuine files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from iemomecp_dataset.corpora.dialogues import CorpusDialogue, CorpusUtterance
from iemomecp_dataset.corpora.metadata import CORPORA
from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.field_checks import check_pair, check_text_fields
from iemomecp_dataset.files import read_json, read_lines
from iemomecp_dataset.schema import EMOTIONAL

__all__ = ["read_mec4"]

_PAIR = re.compile(r"[(（]\s*(\d{1,6})\s*[,，]\s*(\d{1,6})\s*[)）]")
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
            raise InvalidDataError(f"{path}, row {position}: expected an object, found {str(row)[:40]!r}.")
        dialogue_id = row.get("dia_id")
        if isinstance(dialogue_id, bool) or not isinstance(dialogue_id, int | str) or not str(dialogue_id).strip():
            raise InvalidDataError(f"{path}, row {position}: 'dia_id' must be an id, but is {str(dialogue_id)[:40]!r}.")
        where = f"{path}, dialogue {str(dialogue_id)!r}"
        check_text_fields(row, ("text", "pairs"), where)
        length = row.get("dia_len")
        if isinstance(length, str) and length.strip().isascii() and length.strip().isdigit():
            length = int(length[:9])
        if isinstance(length, bool) or not isinstance(length, int) or not 1 <= length < 10_000:
            raise InvalidDataError(f"{where}: 'dia_len' must be the number of turns, but is {str(length)[:40]!r}.")
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
                    emotion=EMOTIONAL if turn in targets else "neutral",
                )
                for turn, (speaker, text) in enumerate(turns, start=1)
            ],
            gold=gold,
        )


def _rows(path: Path) -> list[Any]:
    lines = [line for line in read_lines(path) if line.strip()]
    if lines and lines[0].lstrip().startswith("{"):
        try:
            return [json.loads(line) for line in lines]
        except ValueError as error:
            raise InvalidDataError(f"{path}: not valid JSON lines ({str(error)[:120]}).") from None
    rows = read_json(path)
    if not isinstance(rows, list) or not rows:
        raise InvalidDataError(f"{path}: expected a list of dialogues, found {str(rows)[:40]!r}.")
    return rows


def _turns(text: str, length: int, where: str) -> list[tuple[str, str]]:
    """Splits ``1.A：... 2.B：...`` at the turn numbers, in order; other numbers are not followed by a speaker."""
    starts: list[re.Match[str]] = []
    position = 0
    for turn in range(1, length + 2):
        match = _numbered(turn, spaced=True).search(text, position)
        match = match or _numbered(turn, spaced=False).search(text, position)
        if match is None:
            break
        starts.append(match)
        position = match.end()
    if len(starts) != length or text[: starts[0].start()].strip():
        raise InvalidDataError(
            f"{where}: 'dia_len' is {length}, but the text has {len(starts)} numbered turns such as '1.speaker：text'."
        )
    ends = [match.start() for match in starts[1:]] + [len(text)]
    return [(match[1].strip(), text[match.end() : end].strip()) for match, end in zip(starts, ends, strict=True)]


def _numbered(turn: int, *, spaced: bool) -> re.Pattern[str]:
    before = r"(?:(?<=\s)|^)" if spaced else r"(?<![\d.])"
    return re.compile(rf"{before}{turn}\s*[.．、]\s*([^：:\n]{{1,40}}?)\s*[：:]")


def _pairs(text: str, length: int, where: str) -> frozenset[tuple[int, int]]:
    gold = frozenset(check_pair(int(match[1]), int(match[2]), length, where) for match in _PAIR.finditer(text))
    rest = _PAIR.sub("", text)
    if _BETWEEN_PAIRS.fullmatch(rest) is None:
        raise InvalidDataError(f"{where}: expected pairs such as '(2,1)(3,3)', found {text[:60]!r}.")
    return gold
