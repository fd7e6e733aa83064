"""Finds, reads and checks the files of every corpus except IEMO-MECP and those that join several sources."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from iemomecp_dataset.candidates import CandidateSpace
from iemomecp_dataset.corpora.annotations import add_annotations, count_annotations
from iemomecp_dataset.corpora.dialogues import CorpusDialogue, corpus_row
from iemomecp_dataset.corpora.ecf import read_ecf_text
from iemomecp_dataset.corpora.ecf_json import read_ecf_json
from iemomecp_dataset.corpora.ecgf import read_ecgf
from iemomecp_dataset.corpora.mec4 import read_mec4
from iemomecp_dataset.corpora.meld import find_clips, read_meld, time_notes
from iemomecp_dataset.corpora.metadata import corpus_metadata
from iemomecp_dataset.corpora.turn_lists import IEMOCAP_PART, read_turn_lists
from iemomecp_dataset.errors import InvalidDataError, MissingDataError
from iemomecp_dataset.excerpts import excerpt
from iemomecp_dataset.files import check_file
from iemomecp_dataset.files.bounds import check_turns
from iemomecp_dataset.options import options_taken
from iemomecp_dataset.reader import SYNTHETIC_FILE, Inputs, Loaded, require_folder
from iemomecp_dataset.schema import SPLITS, Row

__all__ = ["find_corpus", "read_corpus"]

_Reader = Callable[[Path, Counter[str]], Iterable[CorpusDialogue]]
_READERS: Mapping[tuple[str, str], _Reader] = {
    ("ecf", ".txt"): lambda path, _: read_ecf_text(path),
    ("ecf", ".json"): read_ecf_json,
    ("mecad", ".json"): lambda path, counts: read_turn_lists(path, "mecad", counts),
    ("mec4", ".json"): lambda path, _: read_mec4(path),
    ("reccon", ".json"): lambda path, counts: read_turn_lists(path, "reccon", counts),
    ("ecgf", ".json"): read_ecgf,
    ("meld", ".csv"): lambda path, _: read_meld(path),
}
_FURTHER_READERS: Mapping[tuple[str, str], _Reader] = {
    ("reccon", "test_iemocap"): lambda path, counts: read_turn_lists(path, "reccon", counts, emotions=IEMOCAP_PART),
}
"""Readers of splits beside train, validation and test."""
_CLIPS: Mapping[str, Callable[[Path], Mapping[str, tuple[str, int]]]] = {"meld": find_clips}
_NOTES: Mapping[str, Callable[[Path, list[Row]], Iterable[str]]] = {"meld": time_notes}


def find_corpus(name: str, data_dir: Path, space: CandidateSpace, *, annotations: bool = False) -> Inputs:
    """Finds the files of a corpus.

    Args:
        name: Configuration name of the corpus.
        data_dir: Folder of the corpus.
        space: Which pairs are candidates.
        annotations: Whether rows have what the files state beside the schema.

    Returns:
        The files found, one per split; the notes list the absent splits, the remarks those that few have.

    Raises:
        MissingDataError: The folder does not exist, or contains no file of the corpus.
        InvalidDataError: A file is too large (see :data:`~iemomecp_dataset.files.bounds.LARGEST_FILE`).
    """
    corpus = corpus_metadata(name)
    require_folder(data_dir, f"the folder of {corpus.title}", corpus.how_to_obtain)
    files: dict[str, Path] = {}
    accepted = {**{split: corpus.split_files[split] for split in SPLITS}, **corpus.further_files}
    for split, names in accepted.items():
        found = [data_dir / file for file in names if (data_dir / file).is_file()]
        if found:
            check_file(found[0])  # Before it is read for its digest.
            files[split] = found[0]
    if not files:
        expected = "; ".join(f"{split}: {' or '.join(names)}" for split, names in accepted.items())
        raise MissingDataError(
            f"{data_dir}: no file of {corpus.title} found. Looked for {expected}. To obtain it: {corpus.how_to_obtain}."
        )
    clips = _CLIPS[name](data_dir) if name in _CLIPS else {}
    absent = {
        split: f"{data_dir}: no {split} split of {corpus.title} (looked for {' or '.join(names)}); it is omitted."
        for split, names in accepted.items()
        if split not in files
    }
    return Inputs(
        files=tuple(files.values()),
        splits=tuple(files),
        media=tuple(clips.values()),
        read=functools.partial(
            read_corpus, name, files, space, {key: path for key, (path, _) in clips.items()}, annotations=annotations
        ),
        synthetic=(data_dir / SYNTHETIC_FILE).exists(),
        notes=tuple(note for split, note in absent.items() if split in SPLITS),
        remarks=tuple(note for split, note in absent.items() if split not in SPLITS),
    )


def read_corpus(
    name: str,
    files: Mapping[str, Path],
    space: CandidateSpace,
    clips: Mapping[str, str] | None = None,
    *,
    annotations: bool = False,
) -> Loaded:
    """Reads a corpus.

    Args:
        name: Configuration name of the corpus.
        files: One file per split.
        space: Which pairs are candidates, if the corpus has any.
        clips: Paths of clips by utterance id, where they are on disk.
        annotations: Whether rows have what the files state beside the schema; without, it is counted for a corpus that
            can have it.

    Returns:
        Rows by split.

    Raises:
        InvalidDataError: A file is malformed, the id of a dialogue or utterance is not unique, or a dialogue has too
            many turns (see :mod:`~iemomecp_dataset.files.bounds`).
        MissingDataError: A file cannot be read.
    """
    corpus = corpus_metadata(name)
    rows: dict[str, list[Row]] = {}
    seen: dict[str, Path] = {}
    utterance_ids: set[str] = set()
    counts: dict[str, int] = {}
    omitted: dict[str, int] = {}
    counted = not annotations and "annotations" in options_taken(name)
    notes: list[str] = []
    for split, path in files.items():
        rows[split] = []
        split_counts: Counter[str] = Counter()
        split_omitted: Counter[str] = Counter()
        reader = _FURTHER_READERS.get((name, split)) or _READERS[name, path.suffix.lower()]
        for dialogue in reader(path, split_counts):
            where = f"{path}, dialogue {excerpt(dialogue.dialogue_id, 80)!r}"
            check_turns(len(dialogue.utterances), where, pairs=corpus.has_pairs)
            if not dialogue.dialogue_id:
                raise InvalidDataError(f"{path}: a dialogue has an empty id. Give it one of its own.")
            if dialogue.dialogue_id in seen:
                raise InvalidDataError(
                    f"{where}: this id already occurs in {seen[dialogue.dialogue_id]}. Ids must be unique across all "
                    f"splits; remove one of the two."
                )
            seen[dialogue.dialogue_id] = path
            for turn, utterance in enumerate(dialogue.utterances, start=1):
                if utterance.utterance_id in utterance_ids:
                    raise InvalidDataError(
                        f"{where}, turn {turn}: the utterance id {excerpt(utterance.utterance_id, 80)!r} already "
                        f"occurs. Ids must be unique across all splits."
                    )
                utterance_ids.add(utterance.utterance_id)
            row = corpus_row(dialogue, corpus.emotions_of(files), space if corpus.has_pairs else None)
            for spoken in row["utterances"]:
                spoken["video"] = (clips or {}).get(spoken["utterance_id"] or "", spoken["video"])
            if annotations:
                add_annotations(row, dialogue)
            elif counted:
                split_omitted += count_annotations(dialogue)
            rows[split].append(row)
        notes += _NOTES[name](path, rows[split]) if name in _NOTES else ()
        counts |= {f"{split}: {what}": count for what, count in split_counts.items() if count}
        omitted |= {f"{split}: {what}": count for what, count in split_omitted.items()}
    return Loaded(rows=rows, counts=counts, omitted=omitted, notes=tuple(notes))
