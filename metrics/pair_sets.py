"""Sets of emotion-cause pairs, for definitions of Pair F1 that compare what was found with all that is gold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from iemomecp_dataset.errors import MetricInputError

__all__ = ["PairSet", "pair_set"]


@dataclass(frozen=True)
class PairSet:
    """Pairs, each once. Build it with :func:`pair_set`, which checks.

    Attributes:
        dialogue_ids: ``(n,)`` str.
        target_turns: ``(n,)`` int64.
        cause_turns: ``(n,)`` int64.
        emotions: ``(n,)`` str, the emotion of the target as the system (or the gold) says it; ``None`` where pairs
            carry none.
    """

    dialogue_ids: NDArray[np.str_]
    target_turns: NDArray[np.int64]
    cause_turns: NDArray[np.int64]
    emotions: NDArray[np.str_] | None = None

    def __len__(self) -> int:
        return len(self.target_turns)

    def where(self, kept: NDArray[np.bool_] | NDArray[np.intp]) -> PairSet:
        """The subset of pairs.

        Args:
            kept: ``(n,)`` bool, or the positions of the pairs to keep.

        Returns:
            Those pairs.
        """
        return PairSet(
            self.dialogue_ids[kept],
            self.target_turns[kept],
            self.cause_turns[kept],
            None if self.emotions is None else self.emotions[kept],
        )


def pair_set(
    dialogue_ids: ArrayLike, target_turns: ArrayLike, cause_turns: ArrayLike, emotions: ArrayLike | None = None
) -> PairSet:
    """Checks and holds pairs.

    Args:
        dialogue_ids: ``(n,)`` str; ``n`` may be 0.
        target_turns: ``(n,)`` ints.
        cause_turns: ``(n,)`` ints.
        emotions: ``(n,)`` str, or nothing.

    Returns:
        The set.

    Raises:
        MetricInputError: Arrays of other lengths or types, or a pair that is given twice (the same pair with two
            emotions are two claims and allowed).

    Example:
        >>> len(pair_set(["d", "d"], [1, 2], [1, 1]))
        2
    """
    dialogues = np.asarray(dialogue_ids, dtype=np.str_)
    columns: dict[str, NDArray[Any]] = {
        "target_turns": np.asarray(target_turns),
        "cause_turns": np.asarray(cause_turns),
    }
    if emotions is not None:
        columns["emotions"] = np.asarray(emotions, dtype=np.str_)
    for name, values in columns.items():
        if dialogues.ndim != 1 or values.shape != dialogues.shape:
            raise MetricInputError(
                f"{name} must have one entry a pair, as dialogue_ids has; found shapes {values.shape} and "
                f"{dialogues.shape}."
            )
        if name != "emotions":
            if len(values) and not np.issubdtype(values.dtype, np.integer):
                raise MetricInputError(f"{name} must be integers; found dtype {values.dtype}.")
            columns[name] = values.astype(np.int64)
    pairs = PairSet(dialogues, columns["target_turns"], columns["cause_turns"], columns.get("emotions"))
    order = np.lexsort(
        (pairs.cause_turns, pairs.target_turns, *([] if pairs.emotions is None else [pairs.emotions]), dialogues)
    )
    sorted_pairs = pairs.where(order)
    same = np.ones(max(len(pairs) - 1, 0), dtype=np.bool_)
    keys: list[NDArray[Any]] = [sorted_pairs.dialogue_ids, sorted_pairs.target_turns, sorted_pairs.cause_turns]
    if sorted_pairs.emotions is not None:
        keys.append(sorted_pairs.emotions)
    for values in keys:
        same &= values[1:] == values[:-1]
    if same.any():
        where = int(order[int(np.flatnonzero(same)[0])])
        raise MetricInputError(
            f"Pair (dialogue {dialogues[where]}, target {pairs.target_turns[where]}, cause {pairs.cause_turns[where]}) "
            f"is given more than once; {int(same.sum())} repetitions in all. Give each pair once."
        )
    return pairs
