"""Reads MELD: one CSV file per split, one line per utterance."""

from __future__ import annotations

import csv
import io
import itertools
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from iemomecp_dataset.corpora.clips import clock_seconds
from iemomecp_dataset.corpora.dialogues import CorpusDialogue, CorpusUtterance, Findings
from iemomecp_dataset.corpora.metadata import CORPORA
from iemomecp_dataset.errors import InvalidDataError, MissingDataError, did_you_mean
from iemomecp_dataset.files import read_text

__all__ = ["MELD_HEADER", "MeldLine", "find_meld_clips", "read_meld", "read_meld_lines"]

MELD_HEADER = (
    "Sr No.",
    "Utterance",
    "Speaker",
    "Emotion",
    "Sentiment",
    "Dialogue_ID",
    "Utterance_ID",
    "Season",
    "Episode",
    "StartTime",
    "EndTime",
)
"""Columns of each file, in this order."""

_CLIP_FOLDERS = {"train": "train_splits", "dev": "dev_splits_complete", "test": "output_repeated_splits_test"}
"""Folder of the clips by the first part of a split's file name, which is also how its ids begin."""

_CLIP = re.compile(r"(dia\d{1,6}_utt\d{1,6})\.mp4", re.ASCII)
_ID = re.compile(r"\d{1,6}", re.ASCII)
# One time of the training file has two digits after the comma; what stands there are milliseconds.
_TIME = re.compile(r"(\d{1,2}:\d{2}:\d{2}),(\d{1,3})", re.ASCII)
_SENTIMENTS = ("negative", "neutral", "positive")
_LONG_SECONDS = 60.0


@dataclass(frozen=True)
class MeldLine:
    """One line of a file.

    Attributes:
        number: 1-based line of the file on which it ends; a quoted utterance may span several.
        dialogue: ``Dialogue_ID``, which begins anew in each split.
        utterance: ``Utterance_ID``, from 0, with gaps.
        speaker: The speaker; "All" and "Joey and Chandler", say, are speakers of their own.
        text: What is said.
        emotion: One of the names of the corpus.
        sentiment: ``negative``, ``neutral`` or ``positive``.
        start: Start in seconds within the episode.
        end: End, likewise.
    """

    number: int
    dialogue: int
    utterance: int
    speaker: str
    text: str
    emotion: str
    sentiment: str
    start: float
    end: float


def read_meld_lines(path: Path) -> list[MeldLine]:
    """Reads the lines of one split.

    Args:
        path: ``train_sent_emo.csv``, ``dev_sent_emo.csv`` or ``test_sent_emo.csv``; UTF-8, with standard CSV quoting.

    Returns:
        The lines, in file order.

    Raises:
        InvalidDataError: The file is malformed; the message names file and line.
        MissingDataError: The file cannot be read.
    """
    # Line ends are left to the CSV reader, since a quoted field may have some.
    reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    try:
        header = next(reader, [])
        if tuple(field.strip() for field in header) != MELD_HEADER:
            raise InvalidDataError(
                f"{path}, line 1: expected the header {','.join(MELD_HEADER)!r}, found {','.join(header)[:120]!r}. "
                "Fetch the file again."
            )
        lines = [_line(fields, reader.line_num, f"{path}, line {reader.line_num}") for fields in reader if fields]
    except csv.Error as error:
        raise InvalidDataError(
            f"{path}, line {reader.line_num}: not valid CSV ({error}). A field with quotes, commas or line ends stands "
            'in quotes, and a quote inside it is written twice (""). Fetch the file again.'
        ) from None
    if not lines:
        raise InvalidDataError(f"{path}: no utterances after the header. Fetch the file again.")
    return lines


