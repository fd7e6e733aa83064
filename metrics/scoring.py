"""Scores of emotion-cause pairs as plain functions of arrays, without ``evaluate`` and torch.

A pair is a candidate (target utterance, cause utterance) of a dialogue. Class 0 is the positive one: ``emo_cause`` in
``3class``, ``pair`` elsewhere. Definitions follow arXiv 2605.25208 and its published tables; average precision is ours,
as those tables have none.

:func:`pair_scores` is the entry. The other functions are its parts, which other modules share: decisions, confusion
matrix, average precision, precision, recall and F1 from counts, and mean and standard deviation over seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.metrics.arguments.argument_checks import as_array, check_missed_positives
from iemomecp_dataset.metrics.pair_inputs import PairInputs, check_class_names, check_pair_inputs
from iemomecp_dataset.schema import ROLE_LABELS

__all__ = [
    "PairScores",
    "average_precision",
    "confusion_matrix",
    "decide",
    "decide_by_fold",
    "decided",
    "mean_and_sd",
    "pair_scores",
    "precision_recall_f1",
    "ratio",
    "scores_from_confusion",
    "scores_of_decisions",
]

PairScores: TypeAlias = dict[str, Any]
"""Scores by name, as :func:`pair_scores` lists them: floats, but counts are ints, ``confusion_matrix`` is a list of
lists of ints, and ``undefined`` has the reason of each NaN. Names of classes are part of its keys, which a TypedDict
cannot express."""


def pair_scores(
    probabilities: ArrayLike,
    labels: ArrayLike,
    class_names: Sequence[str],
    *,
    threshold: float | None = None,
    missed_positives: int = 0,
) -> PairScores:
    """Scores pair classification on a list of candidates.

    Precision, recall and F1 are of each class against the rest (:func:`precision_recall_f1`), 0 where a denominator is
    0, as in the published tables. ``*_auprc`` is the average precision of the class's probability against the rest
    (:func:`average_precision`).

    Args:
        probabilities: ``(n, C)`` floats, one row per pair, each summing to one up to rounding
            (:func:`check_probabilities`); or ``(n,)`` ints, hard class ids, not truth values.
        labels: ``(n,)`` ints, gold class ids, not truth values.
        class_names: Names of the ``C`` classes by id; class 0 is the positive one.
        threshold: A pair is predicted as class 0 iff its probability is at least this, else as the most probable of
            the other classes. ``None``: the most probable class (the lower id in a tie).
        missed_positives: Gold pairs of class 0 that are not candidates, hence never retrieved. They count in class 0's
            support, and so in the denominators of its recall, F1 and average precision, and in its weight in
            ``weighted_f1``. Accuracy and the confusion matrix are of candidates only.

    Returns:
        Plain floats, ints and lists. ``pair_f1, pair_precision, pair_recall, pair_auprc`` (class 0), ``macro_f1,
        macro_precision, macro_recall, macro_auprc``, ``weighted_f1`` (by support), ``accuracy``, for each class
        ``<class>_f1, <class>_precision, <class>_recall, <class>_auprc, <class>_support``, ``n_pairs``,
        ``confusion_matrix`` (rows gold, columns predicted); for the three roles also ``context_as_cause_rate`` and
        ``context_as_non_pair_rate``; ``missed_positives`` where there are any; and ``undefined``, which gives a
        reason for each key whose value is NaN. A class without gold pairs has NaN average precision and is
        left out of the macro mean; its reason gives the number of classes that remain.

    Raises:
        MetricInputError: The inputs cannot be scored; the message gives the reason.

    Example:
        >>> scores = pair_scores([[0.7, 0.3], [0.4, 0.6], [0.2, 0.8]], [0, 0, 1], ["pair", "non_pair"])
        >>> scores["confusion_matrix"], round(scores["pair_f1"], 4), scores["pair_auprc"]
        ([[1, 1], [0, 1]], 0.6667, 1.0)
        >>> pair_scores([[0.7, 0.3], [0.4, 0.6], [0.2, 0.8]], [0, 0, 1], ["pair", "non_pair"], threshold=0.4)["pair_f1"]
        1.0
    """
    inputs = check_pair_inputs(
        probabilities, labels, class_names, threshold=threshold, missed_positives=missed_positives
    )
    confusion = confusion_matrix(inputs.labels, decided(inputs, inputs.threshold), len(inputs.class_names))
    auprc, hard = _auprc_per_class(inputs), inputs.probabilities is None
    return _keyed_scores(confusion, inputs.class_names, inputs.missed_positives, auprc, hard=hard)


def scores_of_decisions(
    probabilities: NDArray[np.floating[Any]],
    decisions: NDArray[np.int64],
    labels: ArrayLike,
    class_names: Sequence[str],
    *,
    missed_positives: int = 0,
) -> PairScores:
    """Scores decisions that follow from no single threshold; the probabilities only rank.

    Args:
        probabilities: ``(n, C)`` floats.
        decisions: ``(n,)`` class ids.
        labels: As in :func:`pair_scores`, and so are the others.
        class_names: As there.
        missed_positives: As there.

    Returns:
        The keys of :func:`pair_scores`, average precision of the probabilities.

    Raises:
        MetricInputError: As there.

    Example:
        >>> scores = scores_of_decisions(np.array([[0.3, 0.7], [0.4, 0.6]]), np.array([0, 1]), [0, 1], ["pair", "non"])
        >>> scores["pair_f1"], scores["pair_auprc"]
        (1.0, 0.5)
    """
    scores = pair_scores(decisions, labels, class_names, missed_positives=missed_positives)
    ranked = pair_scores(probabilities, labels, class_names, missed_positives=missed_positives)
    reasons = {key: why for key, why in scores["undefined"].items() if not key.endswith("_auprc")}
    reasons |= {key: why for key, why in ranked["undefined"].items() if key.endswith("_auprc")}
    scores |= {key: value for key, value in ranked.items() if key.endswith("_auprc")}
    return scores | {"undefined": reasons}


def scores_from_confusion(confusion: ArrayLike, class_names: Sequence[str], *, missed_positives: int = 0) -> PairScores:
    """Scores a confusion matrix, for results of which nothing else is left.

    Args:
        confusion: ``(C, C)`` ints, rows gold, columns predicted.
        class_names: Names of the classes by id.
        missed_positives: As in :func:`pair_scores`.

    Returns:
        The keys of :func:`pair_scores`; average precision is NaN.

    Raises:
        MetricInputError: The matrix does not hold counts, or counts no pairs.

    Example:
        >>> scores_from_confusion([[1, 1], [0, 1]], ["pair", "non_pair"])["accuracy"]
        0.6666666666666666
    """
    names = check_class_names(class_names)
    matrix = as_array(confusion, "counts", "class")
    if matrix.shape != (len(names), len(names)) or matrix.dtype.kind not in "iu" or matrix.min() < 0:
        raise MetricInputError(
            f"A confusion matrix of {len(names)} classes is {len(names)} x {len(names)} counts of 0 or more; found "
            f"shape {matrix.shape}, dtype {matrix.dtype}."
        )
    if not matrix.sum():
        raise MetricInputError("The confusion matrix counts no pairs: there is nothing to score.")
    missed_positives = check_missed_positives(missed_positives)
    return _keyed_scores(matrix.astype(np.int64), names, missed_positives, None, hard=True)


def decide(probabilities: NDArray[np.floating[Any]], threshold: float | None = None) -> NDArray[np.int64]:
    """Turns probabilities into class ids.

    Args:
        probabilities: ``(n, C)`` floats.
        threshold: Class 0 iff its probability is at least this, else the most probable of the other classes.
            ``None``: the most probable class. The lower id wins a tie.

    Returns:
        ``(n,)`` class ids.

    Example:
        >>> decide(np.array([[0.4, 0.35, 0.25], [0.1, 0.2, 0.7]]), threshold=0.5).tolist()
        [1, 2]
    """
    if threshold is None:
        return _first_largest(probabilities, 0)
    return np.where(probabilities[:, 0] >= threshold, 0, _first_largest(probabilities, 1))


def decide_by_fold(
    probabilities: NDArray[np.floating[Any]], thresholds: NDArray[np.floating[Any]]
) -> NDArray[np.int64]:
    """Turns probabilities into class ids where each pair has the threshold of its fold.

    Args:
        probabilities: ``(n, C)`` floats.
        thresholds: ``(n,)`` floats; NaN for the most probable class.

    Returns:
        ``(n,)`` class ids.

    Example:
        >>> decide_by_fold(np.array([[0.4, 0.6], [0.4, 0.6], [0.6, 0.4]]), np.array([0.3, 0.5, np.nan])).tolist()
        [0, 1, 0]
    """
    by_threshold = np.where(probabilities[:, 0] >= thresholds, 0, _first_largest(probabilities, 1))
    return np.where(np.isnan(thresholds), decide(probabilities), by_threshold)


def decided(inputs: PairInputs, threshold: float | None = None) -> NDArray[np.int64]:
    """Takes the decision on checked inputs.

    Args:
        inputs: From :func:`check_pair_inputs`.
        threshold: As in :func:`decide`.

    Returns:
        ``(n,)`` class ids.
    """
    if inputs.hard_ids is not None:
        return inputs.hard_ids
    assert inputs.probabilities is not None  # one of the two is there, by construction
    return decide(inputs.probabilities, threshold)


def confusion_matrix(labels: NDArray[np.int64], predicted: NDArray[np.int64], n_classes: int) -> NDArray[np.int64]:
    """Counts pairs by gold and predicted class.

    Args:
        labels: ``(n,)`` ints, gold class ids.
        predicted: ``(n,)`` ints, predicted class ids; ``(S, n)`` for the counts over several runs together.
        n_classes: ``C``.

    Returns:
        ``(C, C)`` counts, rows gold, columns predicted.

    Example:
        >>> confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
        [[1, 1], [0, 1]]
    """
    cells = np.ravel(labels * n_classes + predicted)
    return np.bincount(cells, minlength=n_classes**2).reshape(n_classes, n_classes)


def average_precision(
    scores: NDArray[np.floating[Any]], positive: NDArray[np.bool_], *, missed_positives: int = 0
) -> float:
    r"""Computes average precision, the step-wise sum over distinct scores with equal scores taken together.

    .. math:: AP = \sum_k (R_k - R_{k-1}) P_k

    over the distinct scores from the largest down, where :math:`P_k` and :math:`R_k` are precision and recall of
    "score >= k-th distinct score".

    Args:
        scores: ``(n,)`` floats, larger means more positive.
        positive: ``(n,)`` bool, the gold.
        missed_positives: Positives that have no score; they are never retrieved and count in recall.

    Returns:
        The average precision, NaN without positives.

    Example:
        >>> average_precision(np.array([0.9, 0.5, 0.5, 0.1]), np.array([True, True, False, False]))
        0.8333333333333333
    """
    retrievable = scores[positive]
    total = len(retrievable) + missed_positives
    if not total:
        return float("nan")
    if not len(retrievable):
        return 0.0
    # Precision matters only where recall rises, that is at the distinct scores of positives: two plain sorts and a
    # merge, several times faster than ranking all pairs by one argsort.
    retrievable = np.sort(retrievable)
    negatives = np.sort(scores[~positive])
    first = np.flatnonzero(np.concatenate(([True], retrievable[1:] != retrievable[:-1])))
    true_positives = len(retrievable) - first
    false_positives = len(negatives) - np.searchsorted(negatives, retrievable[first], side="left")
    group_sizes = np.diff(first, append=len(retrievable))
    return float(np.sum(group_sizes * (true_positives / (true_positives + false_positives))) / total)


@overload
def precision_recall_f1(true_positives: int, n_predicted: int, n_gold: int) -> tuple[float, float, float]: ...
@overload
def precision_recall_f1(
    true_positives: NDArray[Any], n_predicted: NDArray[Any], n_gold: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]: ...
def precision_recall_f1(true_positives: Any, n_predicted: Any, n_gold: Any) -> tuple[Any, Any, Any]:
    r"""Computes precision, recall and F1 of retrieved sets; 0 where a denominator is 0.

    .. math:: P = \frac{tp}{predicted}, \quad R = \frac{tp}{gold}, \quad F_1 = \frac{2\,tp}{predicted + gold}

    Args:
        true_positives: Sizes of the intersections: a number, or an array of any shape.
        n_predicted: Sizes of the predicted sets, of the same shape.
        n_gold: Sizes of the gold sets, of the same shape.

    Returns:
        The three scores, each of that shape.

    Example:
        >>> precision_recall_f1(1, 2, 4)
        (0.5, 0.25, 0.3333333333333333)
        >>> [part.tolist() for part in precision_recall_f1(np.array([1, 0]), np.array([2, 0]), np.array([2, 0]))]
        [[0.5, 0.0], [0.5, 0.0], [0.5, 0.0]]
    """
    scores = (
        ratio(true_positives, n_predicted),
        ratio(true_positives, n_gold),
        ratio(2 * true_positives, n_predicted + n_gold),
    )
    return tuple(map(float, scores)) if isinstance(true_positives, int) else scores  # type: ignore[return-value]


def ratio(numerator: ArrayLike, denominator: ArrayLike) -> NDArray[np.float64]:
    """Divides counts; 0 where the denominator is 0.

    Args:
        numerator: Numbers of 0 or more.
        denominator: Numbers of 0 or more, of a shape that broadcasts with the other.

    Returns:
        The ratios.

    Example:
        >>> ratio([1, 0], [2, 0]).tolist()
        [0.5, 0.0]
    """
    below = np.asarray(denominator)
    out = np.zeros(np.broadcast_shapes(np.shape(numerator), below.shape))
    return np.asarray(np.divide(numerator, below, out=out, where=below > 0))


def mean_and_sd(values: ArrayLike, *, ddof: int = 1) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Averages runs that differ in their seed alone.

    Args:
        values: ``(S, ...)`` numbers, one entry per run along the first axis.
        ddof: What is subtracted from ``S`` in the denominator of the variance: 1 estimates the spread of runs, 0
            describes these runs.

    Returns:
        Mean and standard deviation, each ``(...)``. NaN as soon as one run is NaN, so that no mean is of fewer runs
        than are given; the deviation is NaN where ``S <= ddof``.

    Example:
        >>> mean, sd = mean_and_sd([[0.5, 0.1], [0.7, 0.1]])
        >>> mean.round(3).tolist(), sd.round(3).tolist()
        ([0.6, 0.1], [0.141, 0.0])
    """
    runs = np.asarray(values, dtype=np.float64)
    undefined = np.full(runs.shape[1:], np.nan)
    return (
        np.asarray(runs.mean(axis=0)) if len(runs) else undefined,
        np.asarray(runs.std(axis=0, ddof=ddof)) if len(runs) > ddof else undefined,
    )


