"""The dialogues of a run: every split that is there, and what a reader must know about them."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iemomecp_dataset.errors import MissingDataError
from iemomecp_dataset.fingerprints import data_fingerprint
from iemomecp_dataset.pair_table import PairTable, pair_table
from iemomecp_dataset.schema import SPLITS

__all__ = ["Corpus", "load_corpus"]

_logger = logging.getLogger(__name__)
_IEMOMECP_CONFIGS = ("3class", "source_binary")


@dataclass(frozen=True)
class Corpus:
    """The splits of a corpus as rows and as pair tables.

    Attributes:
        name: ``iemomecp`` or the name of another corpus.
        config_name: The configuration that was loaded.
        class_names: Pair classes by id.
        emotion_names: Emotions by id.
        rows: Rows by split.
        tables: All candidate pairs by split.
        missing_splits: Splits that the corpus folder does not have.
        synthetic: Whether the corpus is made up.
        candidates: Which pairs are candidates, in words.
        fingerprints: Content hash by split.
    """

    name: str
    config_name: str
    class_names: tuple[str, ...]
    emotion_names: tuple[str, ...]
    rows: dict[str, list[dict[str, Any]]]
    tables: dict[str, PairTable]
    missing_splits: tuple[str, ...]
    synthetic: bool
    candidates: str
    fingerprints: dict[str, str]

    @property
    def definition(self) -> str:
        """What Pair F1 means here: F, classification of a fixed candidate list; A, set micro F1 over all gold pairs."""
        return "F" if self.name == "iemomecp" else "A"

    @property
    def statement(self) -> str:
        """One plain sentence saying which data this is."""
        sizes = ", ".join(f"{len(rows)} {split}" for split, rows in self.rows.items())
        kind = "SYNTHETIC dialogues, made up by this package" if self.synthetic else "real dialogues"
        without = f"; without the split {' and '.join(self.missing_splits)}" if self.missing_splits else ""
        return f"{self.name} ({self.config_name}): {kind} ({sizes}){without}."

    @property
    def selection_split(self) -> str:
        """Where epoch and threshold are chosen: validation, or train where there is no validation split."""
        return "validation" if "validation" in self.rows else "train"


def load_corpus(
    config_name: str, data_dir: str | Path, *, candidates: str | None = None, forward_pairs: str | None = None
) -> Corpus:
    """Loads every split of a configuration.

    Args:
        config_name: The configuration.
        data_dir: Folder of the corpus.
        candidates: Option of the loader, for corpora other than IEMO-MECP; None for its default.
        forward_pairs: Option of the loader, for ``source_binary``; None for its default.

    Raises:
        IemomecpError: What :func:`iemomecp_dataset.load` raises; and when there is no train split.
    """
    import iemomecp_dataset

    extra: dict[str, Any] = {
        name: value
        for name, value in (("candidates", candidates), ("forward_pairs", forward_pairs))
        if value is not None
    }
    dataset = iemomecp_dataset.load(config_name, data_dir=data_dir, **extra)
    if "train" not in dataset:
        raise MissingDataError(f"{data_dir} has no train split, which training needs.")
    missing = tuple(split for split in SPLITS if split not in dataset)
    for split in missing:
        _logger.warning("There is no %s split in %s: nothing is scored on it.", split, data_dir)
    first = dataset["train"]
    class_names = tuple(first.features["pairs"].feature["label"].names)
    emotion_names = tuple(first.features["utterances"].feature["emotion"].names)
    rows = {split: dataset[split].to_list() for split in SPLITS if split in dataset}
    is_iemomecp = config_name in _IEMOMECP_CONFIGS
    return Corpus(
        name="iemomecp" if is_iemomecp else config_name,
        config_name=config_name,
        class_names=class_names,
        emotion_names=emotion_names,
        rows=rows,
        tables={split: pair_table(split_rows, emotion_names) for split, split_rows in rows.items()},
        missing_splits=missing,
        synthetic=iemomecp_dataset.is_synthetic(first),
        candidates="triangle+exceptions" if is_iemomecp else candidates or "all",
        fingerprints={split: data_fingerprint(split_rows) for split, split_rows in rows.items()},
    )
