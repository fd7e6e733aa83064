"""The dialogues of a run: every split that is there, and what a reader must know about them."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iemomecp_dataset.data_fingerprint import data_fingerprint
from iemomecp_dataset.errors import MissingDataError
from iemomecp_dataset.features import read_feature_table
from iemomecp_dataset.pair_table import PairTable, pair_table
from iemomecp_dataset.schema import SPLITS
from iemomecp_dataset.trainers.options import DataOptions

__all__ = ["Corpus", "load_corpus", "load_features"]

_logger = logging.getLogger(__name__)
_IEMOMECP_CONFIGS = ("3class", "source_binary")
_MODALITY_NAMES = {"a": "audio", "v": "video"}


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


def load_corpus(options: DataOptions) -> Corpus:
    """Loads every split of a corpus.

    Raises:
        IemomecpError: What :func:`iemomecp_dataset.load` raises; and when there is no train split.
    """
    import iemomecp_dataset

    extra: dict[str, Any] = {
        name: value
        for name, value in (("candidates", options.candidates), ("forward_pairs", options.forward_pairs))
        if value is not None
    }
    dataset = iemomecp_dataset.load(options.config_name, data_dir=options.data_dir, **extra)
    if "train" not in dataset:
        raise MissingDataError(f"{options.data_dir} has no train split, which training needs.")
    missing = tuple(split for split in SPLITS if split not in dataset)
    for split in missing:
        _logger.warning("There is no %s split in %s: nothing is scored on it.", split, options.data_dir)
    first = dataset["train"]
    class_names = tuple(first.features["pairs"].feature["label"].names)
    emotion_names = tuple(first.features["utterances"].feature["emotion"].names)
    rows = {split: dataset[split].to_list() for split in SPLITS if split in dataset}
    is_iemomecp = options.config_name in _IEMOMECP_CONFIGS
    return Corpus(
        name="iemomecp" if is_iemomecp else options.config_name,
        config_name=options.config_name,
        class_names=class_names,
        emotion_names=emotion_names,
        rows=rows,
        tables={split: pair_table(split_rows, emotion_names) for split, split_rows in rows.items()},
        missing_splits=missing,
        synthetic=iemomecp_dataset.is_synthetic(first),
        candidates="triangle+exceptions" if is_iemomecp else options.candidates or "all",
        fingerprints={split: data_fingerprint(split_rows) for split, split_rows in rows.items()},
    )


def load_features(options: DataOptions, utterance_ids: list[str]) -> tuple[dict[str, dict[str, Any]], dict[str, int]]:
    """Feature vectors of the modalities that a run asks for.

    Args:
        options: Modalities, files and tolerance.
        utterance_ids: All utterances of the corpus.

    Returns:
        Vectors by modality and utterance id, and the width by modality.

    Raises:
        MissingDataError: A modality is asked for and there is no feature file.
        InvalidDataError: The file is no feature table, or too many vectors are missing.
    """
    vectors: dict[str, dict[str, Any]] = {}
    sizes: dict[str, int] = {}
    for letter, modality in _MODALITY_NAMES.items():
        if letter not in options.modalities:
            continue
        given = options.audio_features if letter == "a" else options.video_features
        path = Path(given) if given else _default_features(options, modality)
        if not path.exists():
            raise MissingDataError(
                f"--modalities {options.modalities} asks for {modality}, but there is no feature file {path}. "
                f"Make one with scripts/extract_features.py, give --{modality}_features a feature store or a Parquet "
                "file with columns utterance_id and vector, or leave it out."
            )
        table = read_feature_table(path)
        vectors[modality] = table.select(utterance_ids, tolerance=options.max_missing_features)
        sizes[modality] = table.size
    return vectors, sizes


def _default_features(options: DataOptions, modality: str) -> Path:
    """The Parquet file in the data folder, or the feature store of that name where there is no such file."""
    folder = Path(options.data_dir or ".") / "features"
    file, store = folder / f"{modality}.parquet", folder / modality
    return store if store.is_dir() and not file.exists() else file