def _keyed_scores(
    confusion: NDArray[np.int64],
    names: tuple[str, ...],
    missed_positives: int,
    auprc: NDArray[np.float64] | None,
    *,
    hard: bool,
) -> dict[str, Any]:
    support = confusion.sum(axis=1)
    support[0] += missed_positives
    precision, recall, f1 = precision_recall_f1(np.diagonal(confusion), confusion.sum(axis=0), support)
    undefined: dict[str, str] = {}
    if auprc is None:
        auprc = np.full(len(names), np.nan)
    defined = ~np.isnan(auprc)
    for c in np.flatnonzero(~defined).tolist():
        undefined[f"{names[c]}_auprc"] = (
            "hard class ids have no ranking"
            if hard
            else f"no gold pairs of class {names[c]}; "
            f"macro_auprc is the mean of the other {defined.sum()} of {len(names)} classes"
        )
    if f"{names[0]}_auprc" in undefined:
        undefined["pair_auprc"] = undefined[f"{names[0]}_auprc"]
    if not defined.any():
        undefined["macro_auprc"] = "no class has an average precision"

    scores: dict[str, Any] = {
        "pair_f1": float(f1[0]),
        "pair_precision": float(precision[0]),
        "pair_recall": float(recall[0]),
        "pair_auprc": float(auprc[0]),
        "macro_f1": float(f1.mean()),
        "macro_precision": float(precision.mean()),
        "macro_recall": float(recall.mean()),
        "macro_auprc": float(auprc[defined].mean()) if defined.any() else float("nan"),
        "weighted_f1": float(f1 @ support / support.sum()),
        "accuracy": float(np.trace(confusion) / confusion.sum()),
    }
    for c, name in enumerate(names):
        scores[f"{name}_f1"] = float(f1[c])
        scores[f"{name}_precision"] = float(precision[c])
        scores[f"{name}_recall"] = float(recall[c])
        scores[f"{name}_auprc"] = float(auprc[c])
        scores[f"{name}_support"] = int(support[c])
    scores["n_pairs"] = int(confusion.sum())
    scores["confusion_matrix"] = confusion.tolist()
    if names == ROLE_LABELS:
        cause, context, non_pair = (ROLE_LABELS.index(name) for name in ("emo_cause", "emo_context", "non_pair"))
        for key, predicted in (("context_as_cause_rate", cause), ("context_as_non_pair_rate", non_pair)):
            if support[context]:
                scores[key] = float(confusion[context, predicted] / support[context])
            else:
                scores[key] = float("nan")
                undefined[key] = "no gold pairs of class emo_context"
    if missed_positives:
        scores["missed_positives"] = int(missed_positives)
    scores["undefined"] = undefined
    return scores


def _auprc_per_class(inputs: PairInputs) -> NDArray[np.float64] | None:
    if inputs.probabilities is None:
        return None
    # A class's column is strided; contiguous copies sort faster and keep the peak at one column.
    return np.array(
        [
            average_precision(
                np.ascontiguousarray(inputs.probabilities[:, c]),
                inputs.labels == c,
                missed_positives=inputs.missed_positives if c == 0 else 0,
            )
            for c in range(len(inputs.class_names))
        ]
    )


def _first_largest(probabilities: NDArray[np.floating[Any]], first_column: int) -> NDArray[np.int64]:
    # A running maximum over the few columns: argmax along the short axis of (n, C) is several times slower.
    best = probabilities[:, first_column].copy()
    ids = np.full(len(best), first_column, dtype=np.int64)
    for column in range(first_column + 1, probabilities.shape[1]):
        larger = probabilities[:, column] > best
        ids[larger] = column
        np.maximum(best, probabilities[:, column], out=best)
    return ids
