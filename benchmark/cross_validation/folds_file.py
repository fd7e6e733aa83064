"""The folds of a runs folder: made once, read again, refused once the corpus has changed."""

from __future__ import annotations

from pathlib import Path

from iemomecp_dataset.benchmark.runs.contamination import related_dialogues
from iemomecp_dataset.corpus import Corpus
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.files import make_folder
from iemomecp_dataset.folds import Folds, make_folds, read_folds, write_folds

__all__ = ["FOLDS_FILE", "folds_of_folder"]

FOLDS_FILE = "folds.json"


def folds_of_folder(corpus: Corpus, runs_dir: Path, n: int, split: str, salt: str, *, write: bool = True) -> Folds:
    """Reads the folds of a runs folder, or makes them.

    Args:
        corpus: The corpus.
        runs_dir: The folder.
        n: Number of folds.
        split: The split that is parted.
        salt: What is hashed with the ids.
        write: Whether new folds are written.

    Returns:
        The folds.

    Raises:
        UsageError: The corpus has no such split, or the folder has other folds than are asked for.
        InvalidDataError: The corpus has changed since they were made, or the file is damaged.
    """
    if split not in corpus.rows:
        instead = " Give --folds_of validation." * (split == "train" and "validation" in corpus.rows)
        raise UsageError(
            f"{corpus.name} has no {split} split here to make folds of; it has {', '.join(corpus.rows)}.{instead}"
        )
    path = runs_dir / FOLDS_FILE
    if not path.exists():
        made = make_folds(corpus, n, split=split, salt=salt, together=related_dialogues(corpus, split))
        if write:
            make_folder(runs_dir)
            write_folds(path, made)
        return made
    folds = read_folds(path)
    differing = [
        f"{name} {there} there and {here} here"
        for name, there, here in (
            ("--folds", folds.n, n),
            ("--folds_of", folds.split, split),
            ("--salt", repr(folds.salt), repr(salt)),
        )
        if there != here
    ]
    if differing:
        raise UsageError(f"{path} has other folds: {'; '.join(differing)}. Give the same, or another --runs_dir.")
    folds.check_corpus(corpus, path)
    return folds
