"""Reads MELD: one CSV file of utterances per split, and the clips beside it."""

from __future__ import annotations

import csv
import itertools
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from iemomecp_dataset.corpora.clips import clock_seconds
from iemomecp_dataset.corpora.dialogues import CorpusDialogue, CorpusUtterance
from iemomecp_dataset.corpora.metadata import CORPORA
from iemomecp_dataset.errors import InvalidDataError, MissingDataError, did_you_mean
from iemomecp_dataset.files import read_text
from iemomecp_dataset.schema import Row

__all__ = ["CLIP_FOLDERS", "find_clips", "read_meld", "time_notes"]

_COLUMNS = (
    *("Sr No.", "Utterance", "Speaker", "Emotion", "Sentiment", "Dialogue_ID", "Utterance_ID"),
    *("Season", "Episode", "StartTime", "EndTime"),
)
CLIP_FOLDERS = {"train": "train_splits", "dev": "dev_splits_complete", "test": "output_repeated_splits_test"}
"""Folder of the clips by part, as MELD's archives unpack."""
_FILE = re.compile(rf"({'|'.join(CLIP_FOLDERS)})_sent_emo\.csv")
_CLIP = re.compile(r"(dia\d{1,9}_utt\d{1,9})\.mp4")
_ID = re.compile(r"[0-9]{1,6}")
_LONG = 60
"""Seconds; no utterance lasts as long, so the times of one that does are wrong."""


def read_meld(path: Path) -> Iterator[CorpusDialogue]:
    """Reads a split of MELD.

    Ids restart in every split, so those of this package begin with the split as the file's name has it. A turn is a
    position: ``Utterance_ID`` has gaps.

    Args:
        path: ``train_sent_emo.csv``, ``dev_sent_emo.csv`` or ``test_sent_emo.csv``.

    Yields:
        The dialogues, in file order, without pairs.

    Raises:
        InvalidDataError: The file is malformed; the message names file, line and dialogue.
        MissingDataError: The file cannot be read.
    """
    name = _FILE.fullmatch(path.name)
    if name is None:
        raise InvalidDataError(
            f"{path}: expected train_sent_emo.csv, dev_sent_emo.csv or test_sent_emo.csv, since ids take the split "
            f"from the name."
        )
    utterances: list[CorpusUtterance] = []
    current: int | None = None
    finished: set[int] = set()
    for line, entry in _lines(path):
        dialogue, number = (_id(entry, key, f"{path}, line {line}") for key in ("Dialogue_ID", "Utterance_ID"))
        where = f"{path}, line {line}, dialogue {dialogue}"
        if dialogue != current:
            if current is not None:
                yield _dialogue(name[1], current, utterances)
                finished.add(current)
            if dialogue in finished:
                raise InvalidDataError(
                    f"{where}: the dialogue already ended at an earlier line; its lines must follow each other."
                )
            current, utterances = dialogue, []
        last = utterances[-1].source_turn if utterances else None
        if last is not None and number < last:
            same = number + 1 in {utterance.source_turn for utterance in utterances}
            found = "occurs twice" if same else f"comes after Utterance_ID {last - 1}; lines must be in order"
            raise InvalidDataError(f"{where}: Utterance_ID {number} {found}.")
        utterances.append(_utterance(entry, f"{name[1]}_dia{dialogue}", number, f"{where}, Utterance_ID {number}"))
    if current is None:
        raise InvalidDataError(f"{path}: there are no utterances below the header. Fetch the file again.")
    yield _dialogue(name[1], current, utterances)


def _dialogue(split: str, number: int, utterances: Sequence[CorpusUtterance]) -> CorpusDialogue:
    return CorpusDialogue(dialogue_id=f"{split}_dia{number}", utterances=utterances, gold=frozenset())


