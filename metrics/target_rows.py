"""Pairs grouped by their target: the rows of a dialogue's pair matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from iemomecp_dataset.errors import MetricInputError

__all__ = ["rows_by_confidence"]


def rows_by_confidence(
    confidences: ArrayLike, positive: ArrayLike, dialogue_ids: ArrayLike, target_turns: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.int64]]:
    """Sorts pairs by row (dialogue, target), within a row from the most confident down.

    Equal confidences put negatives first: a constant score earns nothing.

    Args:
        confidences: ``(n,)`` floats, probability of class 0.
        positive: ``(n,)`` bool, is the pair gold.
        dialogue_ids: ``(n,)`` str.
        target_turns: ``(n,)`` ints.

    Returns:
        Confidences, gold flags and row numbers (0, 1, 2, ...), all sorted.

    Raises:
        MetricInputError: Arrays of other lengths, no pairs, or confidences that are not finite.

    Example:
        >>> confidence, gold, row = rows_by_confidence([0.1, 0.5, 0.5], [False, True, False], ["d"] * 3, [1, 1, 1])
        >>> confidence.tolist(), gold.tolist()
        ([0.5, 0.5, 0.1], [False, True, False])
    """
    p, y = np.asarray(confidences, dtype=np.float64), np.asarray(positive)
    dialogues, targets = np.asarray(dialogue_ids), np.asarray(target_turns)
    arrays: dict[str, NDArray[Any]] = {"positive": y, "dialogue_ids": dialogues, "target_turns": targets}
    for name, values in arrays.items():
        if p.ndim != 1 or values.shape != p.shape or not len(p):
            raise MetricInputError(
                f"confidences and {name} need one entry a pair, at least one pair; found shapes {p.shape} and "
                f"{values.shape}."
            )
    if y.dtype != np.bool_:
        raise MetricInputError(f"positive must be booleans (labels == 0); found dtype {y.dtype}.")
    if not np.isfinite(p).all():
        where = int(np.flatnonzero(~np.isfinite(p))[0])
        raise MetricInputError(f"The confidence of pair {where} is {p[where]}; expected a finite number.")
    _, dialogue = np.unique(dialogues, return_inverse=True)
    order = np.lexsort((y, -p, targets, dialogue))
    dialogue, targets = dialogue[order], targets[order]
    new_row = (np.diff(dialogue, prepend=-1) != 0) | (np.diff(targets, prepend=-1) != 0)
    return p[order], y[order], np.cumsum(new_row) - 1
