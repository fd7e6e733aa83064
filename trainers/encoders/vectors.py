"""Feature vectors of a run that stores hold, selected by utterance."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from iemomecp_dataset.command_line import command_hint
from iemomecp_dataset.corpora.metadata import corpus_of_config
from iemomecp_dataset.errors import MissingDataError
from iemomecp_dataset.features import FeatureTable, read_card, read_feature_table
from iemomecp_dataset.features.extractor import extractor_of
from iemomecp_dataset.trainers.options import SharedData

__all__ = ["feature_tables", "load_features", "record_extractors"]


def load_features(
    options: SharedData, utterance_ids: list[str], *, synthetic: bool | None = None
) -> tuple[dict[str, dict[str, Any]], dict[str, int]]:
    """Feature vectors of the streams that a run reads.

    Args:
        options: Modalities, files and tolerance.
        utterance_ids: All utterances of the corpus.
        synthetic: Whether the corpus is synthetic; None: the stores may be of either kind.

    Returns:
        Vectors by stream (``audio``, ``video``; ``text``, ``event``) and utterance id, and the width by stream.

    Raises:
        MissingDataError: A modality is asked for and there is no feature file.
        InvalidDataError: The file is not a feature table, or too many vectors are missing.
        UsageError: The vectors were made of another corpus, of another modality, or of synthetic data where the corpus
            is not (or the other way round).
    """
    corpus = corpus_of_config(options.config_name)
    vectors: dict[str, dict[str, Any]] = {}
    sizes: dict[str, int] = {}
    for modality, read in feature_tables(options).items():
        table = read().check_use(modality, corpus=corpus, synthetic=synthetic)
        vectors[modality] = table.select(utterance_ids, tolerance=options.max_missing_features)
        sizes[modality] = table.size
    return vectors, sizes


def feature_tables(options: SharedData) -> dict[str, Callable[[], FeatureTable]]:
    """By stream that a run reads, a function that reads its feature table.

    Args:
        options: Modalities and files.

    Returns:
        Functions that raise :class:`~iemomecp_dataset.errors.MissingDataError` or
        :class:`~iemomecp_dataset.errors.InvalidDataError` as :func:`load_features` does.
    """
    return {stream: partial(_read, options, stream, given) for stream, given in options.stores().items()}


def record_extractors(config: Any, options: SharedData) -> None:
    """Writes into a model's configuration how its audio and video vectors were made, so that recordings can be given.

    Args:
        config: The configuration. ``audio_extractor`` and ``video_extractor`` become those of the stores' cards
            (:class:`~iemomecp_dataset.features.extractor.Extractor`); None for a modality that the model does not use,
            a Parquet file, and imported vectors.
        options: Modalities and files.
    """
    stores = options.stores()
    for stream in ("audio", "video"):
        extractor = None
        if stream in stores and (folder := _place(options, stream, stores[stream])).is_dir():
            extractor = extractor_of(read_card(folder))
        setattr(config, f"{stream}_extractor", None if extractor is None else extractor.to_json())


def _place(options: SharedData, stream: str, given: str | None) -> Path:
    return Path(given) if given else _default_features(options, stream)


def _read(options: SharedData, stream: str, given: str | None) -> FeatureTable:
    path = _place(options, stream, given)
    if not path.exists():
        raise MissingDataError(
            f"--modalities {options.modalities} needs {stream} features, but there is no feature file {path}. "
            f"Make one ({command_hint('extract', '…')}), give --{stream}_features a feature store or a Parquet "
            "file with columns utterance_id and vector, or leave it out."
        )
    return read_feature_table(path)


def _default_features(options: SharedData, stream: str) -> Path:
    """The Parquet file in the data folder, or the feature store of that name where there is no such file."""
    folder = Path(options.data_dir or ".") / "features"
    file, store = folder / f"{stream}.parquet", folder / stream
    return store if store.is_dir() and not file.exists() else file
