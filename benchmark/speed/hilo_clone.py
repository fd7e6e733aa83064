"""Whether a user's own clone of HiLo would train on the same dialogues, text alone, with the same encoder.

Only data files and the configuration of the clone are looked at, as the export's ``HOWTO.md`` describes them.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from iemomecp_dataset.benchmark.peers.hilo_launcher.command import check_places
from iemomecp_dataset.benchmark.peers.hilo_launcher.data_files import Dialogue, LaunchError, read_dialogues
from iemomecp_dataset.corpus import Corpus
from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UsageError
from iemomecp_dataset.files.yaml_files import read_yaml
from iemomecp_dataset.rows import gold_pairs

__all__ = ["check_clone"]

_FILES = {"train": "train.txt", "validation": "valid.txt", "test": "test.txt"}
_CONFIGURATION = Path("src") / "config.yaml"


def check_clone(clone: Path, corpus: Corpus, encoder: Path, output: Path) -> dict[str, int]:
    """Checks data, features and encoder of a clone before anything is trained.

    Args:
        clone: Its folder, with the files of the export in it.
        corpus: What we train on.
        encoder: The text encoder that we train.
        output: Folder that the launcher will write to.

    Returns:
        Gold pairs of each of its splits.

    Raises:
        UsageError: The clone is incomplete, has an old cache, other dialogues or pairs, features beside the text, or
            another encoder.
    """
    dataset = clone / "data" / "dataset"
    try:
        check_places(argparse.Namespace(clone=str(clone), output_dir=str(output), keep_cache=False))
        splits = {split: read_dialogues(dataset / file) for split, file in _FILES.items()}
    except LaunchError as error:
        raise UsageError(f"The clone of HiLo: {error}") from None
    for split, dialogues in splits.items():
        # A split that is not in our folder trains and scores nothing of ours.
        if split in corpus.rows and _content(dialogues) != _content_of_rows(corpus.rows[split]):
            raise UsageError(
                f"{dataset / _FILES[split]} has other dialogues or pairs than {split} of {corpus.data_dir}. Export "
                "them with scripts/export_for.py hilo and copy its data folder into the clone."
            )
    for array in sorted(dataset.glob("*_embedding_*.npy")):
        if not _is_one_constant_column(array):
            raise UsageError(
                f"{array} holds features, and the comparison is of text alone. Export without --audio and --video, "
                "which writes one constant column."
            )
    _check_encoder(clone, encoder)
    return {split: sum(len(dialogue.pairs) for dialogue in dialogues) for split, dialogues in splits.items()}


def _content(dialogues: list[Dialogue]) -> Counter[tuple[int, frozenset[tuple[int, int]]]]:
    """Lengths and pairs; ids and order may differ, since the export numbers dialogues and may move one."""
    return Counter((dialogue.n_turns, dialogue.pairs) for dialogue in dialogues)


def _content_of_rows(rows: list[dict[str, Any]]) -> Counter[tuple[int, frozenset[tuple[int, int]]]]:
    return Counter(
        (len(row["utterances"]), frozenset((target - 1, cause - 1) for target, cause in gold_pairs(row)))
        for row in rows
    )


def _is_one_constant_column(path: Path) -> bool:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UsageError(f"{path}: not a readable .npy file of numbers ({str(error)[:120]}).") from None
    return bool(array.ndim == 2 and array.shape[1] == 1 and len(array) and (array == array[0]).all())


def _check_encoder(clone: Path, encoder: Path) -> None:
    file = clone / _CONFIGURATION
    try:
        content = read_yaml(file)
    except (InvalidDataError, MissingDataError) as error:
        raise UsageError(f"The clone of HiLo: {error}") from None
    named = content.get("bert_path") if isinstance(content, dict) else None
    if not isinstance(named, str):
        raise UsageError(f"{file} states no bert_path, so that it cannot be told which encoder HiLo reads.")
    # An absolute path stays as it is.
    if (clone / named).resolve() != encoder.resolve():
        raise UsageError(
            f"{file}: bert_path {named} is not the encoder {encoder}. Put a link to that folder into the clone, and "
            "its name there."
        )
