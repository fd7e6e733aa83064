"""Finds, reads and checks the files of every corpus except IEMO-MECP."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from iemomecp_dataset.candidates import CandidateSpace
from iemomecp_dataset.corpora.dialogues import CorpusDialogue, Findings, corpus_row
from iemomecp_dataset.corpora.ecf import read_ecf_text
from iemomecp_dataset.corpora.ecf_json import read_ecf_json
from iemomecp_dataset.corpora.mec4 import read_mec4
from iemomecp_dataset.corpora.meld import find_meld_clips, read_meld
from iemomecp_dataset.corpora.metadata import corpus_metadata
from iemomecp_dataset.corpora.turn_lists import read_turn_lists
from iemomecp_dataset.errors import InvalidDataError, MissingDataError
from iemomecp_dataset.reader import SYNTHETIC_FILE, Inputs, Loaded, require_folder
from iemomecp_dataset.schema import SPLITS, Row

__all__ = ["find_corpus", "read_corpus"]

_Clips = Mapping[str, str]
_Reader = Callable[[Path, Findings, _Clips], Iterable[CorpusDialogue]]
_READERS: Mapping[tuple[str, str], _Reader] = {
    ("ecf", ".txt"): lambda path, _, __: read_ecf_text(path),
    ("ecf", ".json"): lambda path, findings, _: read_ecf_json(path, findings.left_out),
    ("mecad", ".json"): lambda path, findings, _: read_turn_lists(path, "mecad", findings.left_out),
    ("mec4", ".json"): lambda path, _, __: read_mec4(path),
    ("meld", ".csv"): read_meld,
    ("reccon", ".json"): lambda path, findings, _: read_turn_lists(path, "reccon", findings.left_out),
}
_CLIP_FINDERS: Mapping[str, Callable[[Path], Mapping[str, tuple[str, int]]]] = {"meld": find_meld_clips}
"""Lists ``(path, size in bytes)`` by utterance id, for corpora whose clips have a place of their own."""


def find_corpus(name: str, data_dir: Path, space: CandidateSpace) -> Inputs:
    """Finds the files of a corpus.

    Args:
        name: Configuration name of the corpus.
        data_dir: Folder of the corpus.
        space: Which pairs are candidates, where the corpus has pairs.

    Returns:
        The files found, one per split; the notes list the absent splits.

    Raises:
        MissingDataError: The folder does not exist, or contains no file of the corpus.
    """
    corpus = corpus_metadata(name)
    require_folder(data_dir, f"the folder of {corpus.title}", corpus.how_to_obtain)
    files: dict[str, Path] = {}
    for split in SPLITS:
        found = [data_dir / file for file in corpus.split_files[split] if (data_dir / file).is_file()]
        if found:
            files[split] = found[0]
    if not files:
        expected = "; ".join(f"{split}: {' or '.join(corpus.split_files[split])}" for split in SPLITS)
        raise MissingDataError(
            f"{data_dir}: no file of {corpus.title} found. Looked for {expected}. To obtain it: {corpus.how_to_obtain}."
        )
    absent = [split for split in SPLITS if split not in files]
    notes = [
        f"{data_dir}: no {split} split of {corpus.title} (looked for {' or '.join(corpus.split_files[split])}); "
        f"the split is omitted."
        for split in absent
    ]
    clips = _CLIP_FINDERS[name](data_dir) if name in _CLIP_FINDERS else {}
    paths = {utterance: path for utterance, (path, _) in clips.items()}
    return Inputs(
        files=tuple(files.values()),
        splits=tuple(files),
        media=tuple(clips.values()),
        read=functools.partial(read_corpus, name, files, space, paths),
        synthetic=(data_dir / SYNTHETIC_FILE).exists(),
        notes=tuple(notes),
    )


def read_corpus(name: str, files: Mapping[str, Path], space: CandidateSpace, clips: _Clips | None = None) -> Loaded:
    """Reads a corpus.

    Args:
        name: Configuration name of the corpus.
        files: One file per split.
        space: Which pairs are candidates, where the corpus has pairs.
        clips: Paths of clips by utterance id.

    Returns:
        Rows by split.

    Raises:
        InvalidDataError: A file is malformed, or the id of a dialogue or utterance is not unique.
        MissingDataError: A file cannot be read.
    """
    corpus = corpus_metadata(name)
    rows: dict[str, list[Row]] = {}
    seen: dict[str, Path] = {}
    utterance_ids: set[str] = set()
    counts: dict[str, int] = {}
    kept: dict[str, int] = {}
    for split, path in files.items():
        rows[split] = []
        findings = Findings()
        for dialogue in _READERS[name, path.suffix.lower()](path, findings, clips or {}):
            where = f"{path}, dialogue {dialogue.dialogue_id!r}"
            if dialogue.dialogue_id in seen:
                raise InvalidDataError(
                    f"{where}: this id already occurs in {seen[dialogue.dialogue_id]}. Ids must be unique across all "
                    f"splits; remove one of the two."
                )
            seen[dialogue.dialogue_id] = path
            for turn, utterance in enumerate(dialogue.utterances, start=1):
                if utterance.utterance_id in utterance_ids:
                    raise InvalidDataError(
                        f"{where}, turn {turn}: the utterance id {utterance.utterance_id!r} already occurs. Ids must "
                        f"be unique across all splits."
                    )
                utterance_ids.add(utterance.utterance_id)
            rows[split].append(corpus_row(dialogue, corpus.emotions, space if corpus.has_pairs else None))
        counts |= _by_split(split, findings.left_out)
        kept |= _by_split(split, findings.kept)
    return Loaded(rows=rows, counts=counts, kept=kept)


def _by_split(split: str, counts: Counter[str]) -> dict[str, int]:
    return {f"{split}: {what}": count for what, count in counts.items() if count}
