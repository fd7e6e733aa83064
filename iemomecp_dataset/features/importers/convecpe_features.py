"""Reads the features in ConvECPE's own pickle: 100-d text, 100-d audio, 512-d visual."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from iemomecp_dataset.errors import InvalidDataError, UsageError
from iemomecp_dataset.excerpts import excerpt
from iemomecp_dataset.sources.ecpec import FEATURE_ENTRIES, read_ecpec_tuple

__all__ = ["read_convecpe_features"]


def read_convecpe_features(path: Path, modality: str) -> dict[str, Any]:
    """Reads the features of one modality.

    Args:
        path: ``IEMOCAP_emotion_cause_features.pkl``, with 12 or 16 entries.
        modality: ``text``, ``audio`` or ``video``.

    Returns:
        Float64 array by utterance id, of whatever shape the file has.

    Raises:
        UnsafeFileError: The pickle references code; nothing was run.
        InvalidDataError: The file is malformed, or a dialogue does not have one vector per utterance.
        MissingDataError: The file cannot be read.
        UsageError: ConvECPE has no features of this modality.

    See Also:
        :func:`iemomecp_dataset.sources.ecpec.read_ecpec` for the annotation in it.
    """
    content = read_ecpec_tuple(path)
    if modality not in FEATURE_ENTRIES[len(content)]:
        raise UsageError(f"{path}: ConvECPE has no {modality} vectors but {', '.join(FEATURE_ENTRIES[len(content)])}.")
    ids, features = content[0], content[FEATURE_ENTRIES[len(content)][modality]]
    if not isinstance(ids, Mapping) or not isinstance(features, Mapping):
        raise InvalidDataError(f"{path}: expected utterance ids and {modality} features as dictionaries by dialogue.")
    vectors: dict[str, Any] = {}
    for dialogue, utterances in ids.items():
        rows = features.get(dialogue)
        if rows is None or len(rows) != len(utterances):
            found = "none" if rows is None else str(len(rows))
            raise InvalidDataError(
                f"{path}, dialogue {str(dialogue)!r}: expected {len(utterances)} {modality} vectors, found {found}."
            )
        for key, row in zip(utterances, rows, strict=True):
            try:
                vectors[str(key)] = np.asarray(row, dtype=np.float64)
            except (TypeError, ValueError):
                raise InvalidDataError(
                    f"{path}, utterance {key}: expected numeric {modality} features, found {excerpt(row)!r}."
                ) from None
    return vectors