def _lines(path: Path) -> Iterator[tuple[int, Mapping[str, str]]]:
    """The lines below the header by column, each with the line number of its end."""
    # Only line feeds end a line, since texts may hold other separators of Unicode.
    reader = csv.reader((f"{line}\n" for line in read_text(path).split("\n")), strict=True)
    try:
        header = [field.strip() for field in next(reader, [])]
        absent = [column for column in _COLUMNS if column not in header]
        if absent or len(set(header)) != len(header):
            raise InvalidDataError(
                f"{path}, line 1: expected the columns {', '.join(_COLUMNS)}, found {', '.join(header)[:200]!r}"
                + (f" without {', '.join(absent)}." if absent else ", one of them twice.")
            )
        for fields in reader:
            if not fields:
                continue
            if len(fields) != len(header):
                raise InvalidDataError(
                    f"{path}, line {reader.line_num}: expected {len(header)} fields, found {len(fields)}. A comma in a "
                    f"text needs quotes around the text; fetch the file again if an editor changed it."
                )
            yield reader.line_num, dict(zip(header, fields, strict=True))
    except csv.Error as error:
        raise InvalidDataError(
            f"{path}, line {reader.line_num}: the quotes or commas are not those of a CSV file ({error}). Fetch the "
            f"file again."
        ) from None


def _id(entry: Mapping[str, str], key: str, where: str) -> int:
    value = entry[key].strip()
    if _ID.fullmatch(value) is None:
        raise InvalidDataError(f"{where}: {key} must be a whole number from 0, but is {value[:40]!r}.")
    return int(value)


def _utterance(entry: Mapping[str, str], dialogue_id: str, number: int, where: str) -> CorpusUtterance:
    emotion, speaker = entry["Emotion"].strip().lower(), entry["Speaker"].strip()
    if emotion not in CORPORA["meld"].emotions:
        raise InvalidDataError(
            f"{where}: unknown emotion {emotion[:40]!r}. {did_you_mean(emotion[:40], CORPORA['meld'].emotions)}"
        )
    if not speaker:
        raise InvalidDataError(f"{where}: there is no speaker.")
    return CorpusUtterance(
        utterance_id=f"{dialogue_id}_utt{number}",
        speaker=speaker,
        text=entry["Utterance"].strip(),
        emotion=emotion,
        start=_seconds(entry, "StartTime", where),
        end=_seconds(entry, "EndTime", where),
        source_turn=number + 1,
    )


def _seconds(entry: Mapping[str, str], key: str, where: str) -> float:
    seconds = clock_seconds(entry[key].replace(",", "."))
    if seconds is None:
        raise InvalidDataError(f"{where}: {key} must be a time like 00:16:16,059, but is {entry[key][:40]!r}.")
    return seconds


def find_clips(data_dir: Path) -> dict[str, tuple[str, int]]:
    """Lists the clips of MELD in the folders that its archives unpack to.

    Args:
        data_dir: Folder of the corpus.

    Returns:
        Path and size in bytes by utterance id, of empty clips too; files that belong to no utterance are among them.

    Raises:
        MissingDataError: A folder cannot be looked into.
    """
    clips: dict[str, tuple[str, int]] = {}
    for split, folder in CLIP_FOLDERS.items():
        if not (data_dir / folder).is_dir():
            continue
        try:
            with os.scandir(data_dir / folder) as entries:
                for entry in entries:
                    match = _CLIP.fullmatch(entry.name)
                    if match is not None and entry.is_file():
                        clips[f"{split}_{match[1]}"] = (entry.path, entry.stat().st_size)
        except OSError as error:
            raise MissingDataError(
                f"{data_dir / folder}: cannot be read ({error.strerror}). Check the folder and its rights."
            ) from None
    return clips


def time_notes(path: Path, rows: Sequence[Row]) -> list[str]:
    """States the times that cannot be right; they are kept as they are.

    Args:
        path: The file that the rows are of.
        rows: Rows of one split.

    Returns:
        One sentence, or none.
    """
    falling, odd = [], []
    for row in rows:
        spans = [(u["start"] or 0.0, u["end"] or 0.0, str(u["utterance_id"])) for u in row["utterances"]]
        if any(later[0] < earlier[0] for earlier, later in itertools.pairwise(spans)):
            falling.append(row["dialogue_id"])
        odd += [f"{key} ({end - start:.0f} s)" for start, end, key in spans if not 0 < end - start <= _LONG]
    found = []
    if falling:
        found.append(f"start times fall back within {len(falling)} dialogues, such as {falling[0]}")
    if odd:
        found.append(f"{len(odd)} utterances last no time or more than {_LONG} s: {', '.join(odd[:5])}")
    return [f"{path}: {'; '.join(found)}. The times are kept."] if found else []