def read_meld(path: Path, findings: Findings, clips: Mapping[str, str]) -> Iterator[CorpusDialogue]:
    """Reads one split as dialogues, with ids such as ``train_dia0`` and ``train_dia0_utt0``.

    Ids begin anew in each split, so each carries the first part of the file's name. A turn is the position in the
    dialogue, for utterances are missing in some; the source turn is ``Utterance_ID`` + 1.

    Args:
        path: ``train_sent_emo.csv``, ``dev_sent_emo.csv`` or ``test_sent_emo.csv``.
        findings: Receives the numbers of dialogues with gaps or with starts that fall back, and of utterances without
            duration or of more than a minute; all of them are kept.
        clips: Paths of clips by utterance id, see :func:`find_meld_clips`.

    Yields:
        The dialogues, in file order.

    Raises:
        InvalidDataError: The file is malformed; the message names file, line, dialogue and utterance.
        MissingDataError: The file cannot be read.
    """
    part = path.name.partition("_")[0]
    seen: set[int] = set()
    for dialogue, of_dialogue in itertools.groupby(read_meld_lines(path), key=lambda line: line.dialogue):
        lines = list(of_dialogue)
        where = f"{path}, line {lines[0].number}, dialogue {dialogue}"
        if dialogue in seen:
            raise InvalidDataError(
                f"{where}: lines of this dialogue stand in two places of the file. The lines of a dialogue follow each "
                "other; fetch the file again."
            )
        seen.add(dialogue)
        for before, line in itertools.pairwise(lines):
            if line.utterance <= before.utterance:
                same = line.utterance == before.utterance
                raise InvalidDataError(
                    f"{path}, line {line.number}, dialogue {dialogue}: utterance {line.utterance} "
                    f"{'is given twice' if same else f'follows utterance {before.utterance}'}. Utterance_ID rises "
                    "within a dialogue; fetch the file again."
                )
        kept = findings.kept
        kept["dialogues with gaps in Utterance_ID"] += lines[-1].utterance >= len(lines)
        kept["dialogues in which a start lies before that of the utterance before"] += any(
            line.start < before.start for before, line in itertools.pairwise(lines)
        )
        kept["utterances that end no later than they start"] += sum(line.end <= line.start for line in lines)
        kept["utterances longer than a minute"] += sum(line.end - line.start > _LONG_SECONDS for line in lines)
        yield CorpusDialogue(
            dialogue_id=f"{part}_dia{dialogue}",
            utterances=[_utterance(line, f"{part}_dia{dialogue}_utt{line.utterance}", clips) for line in lines],
            gold=frozenset(),
        )


def find_meld_clips(data_dir: Path) -> dict[str, tuple[str, int]]:
    """Lists the clips that belong to utterances.

    Args:
        data_dir: Folder with ``train_splits/``, ``dev_splits_complete/`` and ``output_repeated_splits_test/``; any of
            them may be absent.

    Returns:
        ``(path, size in bytes)`` by utterance id. Files with other names than ``dia0_utt0.mp4`` are ignored.

    Raises:
        MissingDataError: A folder is there and cannot be listed.
    """
    clips: dict[str, tuple[str, int]] = {}
    for part, name in _CLIP_FOLDERS.items():
        folder = data_dir / name
        if not folder.is_dir():
            continue
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    match = _CLIP.fullmatch(entry.name)
                    if match is not None and entry.is_file():
                        clips[f"{part}_{match[1]}"] = (entry.path, entry.stat().st_size)
        except OSError as error:
            raise MissingDataError(
                f"{folder}: cannot be listed ({error.strerror}). Check the folder and its rights."
            ) from None
    return clips


def _line(fields: list[str], number: int, where: str) -> MeldLine:
    if len(fields) != len(MELD_HEADER):
        raise InvalidDataError(
            f"{where}: expected {len(MELD_HEADER)} fields, found {len(fields)}. An utterance with commas or quotes "
            "stands in quotes; fetch the file again."
        )
    entry = dict(zip(MELD_HEADER, (field.strip() for field in fields), strict=True))
    ids = {}
    for column in ("Dialogue_ID", "Utterance_ID"):
        if _ID.fullmatch(entry[column]) is None:
            raise InvalidDataError(f"{where}: {column} must be a number, but is {entry[column][:40]!r}.")
        ids[column] = int(entry[column])
    where += f", dialogue {ids['Dialogue_ID']}, utterance {ids['Utterance_ID']}"
    for column in ("Utterance", "Speaker"):
        if not entry[column]:
            raise InvalidDataError(f"{where}: {column} is empty.")
    for column, names in (("Emotion", CORPORA["meld"].emotions), ("Sentiment", _SENTIMENTS)):
        name = entry[column].lower()
        if name not in names:
            raise InvalidDataError(
                f"{where}: unknown {column.lower()} {entry[column][:40]!r}. {did_you_mean(name, names)}"
            )
    times = {}
    for column in ("StartTime", "EndTime"):
        match = _TIME.fullmatch(entry[column])
        seconds = None if match is None else clock_seconds(f"{match[1]}.{match[2]:0>3}")
        if seconds is None:
            raise InvalidDataError(f"{where}: expected {column} like '00:16:16,059', found {entry[column][:40]!r}.")
        times[column] = seconds
    return MeldLine(
        number=number,
        dialogue=ids["Dialogue_ID"],
        utterance=ids["Utterance_ID"],
        speaker=entry["Speaker"],
        text=entry["Utterance"],
        emotion=entry["Emotion"].lower(),
        sentiment=entry["Sentiment"].lower(),
        start=times["StartTime"],
        end=times["EndTime"],
    )


def _utterance(line: MeldLine, utterance_id: str, clips: Mapping[str, str]) -> CorpusUtterance:
    return CorpusUtterance(
        utterance_id=utterance_id,
        speaker=line.speaker,
        text=line.text,
        emotion=line.emotion,
        start=line.start,
        end=line.end,
        video=clips.get(utterance_id),
        source_turn=line.utterance + 1,
    )
