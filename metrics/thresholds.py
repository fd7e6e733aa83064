"""The decision threshold that maximises pair F1, found exactly."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.excerpts import shown
from iemomecp_dataset.metrics.arguments.argument_checks import as_array, check_missed_positives, number_column
from iemomecp_dataset.metrics.pair_inputs import check_probabilities, clipped_probabilities
from iemomecp_dataset.metrics.scoring import precision_recall_f1

__all__ = ["best_threshold"]


def best_threshold(probabilities: ArrayLike, labels: ArrayLike, *, missed_positives: int = 0) -> tuple[float, float]:
    """Finds the threshold on class 0's probability with the largest pair F1.

    The decision is ``P(class 0) >= threshold``. It can change only at a score that occurs, so every distinct score is
    tried, in one sorted sweep; pairs with equal scores are decided together. Of thresholds with the same F1 the
    largest is taken, the one that predicts the fewest pairs.

    Choose it on validation, never on the split that is reported.

    Args:
        probabilities: ``(n, C)`` floats, checked and rescaled as ``pair_scores`` does
            (:func:`~iemomecp_dataset.metrics.pair_inputs.check_probabilities`), of which column 0 is used; or ``(n,)``
            floats, the probability of class 0, taken as they are.
        labels: ``(n,)`` ints, gold class ids; 0 is the positive class.
        missed_positives: Gold pairs that are not candidates; they count in the denominator of F1.

    Returns:
        The threshold, which is one of the (rescaled) scores, and the pair F1 there. It is the ``pair_f1`` that
        :func:`~iemomecp_dataset.metrics.scoring.pair_scores` gives for the same ``(n, C)`` at that threshold.

    Raises:
        MetricInputError: The inputs do not fit each other, are not finite probabilities, have a row that does not sum
            to one, or hold no gold pair, for which F1 is 0 at every threshold.

    Example:
        >>> best_threshold([0.9, 0.6, 0.6, 0.1], [0, 1, 0, 1])
        (0.6, 0.8)
    """
    missed_positives = check_missed_positives(missed_positives)
    scores, positive = _checked(probabilities, labels)
    order = np.argsort(-scores)
    ranked = scores[order]
    # The last position of each run of equal scores: the only places where the decision can change.
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    true_positives = np.cumsum(positive[order])[ends]
    _, _, f1 = precision_recall_f1(true_positives, ends + 1, np.asarray(positive.sum() + missed_positives))
    best = int(np.argmax(f1))  # the first of ties, hence the largest threshold
    return float(ranked[ends[best]]), float(f1[best])


def _checked(probabilities: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    gold, given = as_array(labels, "labels", "pair"), as_array(probabilities, "probabilities", "pair")
    if given.ndim == 2 and given.shape[1] >= 2:
        rows, _ = check_probabilities(given, [f"class {c}" for c in range(given.shape[1])])
        values = rows[:, 0].astype(np.float64)
    else:
        values = number_column(given, "probabilities") if given.ndim == 1 else given
    if values.ndim != 1 or gold.shape != values.shape or not len(gold):
        raise MetricInputError(
            "A threshold is searched over (n, C) or (n,) probabilities and (n,) labels with n at least 1; found shapes "
            f"{given.shape} and {gold.shape}."
        )
    if gold.dtype.kind not in "iu":
        first = shown(gold[:1].tolist()[0])
        raise MetricInputError(f"labels must be integer class ids; found dtype {gold.dtype}, first value {first}.")
    values = clipped_probabilities(values)
    positive = gold == 0
    if not positive.any():
        raise MetricInputError(
            f"None of the {len(gold)} pairs has gold class 0, so pair F1 is 0 at every threshold and none can be "
            "chosen. Give a split with gold pairs, or decide by argmax."
        )
    return values, positive
