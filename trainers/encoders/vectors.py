"""Audio and video feature vectors of a run, selected by utterance."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from iemomecp_dataset.command_line import command_hint
from iemomecp_dataset.errors import MissingDataError
from iemomecp_dataset.features import FeatureTable, read_feature_table
from iemomecp_dataset.trainers.options import DataOptions

__all__ = ["feature_tables", "load_features"]

_MODALITY_NAMES = {"a": "audio", "v": "video"}


def load_features(options: DataOptions, utterance_ids: list[str]) -> tuple[dict[str, dict[str, Any]], dict[str, int]]:
    """Feature vectors of the modalities that a run asks for.

    Args:
        options: Modalities, files and tolerance.
        utterance_ids: All utterances of the corpus.

    Returns:
        Vectors by modality and utterance id, and the width by modality.

    Raises:
        MissingDataError: A modality is asked for and there is no feature file.
        InvalidDataError: The file is not a feature table, or too many vectors are missing.
    """
    vectors: dict[str, dict[str, Any]] = {}
    sizes: dict[str, int] = {}
    for modality, read in feature_tables(options).items():
        table = read()
        vectors[modality] = table.select(utterance_ids, tolerance=options.max_missing_features)
        sizes[modality] = table.size
    return vectors, sizes


def feature_tables(options: DataOptions) -> dict[str, Callable[[], FeatureTable]]:
    """By modality that a run asks for, a function that reads its feature table.

    Args:
        options: Modalities and files.

    Returns:
        Functions that raise :class:`~iemomecp_dataset.errors.MissingDataError` or
        :class:`~iemomecp_dataset.errors.InvalidDataError` as :func:`load_features` does.
    """
    return {
        modality: partial(_read, options, modality)
        for letter, modality in _MODALITY_NAMES.items()
        if letter in options.modalities
    }


def _read(options: DataOptions, modality: str) -> FeatureTable:
    given = options.audio_features if modality == "audio" else options.video_features
    path = Path(given) if given else _default_features(options, modality)
    if not path.exists():
        raise MissingDataError(
            f"--modalities {options.modalities} asks for {modality}, but there is no feature file {path}. "
            f"Make one ({command_hint('extract', '…')}), give --{modality}_features a feature store or a Parquet "
            "file with columns utterance_id and vector, or leave it out."
        )
    return read_feature_table(path)


def _default_features(options: DataOptions, modality: str) -> Path:
    """The Parquet file in the data folder, or the feature store of that name where there is no such file."""
    folder = Path(options.data_dir or ".") / "features"
    file, store = folder / f"{modality}.parquet", folder / modality
    return store if store.is_dir() and not file.exists() else file
