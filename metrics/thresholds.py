"""Rules that choose the decision threshold from probabilities and gold.

:func:`best_threshold` maximises pair F1 on the split, exactly. With few dialogues its optimum follows single pairs; the
two others smooth it: :func:`bagged_threshold` is the mean of the optima of resampled dialogues, and
:func:`expected_f1_threshold` maximises the F1 that is expected under calibrated probabilities. To choose on several
sets of predictions together (validation and out-of-fold ones), give their concatenation.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from iemomecp_dataset.errors import MetricInputError, require_packages
from iemomecp_dataset.excerpts import shown
from iemomecp_dataset.metrics.arguments.argument_checks import (
    as_array,
    check_count,
    check_missed_positives,
    number_column,
)
from iemomecp_dataset.metrics.pair_inputs import check_probabilities, clipped_probabilities
from iemomecp_dataset.metrics.scoring import precision_recall_f1
from iemomecp_dataset.options import ThresholdRule

__all__ = [
    "THRESHOLD_RULES",
    "Calibration",
    "bagged_threshold",
    "best_threshold",
    "expected_f1_threshold",
    "threshold_by_rule",
]

THRESHOLD_RULES: tuple[ThresholdRule, ...] = get_args(ThresholdRule)
"""Names of the rules."""

Calibration = Literal["platt", "isotonic", "none"]
_SMALLEST = 1e-7
"""Probabilities are kept so far from 0 and 1 before their logits are computed."""


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
    ends = _ends(ranked)
    true_positives = np.cumsum(positive[order])[ends]
    _, _, f1 = precision_recall_f1(true_positives, ends + 1, np.asarray(positive.sum() + missed_positives))
    best = int(np.argmax(f1))  # the first of ties, hence the largest threshold
    return float(ranked[ends[best]]), float(f1[best])


def threshold_by_rule(
    rule: ThresholdRule,
    probabilities: ArrayLike,
    labels: ArrayLike,
    dialogue_ids: ArrayLike,
    *,
    missed_positives: int = 0,
) -> float:
    """Chooses the threshold by the rule of a name.

    Args:
        rule: ``best``: :func:`best_threshold`; ``bagged``: :func:`bagged_threshold`; ``expected_f1``:
            :func:`expected_f1_threshold`; ``expected_f1_uncalibrated``: the same of the probabilities as they are, for
            models that are calibrated by themselves (trained without class weights).
        probabilities: ``(n, C)`` floats, or ``(n,)`` of class 0.
        labels: ``(n,)`` ints, gold class ids.
        dialogue_ids: ``(n,)``, the dialogue of each pair; ``bagged`` alone reads them.
        missed_positives: Gold pairs that are not candidates.

    Returns:
        The threshold.

    Raises:
        MetricInputError: The inputs cannot be used, see :func:`best_threshold`; or there is no such rule.

    Example:
        >>> threshold_by_rule("best", [0.9, 0.6, 0.6, 0.1], [0, 1, 0, 1], ["a", "a", "b", "b"])
        0.6
    """
    if rule == "bagged":
        return bagged_threshold(probabilities, labels, dialogue_ids, missed_positives=missed_positives)
    if rule in ("expected_f1", "expected_f1_uncalibrated"):
        how: Calibration = "platt" if rule == "expected_f1" else "none"
        return expected_f1_threshold(probabilities, labels, missed_positives=missed_positives, calibration=how)
    if rule != "best":
        raise MetricInputError(f"There is no threshold rule {shown(rule)}. Choose one of {', '.join(THRESHOLD_RULES)}.")
    return best_threshold(probabilities, labels, missed_positives=missed_positives)[0]


def bagged_threshold(
    probabilities: ArrayLike,
    labels: ArrayLike,
    dialogue_ids: ArrayLike,
    *,
    missed_positives: int = 0,
    resamples: int = 200,
    seed: int = 0,
) -> float:
    """Averages the best thresholds of resampled dialogues (bagging; Breiman, 1996).

    The best threshold of one sample jumps where F1 is flat: a few pairs move it far. Its mean over bootstrap samples of
    whole dialogues moves less. Samples without a gold pair are left out.

    Args:
        probabilities: As :func:`best_threshold` takes them.
        labels: ``(n,)`` ints, gold class ids.
        dialogue_ids: ``(n,)``, the dialogue of each pair: dialogues are drawn with replacement, and all their pairs
            with them.
        missed_positives: Gold pairs that are not candidates; they count in every sample, as no dialogue is known of
            them.
        resamples: Number of samples.
        seed: Of the drawing: the same inputs give the same threshold.

    Returns:
        The threshold; it need not be one of the scores.

    Raises:
        MetricInputError: The inputs cannot be used, as there; or ``dialogue_ids`` has another length.

    Example:
        >>> scores, labels = [0.9, 0.6, 0.4, 0.1] * 2, [0, 0, 1, 1] * 2
        >>> bagged_threshold(scores, labels, ["a"] * 4 + ["b"] * 4)  # every sample has the same optimum
        0.6
    """
    missed_positives = check_missed_positives(missed_positives)
    resamples = check_count(resamples, "resamples", "a number of samples", smallest=1)
    scores, positive = _checked(probabilities, labels)
    ids = as_array(dialogue_ids, "dialogue_ids", "pair")
    if ids.shape != scores.shape:
        raise MetricInputError(
            f"dialogue_ids has {ids.size} entries for {len(scores)} pairs; give the dialogue of each pair."
        )
    names, of_pair = np.unique(ids, return_inverse=True)
    order = np.argsort(-scores, kind="stable")
    ranked, gold, of_pair = scores[order], positive[order], of_pair.reshape(-1)[order]
    ends = _ends(ranked)
    generator = np.random.default_rng(seed)
    found = []
    for _ in range(resamples):
        times = np.bincount(generator.integers(len(names), size=len(names)), minlength=len(names))[of_pair]
        n_gold = int((times * gold).sum())
        if not n_gold:
            continue
        predicted = np.cumsum(times)[ends]
        # Where a sample has none of the pairs above a score, nothing is predicted there, and F1 is 0.
        _, _, f1 = precision_recall_f1(np.cumsum(times * gold)[ends], predicted, np.asarray(n_gold + missed_positives))
        found.append(ranked[ends[int(np.argmax(f1))]])
    if not found:
        return best_threshold(scores, np.where(positive, 0, 1), missed_positives=missed_positives)[0]
    # The mean of equal numbers may end one rounding beside them.
    return float(found[0]) if len(set(found)) == 1 else float(np.mean(found))


def expected_f1_threshold(
    probabilities: ArrayLike,
    labels: ArrayLike,
    *,
    missed_positives: int = 0,
    calibration: Calibration = "platt",
) -> float:
    r"""Maximises the F1 that is expected where probabilities are calibrated on the split (the plug-in rule).

    With calibrated probabilities :math:`q` the threshold maximises the ratio of expectations

    .. math:: \frac{2 \sum_{i : p_i \ge t} q_i}{|\{i : p_i \ge t\}| + \sum_i q_i + m}

    with :math:`m` missed positives; it is where :math:`q` is half of that maximum (Lipton, Elkan and Narayanaswamy,
    2014, arXiv 1402.1892). The gold enters by the calibration alone: two numbers with ``platt`` (a logistic regression
    on the logit of :math:`p`; Platt, 1999). With ``isotonic`` the rule is :func:`best_threshold` but for ties: the best
    F1 of a split is always reached at the end of a block of its isotonic regression.

    Args:
        probabilities: As :func:`best_threshold` takes them.
        labels: ``(n,)`` ints, gold class ids.
        missed_positives: Gold pairs that are not candidates.
        calibration: ``platt``, ``isotonic``, or ``none``: the probabilities are taken as calibrated.

    Returns:
        The threshold, which is one of the scores.

    Raises:
        MetricInputError: The inputs cannot be used, as there.
        MissingDependencyError: scikit-learn, which calibrates, is not installed.

    Example:
        >>> expected_f1_threshold([0.9, 0.5, 0.3, 0.1], [0, 0, 1, 1], calibration="none")
        0.5
    """
    missed_positives = check_missed_positives(missed_positives)
    scores, positive = _checked(probabilities, labels)
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    calibrated = _calibrated(ranked, positive[order], calibration)
    ends = _ends(ranked)
    # Ratios of expectations, and no counts, so that `precision_recall_f1` does not serve.
    expected = 2 * np.cumsum(calibrated)[ends] / (ends + 1 + calibrated.sum() + missed_positives)
    return float(ranked[ends[int(np.argmax(expected))]])


def _calibrated(scores: NDArray[np.float64], positive: NDArray[np.bool_], how: str) -> NDArray[np.float64]:
    """Probabilities of the positive class, fitted to the gold of the same pairs."""
    if how == "none" or positive.all():
        return scores
    require_packages("sklearn", extra="report")
    if how == "isotonic":
        from sklearn.isotonic import IsotonicRegression

        fitted: NDArray[np.float64] = IsotonicRegression(out_of_bounds="clip").fit_transform(scores, positive)
        return fitted
    from sklearn.linear_model import LogisticRegression

    kept = np.clip(scores, _SMALLEST, 1 - _SMALLEST)
    logits = np.log(kept / (1 - kept))[:, None]
    chances: NDArray[np.float64] = LogisticRegression(C=1e6).fit(logits, positive).predict_proba(logits)[:, 1]
    return chances


def _ends(ranked: NDArray[np.float64]) -> NDArray[np.int64]:
    """The last position of each run of equal scores: the only places where the decision can change."""
    ends: NDArray[np.int64] = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    return ends


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
