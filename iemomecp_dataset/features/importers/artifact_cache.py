"""Reads the feature caches of the IEMO-MECP artifact: ``cache/{audio,video}_features_<split>.pt``.

Each is a dictionary of vectors, keyed by ``(dialogue, turn)`` or by utterance id.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from iemomecp_dataset.errors import InvalidDataError, UnsafeFileError
from iemomecp_dataset.excerpts import excerpt
from iemomecp_dataset.features.encoders.model_loading import require_torch

__all__ = ["read_artifact_caches"]


def read_artifact_caches(paths: Sequence[Path], turns: Mapping[tuple[str, int], str]) -> dict[str, Any]:
    """Reads caches and keys their vectors by utterance id.

    Args:
        paths: The ``.pt`` files.
        turns: Utterance id by dialogue and turn.

    Returns:
        Arrays by utterance id; an entry that is not in the corpus keeps its own key.

    Raises:
        UnsafeFileError: A file references more than tensors and plain containers; nothing was run.
        InvalidDataError: A file is not a dictionary of vectors, or two entries of an utterance differ.
        MissingDependencyError: torch is not installed.
    """
    vectors: dict[str, Any] = {}
    owner: dict[str, Path] = {}
    for path in paths:
        for key, value in _load(path).items():
            name = _name(key, turns, path)
            vector = _array(value, name, path)
            if name in vectors and not np.array_equal(vectors[name], vector):
                raise InvalidDataError(
                    f"{path}: utterance {name} has another vector in {owner[name]}. The artifact would use the "
                    "last one; import only one of the two files."
                )
            vectors[name], owner[name] = vector, path
    return vectors


def _load(path: Path) -> Mapping[Any, Any]:
    require_torch()
    import torch

    # The allowlist: tensors, plain containers, and the functions that rebuild numpy arrays, whose module depends on the
    # numpy version that wrote the file.
    allowed: list[Any] = [np.ndarray, np.dtype, *{type(np.dtype(kind)) for kind in ("f2", "f4", "f8", "i4", "i8")}]
    for name, value in (("_reconstruct", np.zeros(1)), ("scalar", np.float32(1))):
        allowed += [(value.__reduce__()[0], f"numpy.{part}.multiarray.{name}") for part in ("core", "_core")]
    try:
        with torch.serialization.safe_globals(allowed):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        detail = str(error)
        if "Unsupported" in detail or "not an allowed global" in detail or "GLOBAL" in detail:
            raise UnsafeFileError(
                f"{path}: this file references more than data ({_gist(detail)}). It was refused and nothing was run. "
                "Only dictionaries of tensors or numpy arrays are accepted; fetch the file from its authors."
            ) from None
        raise InvalidDataError(f"{path}: not a readable .pt file ({_gist(detail)}). Fetch it again.") from None
    # A corrupt file can make the reader raise anything; whatever it is, this is not a file of tensors.
    except Exception as error:
        raise InvalidDataError(f"{path}: not a readable .pt file ({_gist(str(error))}). Fetch it again.") from None
    if not isinstance(content, Mapping) or not content:
        raise InvalidDataError(f"{path}: expected a dictionary of vectors, found {type(content).__name__}.")
    return content


def _gist(detail: str) -> str:
    lines = [line.strip() for line in detail.splitlines() if "GLOBAL" in line or "Unsupported" in line]
    return (lines or detail.strip().splitlines() or ["no reason given"])[0][:160]


def _name(key: Any, turns: Mapping[tuple[str, int], str], path: Path) -> str:
    if isinstance(key, str):
        return key
    if isinstance(key, tuple | list) and len(key) == 2 and isinstance(key[0], str):
        turn = int(key[1]) if isinstance(key[1], int | str) and str(key[1]).isdigit() else None
        if turn is not None:
            return turns.get((key[0], turn), f"{key[0]}, turn {turn}")
    raise InvalidDataError(f"{path}: expected keys (dialogue, turn) or utterance ids, found {excerpt(key, 60)!r}.")


def _array(value: Any, name: str, path: Path) -> Any:
    import torch

    try:
        if isinstance(value, torch.Tensor):
            return value.detach().to(torch.float64).numpy()
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, RuntimeError):
        raise InvalidDataError(f"{path}: the entry of {name} is not a vector: {type(value).__name__}.") from None
