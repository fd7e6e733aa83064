"""Reads the features that ConvECPE carries in its own pickle: 100-d text, 100-d audio, 512-d visual."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.sources.restricted_pickle import read_restricted_pickle

__all__ = ["read_convecpe_features"]

# Entries of the tuple, by its length: the longer variant carries four more after the causes.
_FEATURES = {12: {"text": 6, "audio": 7, "video": 8}, 16: {"text": 10, "audio": 11, "video": 12}}


def read_convecpe_features(path: Path, modality: str) -> dict[str, Any]:
    """Reads one modality.

    Args:
        path: ``IEMOCAP_emotion_cause_features.pkl``, with 12 or 16 entries.
        modality: ``text``, ``audio`` or ``video``.

    Returns:
        One value an utterance id, as it stands there.

    Raises:
        UnsafeFileError: The pickle asks for more than data; nothing was run.
        InvalidDataError: It breaks the format, or a dialogue has other than one vector an utterance.
    """
    content = read_restricted_pickle(path)
    if not isinstance(content, tuple | list) or len(content) not in _FEATURES:
        found = f"{len(content)} entries" if isinstance(content, tuple | list) else f"a {type(content).__name__}"
        raise InvalidDataError(f"{path}: expected a tuple of 12 or 16 entries, found {found}.")
    ids, features = content[0], content[_FEATURES[len(content)][modality]]
    if not isinstance(ids, Mapping) or not isinstance(features, Mapping):
        raise InvalidDataError(f"{path}: expected utterance ids and {modality} features by dialogue.")
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
                    f"{path}, utterance {key}: its {modality} features are no numbers but {str(row)[:40]!r}."
                ) from None
    return vectors
