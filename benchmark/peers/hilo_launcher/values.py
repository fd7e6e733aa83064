# ruff: noqa: B905  # Python 3.8, which HiLo's environment has, knows no zip(strict=...)
"""Arrays within what a loader or a module gives, each by the path that leads to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

__all__ = ["MOST_CLASSES", "leaves", "like_logits", "no_features"]

# What is kept of a step: logits and masks, not features. The longest packs have 512 tokens, hence some 60 turns.
_MOST_ELEMENTS = 1 << 20
MOST_CLASSES = 16
_WIDEST_ROW = 1024
_MOST_DEPTH = 6


def _fields(value: Any) -> list[tuple[str, Any]] | None:
    """Named or numbered parts of a container, as path suffixes; None if the value is none."""
    if isinstance(value, Mapping):
        return [(f".{key}" if isinstance(key, str) else f"[{key!r}]", part) for key, part in value.items()]
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return [(f".{name}", part) for name, part in zip(value._fields, value)]
    if isinstance(value, (list, tuple)):
        return [(f"[{number}]", part) for number, part in enumerate(value)]
    if hasattr(value, "__dict__") and not callable(value) and not isinstance(value, type):
        return [(f".{name}", part) for name, part in vars(value).items() if not name.startswith("_")]
    return None


def _is_scalar(value: Any) -> bool:
    return isinstance(value, (bool, int, float, str, np.generic))


def _are_scalars(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and bool(value) and all(map(_is_scalar, value))


def _is_tensor(value: Any) -> bool:
    return hasattr(value, "detach") and hasattr(value, "numel")


def _as_array(value: Any, wanted: Callable[[tuple[int, ...]], bool]) -> Any:
    """A numpy array of a tensor or array; None for anything else, and for what is too large to be logits or a mask."""
    if _is_tensor(value):
        shape = tuple(value.shape)
        if value.numel() > _MOST_ELEMENTS or not wanted(shape):
            return None
        tensor = value.detach()
        if str(tensor.dtype) in ("torch.float16", "torch.bfloat16"):
            tensor = tensor.float()
        return tensor.cpu().numpy().copy()
    if isinstance(value, np.ndarray) and value.size <= _MOST_ELEMENTS and value.dtype.kind in "biufUS":
        return value.copy() if wanted(value.shape) else None
    return None


def _anything(shape: tuple[int, ...]) -> bool:
    return True


def leaves(
    value: Any, path: str, wanted: Callable[[tuple[int, ...]], bool] = _anything, depth: int = 0
) -> Iterator[tuple[str, Any]]:
    """Arrays within a value, each with its path.

    A list of numbers or strings is an array; a list of such lists is kept as a list of arrays. A list of arrays is also
    given as a whole: their lengths (``path:len``) and, of floats, all of them padded with NaN (``path[:]``).

    Args:
        value: Anything that a loader or module gives.
        path: Its name.
        wanted: Whether an array of a shape is kept.
        depth: How far within the value that was asked for.

    Yields:
        Path and numpy array, or list of arrays.

    >>> [path for path, _ in leaves({"ids": [1, 2], "more": (np.zeros(2), [[1], [2, 3]])}, "batch")]
    ['batch.ids', 'batch.more[0]', 'batch.more[1]']
    """
    array = _as_array(value, wanted)
    if array is not None:
        yield path, array
    elif _is_scalar(value) or _are_scalars(value):
        if wanted(np.shape(value)):
            yield path, np.array(value)
    elif isinstance(value, (list, tuple)) and value and all(map(_are_scalars, value)):
        yield path, [np.array(part) for part in value]
    elif depth < _MOST_DEPTH and not _is_tensor(value):
        for suffix, part in _fields(value) or []:
            yield from leaves(part, path + suffix, wanted, depth + 1)
        if isinstance(value, (list, tuple)) and value:
            yield from _as_a_whole(value, path, wanted)


def _as_a_whole(
    value: Sequence[Any], path: str, wanted: Callable[[tuple[int, ...]], bool]
) -> Iterator[tuple[str, Any]]:
    """A list with one array per dialogue or per row, or with one list of lists per row."""
    if all(isinstance(part, (list, tuple)) and part and all(map(_are_scalars, part)) for part in value):
        yield f"{path}:len", [np.array([len(inner) for inner in part]) for part in value]
    arrays = [_as_array(part, wanted) for part in value]
    if any(array is None or array.ndim == 0 or array.ndim != arrays[0].ndim for array in arrays):
        return
    yield f"{path}:len", np.array([len(array) for array in arrays])
    shape = tuple(np.max([array.shape for array in arrays], axis=0))
    if all(array.dtype.kind == "f" for array in arrays) and len(arrays) * np.prod(shape) <= _MOST_ELEMENTS:
        whole = np.full((len(arrays), *shape), np.nan, dtype=arrays[0].dtype)
        for number, array in enumerate(arrays):
            place: Any = (number, *(slice(size) for size in array.shape))
            whole[place] = array
        yield f"{path}[:]", whole


def like_logits(shape: tuple[int, ...]) -> bool:
    """Whether an array within a model may be logits: few classes, or squares of two classes."""
    if len(shape) < 2:
        return False
    return shape[-1] <= MOST_CLASSES or (shape[-1] == shape[-2] and 2 in shape[:-2])


def no_features(shape: tuple[int, ...]) -> bool:
    """Whether an array of a batch may say where dialogues are; rows of features are wider than a pack has tokens."""
    return not shape or shape[-1] <= _WIDEST_ROW
