"""Reads and writes full split JSON: text, emotions and source pairs of every chunk, one file per split.

The released artifact exchanges merged data in this form.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iemomecp_dataset.command_line import command_hint
from iemomecp_dataset.errors import InvalidDataError, MissingDataError
from iemomecp_dataset.excerpts import excerpt
from iemomecp_dataset.field_checks import check_pair, check_text_fields, fits_column, is_integer
from iemomecp_dataset.files import read_json, write_text
from iemomecp_dataset.overlay.chunk_ids import chunk_number
from iemomecp_dataset.reader import require_folder
from iemomecp_dataset.schema import IEMOCAP_EMOTIONS, SPLITS, Row, UtteranceRow
from iemomecp_dataset.sources.iemocap_release import session_of

__all__ = ["FULL_SPLITS_SOURCE", "FullChunk", "find_full_splits", "read_full_split", "write_full_splits"]

FULL_SPLITS_SOURCE = command_hint("build", "--data-dir DIR --output-dir DIR --format json")
"""How a user makes such a folder."""

_FILES: Mapping[str, tuple[str, ...]] = {
    "train": ("train.json",),
    "validation": ("valid.json", "dev.json", "validation.json", "val.json"),
    "test": ("test.json",),
}
_ID_KEYS = ("dialogue_id", "doc_id", "raw_doc_id")
_EMOTIONS: Mapping[str, str] = {
    **{name: name for name in IEMOCAP_EMOTIONS},
    "happy": "hap",
    "happiness": "hap",
    "sadness": "sad",
    "neutral": "neu",
    "angry": "ang",
    "anger": "ang",
    "excited": "exc",
    "excitement": "exc",
    "frustrated": "fru",
    "frustration": "fru",
}
_TIMECODE = re.compile(r"\D*(\d{1,9}(?:\.\d{1,12})?)\s*-\s*(\d{1,9}(?:\.\d{1,12})?)\D*")


@dataclass(frozen=True)
class FullChunk:
    """One chunk of a full split file.

    Attributes:
        ids: Ids by key; files differ in which of them matches the labels.
        source_dialogue_id: Id of the dialogue it was cut from, or None.
        chunk_index: Number of the chunk, or None.
        session: IEMOCAP session, or -1.
        utterances: Utterances in order, turns 1-based.
        pairs: Source pairs, ``(target_turn, cause_turn)``.
    """

    ids: Mapping[str, str]
    source_dialogue_id: str | None
    chunk_index: int | None
    session: int
    utterances: Sequence[UtteranceRow]
    pairs: frozenset[tuple[int, int]]


def find_full_splits(root: Path) -> dict[str, Path]:
    """Finds ``splits/<split>.json``.

    Args:
        root: The folder that contains ``splits/``.

    Returns:
        One file per split.

    Raises:
        MissingDataError: The folder or the file of a split is missing.
    """
    require_folder(root, "a folder with splits/train.json, valid.json and test.json", FULL_SPLITS_SOURCE)
    found = {}
    for split in SPLITS:
        places = [root / "splits" / name for name in _FILES[split]]
        path = next((place for place in places if place.is_file()), None)
        if path is None:
            raise MissingDataError(
                f"{root}: the full split JSON of the {split} split is missing; looked for "
                f"{', '.join(str(place) for place in places)}. To obtain it: {FULL_SPLITS_SOURCE}."
            )
        found[split] = path
    return found


def read_full_split(path: Path) -> list[FullChunk]:
    """Reads the full split JSON of one split.

    Args:
        path: The file: a JSON list of dialogues.

    Returns:
        Its chunks, in file order.

    Raises:
        InvalidDataError: The file is malformed; the message names dialogue and turn.
        MissingDataError: The file cannot be read.

    See Also:
        :func:`write_full_splits` writes such files; :func:`iemomecp_dataset.merging.merge_full.merge_full` joins them
        with the labels.
    """
    content = read_json(path)
    if not isinstance(content, list) or not content:
        raise InvalidDataError(f"{path}: expected a list of dialogues, found {excerpt(content)!r}.")
    return [_chunk(path, position, entry) for position, entry in enumerate(content, start=1)]


def _chunk(path: Path, position: int, entry: Any) -> FullChunk:
    if not isinstance(entry, dict):
        raise InvalidDataError(f"{path}, dialogue number {position}: expected an object.")
    given = {key: entry.get(key) for key in _ID_KEYS}
    ids = {key: str(value) for key, value in given.items() if isinstance(value, str) or is_integer(value)}
    if not ids:
        raise InvalidDataError(f"{path}, dialogue number {position}: expected an id, one of {', '.join(_ID_KEYS)}.")
    name = ids.get("dialogue_id") or next(iter(ids.values()))
    where = f"{path}, dialogue {name!r}"
    listed = entry.get("utterances")
    if not isinstance(listed, list) or not listed:
        raise InvalidDataError(f"{where}: expected a list of utterances.")
    start = entry.get("chunk_start_turn")
    first = start if is_integer(start) else None
    utterances = [
        _utterance(utterance, turn, first, f"{where}, turn {turn}") for turn, utterance in enumerate(listed, 1)
    ]
    pairs = entry.get("emotion_cause_pairs")
    if not isinstance(pairs, list):
        raise InvalidDataError(f"{where}: expected a list 'emotion_cause_pairs'.")
    session = re.search(r"(\d{1,2})\D*$", str(entry.get("session", "")))
    raw = ids.get("raw_doc_id")
    return FullChunk(
        ids=ids,
        source_dialogue_id=raw if raw is not None and raw != name else None,
        chunk_index=chunk_number(str(entry.get("chunk_id", ""))),
        session=int(session[1]) if session else session_of(name),
        utterances=utterances,
        pairs=frozenset(_pair(pair, len(listed), where) for pair in pairs),
    )


def _utterance(entry: Any, turn: int, first: int | None, where: str) -> UtteranceRow:
    if not isinstance(entry, dict):
        raise InvalidDataError(f"{where}: expected an object.")
    if not is_integer(entry.get("turn")) or entry["turn"] != turn:
        raise InvalidDataError(f"{where}: expected turn {turn}, found {excerpt(entry.get('turn'), 20)!r}.")
    check_text_fields(entry, ("speaker", "text", "emotion"), where)
    emotion = _EMOTIONS.get(entry["emotion"].strip().lower())
    if emotion is None:
        raise InvalidDataError(
            f"{where}: unknown emotion {entry['emotion'][:40]!r}; expected one of {', '.join(IEMOCAP_EMOTIONS)}."
        )
    times = _TIMECODE.fullmatch(str(entry.get("timecode", "")))
    original = entry.get("original_turn")
    start = _time(entry, "start_sec", times and times[1], where)
    end = _time(entry, "end_sec", times and times[2], where)
    if start is not None and start < 0:
        raise InvalidDataError(f"{where}: starts at {start:g} s, before the dialogue begins.")
    if start is not None and end is not None and start > end:
        raise InvalidDataError(f"{where}: starts at {start:g} s and ends before that, at {end:g} s.")
    stated = original if is_integer(original) else (first + turn - 1 if first is not None else None)
    if stated is not None and not fits_column(stated):
        raise InvalidDataError(f"{where}: the turn {excerpt(stated)} of the whole dialogue is no number of a turn.")
    return {
        "turn": turn,
        "source_turn": stated,
        "utterance_id": _optional_text(entry, "utterance_name", where),
        "speaker": entry["speaker"].strip(),
        "text": entry["text"],
        "emotion": IEMOCAP_EMOTIONS.index(emotion),
        "start": start,
        "end": end,
        "wav": _optional_text(entry, "audio_path", where),
        "video": _optional_text(entry, "video_path", where),
    }


def _pair(pair: Any, n_turns: int, where: str) -> tuple[int, int]:
    if not isinstance(pair, list) or len(pair) != 2 or not all(is_integer(turn) for turn in pair):
        raise InvalidDataError(f"{where}: expected a pair [target, cause], found {excerpt(pair)!r}.")
    target, cause = pair
    return check_pair(target, cause, n_turns, where)


def _optional_text(entry: Mapping[str, Any], key: str, where: str) -> str | None:
    value = entry.get(key)
    if value is not None and not isinstance(value, str):
        raise InvalidDataError(f"{where}: {key!r} must be text or null, but is {excerpt(value)!r}.")
    return value or None


def _time(entry: Mapping[str, Any], key: str, timecode: str | None, where: str) -> float | None:
    """Seconds under ``key``; where the key is absent, those of the timecode."""
    if key not in entry:
        return float(timecode) if timecode else None
    value = entry[key]
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1e9 < value < 1e9:
        raise InvalidDataError(f"{where}: times must be seconds or null, but found {excerpt(value)!r}.")
    return float(value)


def write_full_splits(rows: Mapping[str, Iterable[Row]], root: Path) -> list[Path]:
    """Writes ``splits/{train,valid,test}.json``.

    Args:
        rows: Merged rows by split.
        root: Output folder; created if missing.

    Returns:
        The written files.

    Raises:
        UsageError: The folder cannot be written to.

    See Also:
        :func:`read_full_split` reads such a file back.
    """
    written = []
    for split, split_rows in rows.items():
        path = root / "splits" / _FILES[split][0]
        write_text(path, json.dumps([_entry(row) for row in split_rows], ensure_ascii=False, indent=1) + "\n")
        written.append(path)
    return written


def _entry(row: Row) -> dict[str, Any]:
    turns = [utterance["source_turn"] for utterance in row["utterances"]]
    return {
        "dialogue_id": row["dialogue_id"],
        "doc_id": row["dialogue_id"],
        "raw_doc_id": row["source_dialogue_id"],
        "chunk_id": row["chunk_index"],
        "session": row["session"],
        "chunk_start_turn": turns[0],
        "chunk_end_turn": turns[-1],
        "emotion_cause_pairs": [
            [pair["target_turn"], pair["cause_turn"]] for pair in row["pairs"] if pair["source_pair"]
        ],
        "utterances": [
            {
                "turn": utterance["turn"],
                "speaker": utterance["speaker"],
                "text": utterance["text"],
                "emotion": None if utterance["emotion"] is None else IEMOCAP_EMOTIONS[utterance["emotion"]],
                "utterance_name": utterance["utterance_id"],
                "audio_path": utterance["wav"],
                "video_path": utterance["video"],
                "start_sec": utterance["start"],
                "end_sec": utterance["end"],
                "original_turn": utterance["source_turn"],
            }
            for utterance in row["utterances"]
        ],
    }
