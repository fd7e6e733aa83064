"""Where gold contexts go: found, taken for causes, or missed."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.schema import ROLE_LABELS

__all__ = ["context_error_directions"]


def context_error_directions(confusion: ArrayLike) -> dict[str, float]:
    """Directions of the errors on gold ``emo_context`` (arXiv 2605.25208).

    Args:
        confusion: ``(3, 3)`` ints, rows gold, columns predicted, in the order of the three roles.

    Returns:
        Shares of gold contexts: ``context_hit_rate``, ``context_as_cause_rate``, ``context_as_non_pair_rate``, and
        ``context_collapse_rate = 1 - hit``; and shares of the missed ones only:
        ``missed_context_to_cause_share``, ``missed_context_to_non_pair_share``. NaN where the denominator is 0:
        without gold contexts all of them, without missed ones the last two.

    Raises:
        MetricInputError: The matrix is not 3 x 3 counts.

    Example:
        >>> rates = context_error_directions([[5, 1, 4], [1, 2, 5], [0, 0, 9]])
        >>> rates["context_hit_rate"], rates["context_as_cause_rate"], round(rates["missed_context_to_cause_share"], 4)
        (0.25, 0.125, 0.1667)
    """
    matrix = np.asarray(confusion)
    if matrix.shape != (len(ROLE_LABELS), len(ROLE_LABELS)) or matrix.min() < 0:
        raise MetricInputError(
            f"Context errors need a 3 x 3 confusion matrix of counts, rows gold; found shape {matrix.shape}."
        )
    to_cause, hit, to_non_pair = (float(count) for count in matrix[ROLE_LABELS.index("emo_context")])
    gold, missed = to_cause + hit + to_non_pair, to_cause + to_non_pair
    nan = float("nan")
    return {
        "context_hit_rate": hit / gold if gold else nan,
        "context_as_cause_rate": to_cause / gold if gold else nan,
        "context_as_non_pair_rate": to_non_pair / gold if gold else nan,
        "context_collapse_rate": 1 - hit / gold if gold else nan,
        "missed_context_to_cause_share": to_cause / missed if missed else nan,
        "missed_context_to_non_pair_share": to_non_pair / missed if missed else nan,
    }
