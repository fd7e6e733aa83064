"""Checks the arrays that a plot is of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.metrics.arguments.argument_checks import as_array
from iemomecp_dataset.metrics.pair_inputs import check_pair_inputs, clipped_probabilities
from iemomecp_dataset.metrics.scoring import decide

__all__ = ["PlottedPairs", "check_has_gold", "decided_pairs", "plotted_pairs", "ranked_pairs"]

_MOST_CLASSES = 32
"""More are mistaken ids, which the check then names."""


@dataclass(frozen=True)
class PlottedPairs:
    """Checked predictions of pairs with their gold.

    Attributes:
        labels: ``(n,)`` int64 class ids.
        confidences: ``(n,)`` P(class 0), or None where hard ids were given.
        decided: ``(n,)`` int64 class ids, or None where neither a rule nor all classes are known.
        n_classes: Number of classes.
        of_pair_alone: Whether P(class 0) was given alone, so that ``decided`` is 0 or 1 with more classes, too.
    """

    labels: NDArray[np.int64]
    confidences: NDArray[np.float64] | None
    decided: NDArray[np.int64] | None
    n_classes: int
    of_pair_alone: bool = False

    @property
    def gold(self) -> NDArray[np.bool_]:
        """``(n,)`` whether a pair is a gold pair."""
        return np.equal(self.labels, 0)


def plotted_pairs(
    probabilities: ArrayLike,
    labels: ArrayLike,
    *,
    threshold: float | None = None,
    missed_positives: int = 0,
    class_names: Sequence[str] | None = None,
) -> PlottedPairs:
    """Checks predictions.

    Args:
        probabilities: ``(n, C)`` probabilities, ``(n,)`` floats P(class 0), or ``(n,)`` hard class ids.
        labels: ``(n,)`` class ids; class 0 is the positive one.
        threshold: A pair iff P(class 0) is at least this; by default the most probable class.
        missed_positives: Gold pairs that were no candidates.
        class_names: Names by id, for messages; by default their number follows from the arrays.

    Returns:
        The same as arrays.

    Raises:
        MetricInputError: Anything that cannot be drawn: other shapes or lengths, logits, NaN, unknown ids.

    Example:
        >>> pairs = plotted_pairs([0.9, 0.2], [0, 1], threshold=0.5)
        >>> pairs.decided.tolist(), pairs.gold.tolist()
        ([0, 1], [True, False])
    """
    values = as_array(probabilities, "predictions", "pair")
    gold = as_array(labels, "labels", "pair")
    if values.ndim == 2 and values.shape[1] == 1:
        raise MetricInputError(
            f"Probabilities of one column, shape {values.shape}, tell no classes apart. Give all columns, "
            "(n, C); or P(class 0) as (n,) floats, probabilities[:, 0]."
        )
    of_pair_alone = values.ndim == 1 and np.issubdtype(values.dtype, np.floating)
    names = tuple(class_names or ()) or _stand_in_names(values, gold)
    if of_pair_alone:
        confidences = clipped_probabilities(values.astype(np.float64))
        # What is no pair is one class here, whatever the labels tell apart.
        others = np.zeros((len(values), len(names) - 2))
        values = np.column_stack([confidences, 1.0 - confidences, others])
    inputs = check_pair_inputs(values, gold, names, threshold=threshold, missed_positives=missed_positives)
    if inputs.probabilities is None:
        return PlottedPairs(inputs.labels, None, inputs.hard_ids, len(names))
    checked = inputs.probabilities.astype(np.float64)
    ruled = threshold is not None or not of_pair_alone
    decisions = decide(checked, threshold) if ruled else None
    return PlottedPairs(inputs.labels, np.minimum(checked[:, 0], 1.0), decisions, len(names), of_pair_alone)


def ranked_pairs(pairs: PlottedPairs, what: str) -> NDArray[np.float64]:
    """Takes the confidences of pairs, for a plot that hard ids have no data for.

    Raises:
        MetricInputError: There are none, or no gold pair.
    """
    if pairs.confidences is None:
        raise MetricInputError(
            f"{what} needs probabilities, as it ranks pairs by them; found hard class ids. Give (n, C) probabilities "
            "or P(class 0) as (n,) floats."
        )
    check_has_gold(pairs, what)
    return pairs.confidences


def decided_pairs(pairs: PlottedPairs, what: str) -> NDArray[np.int64]:
    """Takes the decisions on pairs.

    Raises:
        MetricInputError: P(class 0) was given alone, without a threshold.
    """
    if pairs.decided is None:
        raise MetricInputError(
            f"{what} needs decisions: give a threshold beside P(class 0), (n, C) probabilities, or hard class ids."
        )
    return pairs.decided


def check_has_gold(pairs: PlottedPairs, what: str) -> None:
    """Refuses labels without a positive one.

    Raises:
        MetricInputError: No label is 0.
    """
    if not pairs.gold.any():
        raise MetricInputError(
            f"{what} needs gold pairs: none of the {len(pairs.labels)} labels is 0, the id of the positive class."
        )


def _stand_in_names(values: NDArray[Any], gold: NDArray[Any]) -> tuple[str, ...]:
    """Class names for messages: as many as there are columns, or as the ids tell."""
    ids = [found for found in (values, gold) if found.size and np.issubdtype(found.dtype, np.integer)]
    n_classes = values.shape[1] if values.ndim == 2 else 1 + max((int(found.max()) for found in ids), default=1)
    return tuple(f"class {number}" for number in range(min(max(n_classes, 2), _MOST_CLASSES)))
