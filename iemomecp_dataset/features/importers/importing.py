"""Imports published features into a store: of the IEMO-MECP artifact, the ECF and ECERC authors, and ConvECPE.

No file is trusted: pickles and ``.pt`` files are read without running code, and a vector that is missing, of another
width, not finite, or all zeros (which is how such files mark a missing one) becomes a row with a status.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from iemomecp_dataset.corpus import load_corpus
from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UsageError
from iemomecp_dataset.features.extraction import ExtractionResult
from iemomecp_dataset.features.extraction_options import ExtractionOptions
from iemomecp_dataset.features.importers.artifact_cache import read_artifact_caches
from iemomecp_dataset.features.importers.convecpe_features import read_convecpe_features
from iemomecp_dataset.features.importers.ecf_arrays import read_ecf_array
from iemomecp_dataset.features.importers.emotion_pickles import read_emotion_pickle
from iemomecp_dataset.features.store.store_card import StoreCard, claim_store
from iemomecp_dataset.features.store.store_index import write_index
from iemomecp_dataset.features.store.store_layout import shard_name
from iemomecp_dataset.features.store.store_rows import StoreRow, finite_row
from iemomecp_dataset.features.store.store_shards import write_shard
from iemomecp_dataset.features.work_items import corpus_items
from iemomecp_dataset.files import file_digest

__all__ = ["import_features"]


def import_features(
    options: ExtractionOptions, files: Sequence[str | Path], *, ecf_order: str | Path | None = None, variant: int = 1
) -> ExtractionResult:
    """Builds a store from published feature files.

    Args:
        options: Corpus, modality and folder; ``limit``, ``strict``, ``store_dtype`` and ``shard_size`` also apply.
        files: One ``.npy``, one ``.pkl``, or any number of ``.pt`` files.
        ecf_order: For ``.npy``: ``all_data_pair.txt``, whose utterances the rows follow.
        variant: For the pickles of the ECERC authors: which of four text or event vectors, from 1.

    Returns:
        Result with the number of utterances by status.

    Raises:
        MissingDataError: A file does not exist.
        UnsafeFileError: A file references more than data; nothing was run.
        InvalidDataError: The files do not contain features of this corpus; with ``strict``: a vector is missing.
        UsageError: The files are of several kinds, or the folder contains another store.

    See Also:
        :func:`iemomecp_dataset.features.extraction.extract` computes vectors from media and texts.
    """
    options.check()
    if options.modality == "frames":
        raise UsageError(
            "--import-from has no files of frames: write their tokens with iemomecp_dataset.features.frames."
            "FrameStoreWriter, or extract them from the clips."
        )
    paths = [Path(path) for path in files]
    for path in paths:
        if not path.is_file():
            raise MissingDataError(f"The feature file {path} is not there.")
    # Vectors are matched by utterance, so the corpus needs no media: any folder prevents the check for them.
    corpus = corpus_items(replace(options, media_dir=str(options.data_dir), media_pattern=None))
    ids = [item.utterance_id for item in corpus.items]
    source, vectors = _read(paths, options, ecf_order, variant)
    known = [key for key in ids if key in vectors]
    if not known:
        example = next(iter(vectors), "none")
        raise InvalidDataError(
            f"{paths[0]}: none of its {len(vectors)} keys (such as {example}) is an utterance of {corpus.corpus} "
            f"(such as {ids[0]}). These are features of another corpus."
        )
    size = _width([vectors[key] for key in known], paths[0])
    not_in_corpus = len(vectors.keys() - set(ids))
    # Each vector is in memory once: as it was read, or as a row.
    rows = [_row(key, vectors.pop(key, None), size, options.store_dtype, paths) for key in ids]
    lacking = [row for row in rows if row.vector is None]
    if options.strict and lacking:
        raise InvalidDataError(
            f"{paths[0]}: {len(lacking)} of {len(ids)} utterances get no vector, such as {lacking[0].utterance_id} "
            f"({lacking[0].status}: {lacking[0].reason}), and --strict allows none."
        )
    shards = [rows[at : at + options.shard_size] for at in range(0, len(rows), options.shard_size)]
    card = StoreCard(
        modality=options.modality,
        model=source,
        revision=" ".join(file_digest(path)[:16] for path in paths),
        corpus=corpus.corpus,
        corpus_fingerprints=dict(corpus.fingerprints),
        utterances=corpus.digest,
        n_utterances=len(ids),
        n_shards=len(shards),
        synthetic=corpus.synthetic,
        size=size,
        dtype=options.store_dtype,
        settings={"imported": ", ".join(path.name for path in paths), "not_in_corpus": not_in_corpus},
        versions={},
    )
    folder = Path(options.output_dir)
    claim_store(folder, card)
    for number, shard in enumerate(shards):
        write_shard(folder / shard_name(number, len(shards)), shard, size, options.store_dtype)
    statuses = write_index(folder, card, ids)
    examples: dict[str, list[tuple[str, str]]] = {}
    for row in lacking:
        examples.setdefault(row.status, []).append((row.utterance_id, row.reason or ""))
    return ExtractionResult(folder, card, True, 0, len(known), statuses, examples)


def _read(
    paths: Sequence[Path], options: ExtractionOptions, ecf_order: str | Path | None, variant: int
) -> tuple[str, dict[str, Any]]:
    kinds = {path.suffix.lower() for path in paths}
    if kinds == {".pt"}:
        return "features of the IEMO-MECP artifact", read_artifact_caches(paths, _turns(options))
    if len(paths) != 1 or kinds - {".npy", ".pkl"}:
        raise UsageError(
            f"--import-from takes .pt files of the artifact, or one .npy, or one .pkl; found "
            f"{', '.join(path.name for path in paths)}."
        )
    if kinds == {".pkl"}:
        corpus = load_corpus(options.config_name, options.data_dir, for_training=False)
        is_meld = corpus.name == "meld"
        released = read_emotion_pickle(paths[0], options.modality, corpus.rows, variant=variant, is_meld=is_meld)
        if released is not None:
            of_variant = f", variant {variant}" if options.modality in ("text", "event") else ""
            return f"{options.modality} features of the ECERC authors{of_variant}", released
        return f"{options.modality} features of ConvECPE", read_convecpe_features(paths[0], options.modality)
    if ecf_order is None:
        raise UsageError(f"{paths[0]}: its rows follow all_data_pair.txt of the ECF authors. Give that as --ecf-order.")
    return f"{options.modality} features of the ECF authors", read_ecf_array(paths[0], Path(ecf_order))


def _turns(options: ExtractionOptions) -> dict[tuple[str, int], str]:
    """Maps (dialogue, turn), the artifact's other kind of key, to utterance ids; ambiguous keys are omitted."""
    corpus = load_corpus(options.config_name, options.data_dir, for_training=False)
    turns: dict[tuple[str, int], str] = {}
    ambiguous: set[tuple[str, int]] = set()
    for row in itertools.chain.from_iterable(corpus.rows.values()):
        for utterance in row["utterances"]:
            key = (row["dialogue_id"], utterance["turn"])
            if turns.setdefault(key, utterance["utterance_id"]) != utterance["utterance_id"]:
                ambiguous.add(key)
    return {key: value for key, value in turns.items() if key not in ambiguous}


def _width(vectors: Sequence[Any], path: Path) -> int:
    """Finds the most frequent width."""
    widths = [np.asarray(vector).size for vector in vectors if np.ndim(vector) == 1]
    if not widths:
        raise InvalidDataError(f"{path}: the file has no one-dimensional vector.")
    return int(np.bincount(widths).argmax())


def _row(key: str, value: Any, size: int, dtype: str, paths: Sequence[Path]) -> StoreRow:
    names = ", ".join(path.name for path in paths)
    if value is None:
        return StoreRow(key, "not_in_source", reason=f"{names} has no vector for the utterance")
    if np.ndim(value) != 1 or np.size(value) != size:
        shape = "a scalar" if np.ndim(value) == 0 else f"of shape {np.shape(value)}"
        return StoreRow(key, "bad_vector", reason=f"the vector is {shape}, the others have {size} numbers")
    row = finite_row(StoreRow(key, "ok", np.asarray(value, dtype=np.float64)), dtype)
    if row.vector is not None and not row.vector.any():
        return StoreRow(key, "all_zero", reason="all numbers of the vector are zero")
    return row
