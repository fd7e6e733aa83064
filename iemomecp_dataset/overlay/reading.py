"""Reads label files, JSON or flat CSV, with all known spellings of field names and splits."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iemomecp_dataset.command_line import command_hint
from iemomecp_dataset.errors import InvalidDataError, MissingDataError
from iemomecp_dataset.excerpts import excerpt
from iemomecp_dataset.field_checks import is_integer, json_kind
from iemomecp_dataset.files import read_json, read_text
from iemomecp_dataset.overlay.chunks import OverlayChunk, OverlayPair, Problem
from iemomecp_dataset.overlay.published import LABEL_REPOSITORY
from iemomecp_dataset.reader import require_folder
from iemomecp_dataset.schema import CONTEXT_SUBTYPES, ROLE_LABELS, SPLITS, canonical_split

__all__ = ["LABELS_SOURCE", "LabelFile", "find_label_files", "read_label_file"]

LABELS_SOURCE = f"{command_hint('fetch', '--label-dir DIR')}, or download data/labels of {LABEL_REPOSITORY}"
"""Where a user gets the label files."""

_STEMS: Mapping[str, tuple[str, ...]] = {
    "train": ("train",),
    "validation": ("valid", "dev", "validation", "val"),
    "test": ("test",),
}
_DIALOGUE_KEYS = ("dialogue_id", "raw_doc_id", "doc_id")
_TARGET_KEYS = ("target_emotion_turn", "emotion_turn", "target_turn")
_CAUSE_KEYS = ("cause_turn", "candidate_cause_turn")
_OTHER_KEYS = ("label_id", "label", "source", "taxonomy_label", "context_subtype_ids", "context_subtypes")
_MAX_TURNS = 100_000


@dataclass(frozen=True)
class LabelFile:
    """Content of one label file: the chunks that could be read, and the problems of all others."""

    chunks: tuple[OverlayChunk, ...]
    problems: tuple[Problem, ...]
    synthetic: bool = False


def find_label_files(label_dir: Path) -> dict[str, list[Path]]:
    """Finds the label files of all splits.

    Args:
        label_dir: Folder of the label files.

    Returns:
        Files by split, in order of preference, as a split can be present in several forms. A single CSV for all splits
        is listed under each.

    Raises:
        MissingDataError: The folder or the file of a split is missing.
    """
    require_folder(label_dir, "the folder of the IEMO-MECP label files", LABELS_SOURCE)
    found: dict[str, list[Path]] = {}
    for split in SPLITS:
        names = [f"{stem}{suffix}" for suffix in (".json", ".csv") for stem in _STEMS[split]]
        found[split] = [label_dir / name for name in names if (label_dir / name).is_file()]
    if not any(found.values()):
        flat = sorted(path for path in label_dir.glob("*.csv") if not path.name.startswith("."))
        if len(flat) == 1:
            return {split: list(flat) for split in SPLITS}
    for split in SPLITS:
        if not found[split]:
            names = [f"{stem}.json" for stem in _STEMS[split]]
            raise MissingDataError(
                f"{label_dir}: the label file of the {split} split is missing; looked for {', '.join(names)} and the "
                f"same with .csv, or for one .csv file of all splits. All three splits are required. To obtain them: "
                f"{LABELS_SOURCE}."
            )
    return found


def read_label_file(path: Path, split: str) -> LabelFile:
    """Reads one label file; problems of single dialogues and pairs are collected, not raised.

    Args:
        path: A JSON or CSV file.
        split: The split it must contain: train, validation or test.

    Returns:
        Chunks and problems.

    Raises:
        InvalidDataError: The file is not a label file of this split.
        MissingDataError: The file cannot be read.

    See Also:
        :func:`iemomecp_dataset.overlay.validation.check_overlay` validates all files of a folder.
    """
    if path.suffix.lower() == ".csv":
        return _read_csv(path, split)
    content = read_json(path)
    dialogues, synthetic = _dialogues(path, content, split)
    problems: list[Problem] = []
    chunks: list[OverlayChunk] = []
    for position, dialogue in enumerate(dialogues):
        chunk = _chunk(path, position, dialogue, problems)
        if chunk is not None:
            chunks.append(chunk)
    return LabelFile(chunks=tuple(chunks), problems=tuple(problems), synthetic=synthetic)


def _dialogues(path: Path, content: Any, split: str) -> tuple[Sequence[Any], bool]:
    if not isinstance(content, dict):
        raise InvalidDataError(f"{path}: expected an object with 'splits', found {json_kind(content)}.")
    _check_dataset_name(path, content.get("dataset"))
    stated = content.get("split")
    if stated is not None and (not isinstance(stated, str) or canonical_split(stated) != split):
        raise InvalidDataError(
            f"{path}: expected the {split} split, but 'split' is {excerpt(stated)!r}. Were two files exchanged?"
        )
    splits = content.get("splits")
    if not isinstance(splits, dict):
        raise InvalidDataError(f"{path}: expected an object 'splits', found {json_kind(splits)}.")
    names = {name: canonical_split(name) for name in splits}
    if sorted(names.values()) != [split]:
        raise InvalidDataError(
            f"{path}: expected the {split} split alone, but 'splits' has "
            f"{', '.join(repr(excerpt(name)) for name in list(names)[:5]) or 'none'}. "
            f"Each file contains its own split only; were two files exchanged?"
        )
    (dialogues,) = splits.values()
    if not isinstance(dialogues, list):
        raise InvalidDataError(f"{path}: expected a list of dialogues, found {json_kind(dialogues)}.")
    if not dialogues:
        raise InvalidDataError(f"{path}: the file contains no dialogues. Fetch the file again: {LABELS_SOURCE}.")
    return dialogues, content.get("synthetic") is True


def _check_dataset_name(path: Path, name: Any) -> None:
    if name is None:
        return
    if not isinstance(name, str) or re.sub(r"[^a-z]", "", name.lower()) != "iemomecp":
        raise InvalidDataError(
            f"{path}: expected labels of IEMO-MECP, but 'dataset' is {excerpt(name, 60)!r}. Remove the file, or "
            f"correct the name if these are labels of IEMO-MECP."
        )


def _chunk(path: Path, position: int, dialogue: Any, problems: list[Problem]) -> OverlayChunk | None:
    if not isinstance(dialogue, dict):
        problems.append(Problem(path, None, f"dialogue number {position + 1} is {json_kind(dialogue)}, not an object."))
        return None
    try:
        dialogue_id = _first(dialogue, _DIALOGUE_KEYS)
    except _FieldError as error:
        problems.append(Problem(path, None, f"dialogue number {position + 1}: {error}."))
        return None
    if is_integer(dialogue_id):
        dialogue_id = str(dialogue_id)
    if not isinstance(dialogue_id, str) or not dialogue_id.strip():
        problems.append(
            Problem(
                path,
                None,
                f"dialogue number {position + 1}: its id is {excerpt(dialogue_id)!r}, neither text nor an integer.",
            )
        )
        return None
    count = dialogue.get("num_utterances")
    pairs = dialogue.get("pairs")
    if not is_integer(count) or not 1 <= count <= _MAX_TURNS:
        problems.append(
            Problem(path, dialogue_id, f"'num_utterances' must be a positive integer, but is {excerpt(count)!r}.")
        )
        return None
    if not isinstance(pairs, list):
        problems.append(Problem(path, dialogue_id, f"'pairs' must be a list, but is {json_kind(pairs)}."))
        return None
    read = []
    for number, pair in enumerate(pairs, start=1):
        try:
            read.append(_pair(pair))
        except _FieldError as error:
            problems.append(Problem(path, dialogue_id, f"{_where(pair, number)}: {error}."))
    read.sort(key=lambda pair: (pair.target, pair.cause))
    return OverlayChunk(dialogue_id=dialogue_id, num_utterances=count, pairs=tuple(read))


class _FieldError(Exception):
    """A field is missing or has an invalid value."""


def _where(pair: Any, number: int) -> str:
    if isinstance(pair, dict):
        target = next((pair[key] for key in _TARGET_KEYS if key in pair), "?")
        cause = next((pair[key] for key in _CAUSE_KEYS if key in pair), "?")
        return f"pair ({excerpt(target, 20)}, {excerpt(cause, 20)}), number {number}"
    return f"pair number {number}"


def _pair(pair: Any) -> OverlayPair:
    if not isinstance(pair, dict):
        raise _FieldError(f"expected an object, found {json_kind(pair)}")
    label_id, label, source, taxonomy, subtype_ids, subtype_names = (_required(pair, key) for key in _OTHER_KEYS)
    target = _turn(_first(pair, _TARGET_KEYS), "target turn")
    cause = _turn(_first(pair, _CAUSE_KEYS), "cause turn")
    if not is_integer(label_id) or not 0 <= label_id < len(ROLE_LABELS):
        raise _FieldError(f"label_id must be 0, 1 or 2, but is {excerpt(label_id)!r}")
    if not isinstance(label, str) or label.replace("-", "_") != ROLE_LABELS[label_id]:
        raise _FieldError(f"label_id {label_id} means {ROLE_LABELS[label_id]!r}, but 'label' is {excerpt(label)!r}")
    return OverlayPair(
        target=target,
        cause=cause,
        label=label_id,
        source=_optional_text(source, "source"),
        taxonomy_label=_optional_text(taxonomy, "taxonomy_label"),
        context_subtypes=_subtypes(subtype_ids, subtype_names, label_id),
    )


def _subtypes(ids: Any, names: Any, label_id: int) -> tuple[int, ...]:
    ids = [] if ids is None else ids
    names = [] if names is None else names
    if not isinstance(ids, list) or not all(is_integer(i) and 0 <= i < len(CONTEXT_SUBTYPES) for i in ids):
        raise _FieldError(f"context_subtype_ids must be a list of ids from 0 to 3, but is {excerpt(ids, 60)!r}")
    if not isinstance(names, list) or not all(name in CONTEXT_SUBTYPES for name in names if isinstance(name, str)):
        raise _FieldError(
            f"context_subtypes must be a list of {', '.join(CONTEXT_SUBTYPES)}, but is {excerpt(names, 80)!r}"
        )
    if len(set(ids)) != len(ids):
        raise _FieldError(f"context_subtype_ids lists a subtype twice: {ids}")
    if sorted(str(name) for name in names) != sorted(CONTEXT_SUBTYPES[i] for i in ids):
        raise _FieldError(f"context_subtype_ids {ids} and context_subtypes {excerpt(names, 80)} disagree")
    if ids and ROLE_LABELS[label_id] != "emo_context":
        raise _FieldError(f"{ROLE_LABELS[label_id]} with context subtypes {ids}; only emo_context may have them")
    return tuple(sorted(ids))


def _first(fields: Mapping[str, Any], keys: Sequence[str]) -> Any:
    """Reads a field under any of its names; an error if two of them are present and disagree."""
    given = [(key, fields[key]) for key in keys if key in fields]
    if not given:
        raise _FieldError(f"the field {keys[0]!r} is missing")
    for key, value in given[1:]:
        # A file can use the three dialogue keys for both dialogue and chunk; the first of them names the chunk.
        if keys is not _DIALOGUE_KEYS and value != given[0][1]:
            raise _FieldError(f"the fields {given[0][0]!r} and {key!r} disagree")
    return given[0][1]


def _required(fields: Mapping[str, Any], key: str) -> Any:
    if key not in fields:
        raise _FieldError(f"the field {key!r} is missing")
    return fields[key]


def _turn(value: Any, what: str) -> int:
    if not is_integer(value):
        raise _FieldError(f"the {what} must be an integer, but is {excerpt(value)!r}")
    return int(value)


def _optional_text(value: Any, what: str) -> str | None:
    if value is not None and not isinstance(value, str):
        raise _FieldError(f"{what} must be text, but is {excerpt(value)!r}")
    return value


# --- CSV ----------------------------------------------------------------------------------------------------------


def _read_csv(path: Path, split: str) -> LabelFile:
    reader = csv.DictReader(io.StringIO(read_text(path), newline=""))
    columns = reader.fieldnames or ()
    for keys in (_DIALOGUE_KEYS, _TARGET_KEYS, _CAUSE_KEYS, *((key,) for key in _OTHER_KEYS), ("split",)):
        if not any(key in columns for key in keys):
            raise InvalidDataError(
                f"{path}: the column {keys[0]!r} is missing; found "
                f"{', '.join(repr(excerpt(name)) for name in columns[:20]) or 'none'}."
            )
    by_dialogue: dict[str, list[dict[str, Any]]] = {}
    counts: dict[str, set[str]] = {}
    problems: list[Problem] = []
    other: set[str] = set()
    try:
        for line, row in _csv_rows(reader):
            if canonical_split(row["split"]) != split:
                other.add(row["split"])
                continue
            if None in row or None in row.values():
                problems.append(Problem(path, None, f"line {line}: its number of columns differs from the header's."))
                continue
            dialogue_id = str(_first(row, _DIALOGUE_KEYS))
            by_dialogue.setdefault(dialogue_id, []).append(_typed(row))
            counts.setdefault(dialogue_id, set()).add(row.get("num_utterances") or "")
    except csv.Error as error:
        raise InvalidDataError(f"{path}, line {reader.line_num}: not readable CSV ({error}).") from None
    unknown = {name for name in other if canonical_split(name) not in SPLITS}
    if unknown:
        raise InvalidDataError(f"{path}: unknown split {sorted(unknown)[0][:40]!r} in the column 'split'.")
    if other and path.stem in _STEMS[split]:
        raise InvalidDataError(
            f"{path}: expected the {split} split alone, but the column 'split' also has {sorted(other)[0][:40]!r}."
        )
    if not by_dialogue and not problems:
        raise InvalidDataError(f"{path}: the file has no rows of the {split} split.")
    chunks = []
    for position, (dialogue_id, pairs) in enumerate(by_dialogue.items()):
        stated = counts[dialogue_id]
        if len(stated) > 1:
            values = ", ".join(repr(excerpt(value)) for value in sorted(stated)[:4])
            problems.append(Problem(path, dialogue_id, f"'num_utterances' has several values: {values}."))
            continue
        (text,) = stated
        # Without the column the last target gives the length; the completeness check uses it.
        turns = [pair["target_emotion_turn"] for pair in pairs if is_integer(pair["target_emotion_turn"])]
        count = _csv_integer(text) if text else max(turns, default=0)
        chunk = _chunk(path, position, {"dialogue_id": dialogue_id, "num_utterances": count, "pairs": pairs}, problems)
        if chunk is not None:
            chunks.append(chunk)
    return LabelFile(chunks=tuple(chunks), problems=tuple(problems))


def _csv_rows(reader: csv.DictReader[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    for row in reader:
        yield reader.line_num, {key: value for key, value in row.items()}  # noqa: C416  # DictReader types keys loosely


def _typed(row: Mapping[str, str]) -> dict[str, Any]:
    return {
        "target_emotion_turn": _csv_integer(_first_csv(row, _TARGET_KEYS)),
        "cause_turn": _csv_integer(_first_csv(row, _CAUSE_KEYS)),
        "label_id": _csv_integer(row["label_id"]),
        "label": row["label"],
        "source": row["source"] or None,
        "taxonomy_label": row["taxonomy_label"] or None,
        "context_subtype_ids": [_csv_integer(item) for item in _csv_list(row["context_subtype_ids"])],
        "context_subtypes": _csv_list(row["context_subtypes"]),
    }


def _first_csv(row: Mapping[str, str], keys: Sequence[str]) -> str:
    values = {row[key] for key in keys if key in row}
    return values.pop() if len(values) == 1 else f"{sorted(values)} disagree"


def _csv_integer(text: str) -> Any:
    """Converts a cell to an integer (also ``3.0``, as spreadsheets write it); other cells are returned unchanged."""
    match = re.fullmatch(r"\s*(-?\d{1,18})(?:\.0+)?\s*", text)
    return int(match[1]) if match else text


def _csv_list(text: str) -> list[str]:
    """Splits a cell into its items: ``[0, 2]``, ``['a', 'b']``, ``0|2``, ``0;2`` or ``0,2``."""
    return [item for item in re.split(r"[\s|;,\[\]'\"]+", text) if item]
