"""Scores of emotion recognition in conversations as plain functions of arrays, without ``evaluate`` and torch.

Every utterance has one emotion, neutral included, and a system gives it one. Utterances whose emotion is not known are
left out before. The headline is ``weighted_f1``; its arithmetic is that of the pair scores
(:mod:`~iemomecp_dataset.metrics.scoring`), on utterances.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from iemomecp_dataset.errors import MetricInputError, did_you_mean
from iemomecp_dataset.metrics.arguments.argument_checks import check_count
from iemomecp_dataset.metrics.calibration import expected_calibration_error
from iemomecp_dataset.metrics.pair_inputs import check_pair_inputs
from iemomecp_dataset.metrics.scoring import confusion_matrix, decided, precision_recall_f1, ratio
from iemomecp_dataset.schema import NEUTRAL_EMOTIONS

__all__ = ["EmotionScores", "confusion_scores", "emotion_scores", "neutral_of"]

EmotionScores: TypeAlias = dict[str, Any]
"""Scores by name, as :func:`emotion_scores` lists them. Names of classes are part of its keys, which a TypedDict cannot
express."""

_N_BINS = 15


def emotion_scores(
    probabilities: ArrayLike,
    labels: ArrayLike,
    class_names: Sequence[str],
    *,
    neutral: str | int | None = None,
) -> EmotionScores:
    r"""Scores the emotions of utterances.

    .. math:: F_w = \frac{1}{n} \sum_c n_c F_{1,c}, \qquad F_m = \frac{1}{C} \sum_c F_{1,c}

    with the gold support :math:`n_c` of class :math:`c`. Precision, recall and F1 are of each class against the rest,
    0 where a denominator is 0. ``macro_f1`` is the mean over all C classes: one with neither gold nor prediction counts
    0 (scikit-learn leaves it out) and is named under ``undefined``.

    Args:
        probabilities: ``(n, C)`` floats, one row per utterance, each summing to one up to rounding
            (:func:`~iemomecp_dataset.metrics.pair_inputs.check_probabilities`); or ``(n,)`` ints, hard class ids, not
            truth values. The most probable class is predicted, the lower id in a tie.
        labels: ``(n,)`` ints, gold class ids, not truth values; utterances without a known emotion are left out before.
        class_names: Names of the ``C`` emotions by id.
        neutral: Name or id of the class that means no emotion.

    Returns:
        Plain floats, ints and lists. ``weighted_f1, accuracy, macro_f1, weighted_f1_without_neutral`` (weighed by
        support over the classes besides ``neutral``; NaN without ``neutral``, or where all gold is neutral), for each
        class ``<class>_f1, <class>_precision, <class>_recall, <class>_support``; with probabilities ``ece``, the
        expected calibration error of the predicted class's probability (15 bins of equal size,
        :func:`~iemomecp_dataset.metrics.calibration.expected_calibration_error`), and ``brier``, the squared
        differences from the one-hot gold, summed over classes, 0 to 2 (Brier, 1950); ``confusion_matrix`` (rows gold,
        columns predicted), ``n_utterances``, and ``undefined``, the names of classes with neither gold nor prediction.

    Raises:
        MetricInputError: The inputs cannot be scored; the message gives the reason.

    Example:
        >>> rows = [[0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.2, 0.7, 0.1]]
        >>> scores = emotion_scores(rows, [0, 1, 1], ["neutral", "joy", "fear"], neutral="neutral")
        >>> scores["confusion_matrix"], scores["undefined"]
        ([[1, 0, 0], [1, 1, 0], [0, 0, 0]], ['fear'])
        >>> [round(scores[key], 4) for key in ("weighted_f1", "accuracy", "macro_f1", "weighted_f1_without_neutral")]
        [0.6667, 0.6667, 0.4444, 0.6667]
    """
    inputs = check_pair_inputs(probabilities, labels, class_names, item="utterance")
    names = inputs.class_names
    without = _class_id(neutral, names)
    predicted = decided(inputs)
    confusion = confusion_matrix(inputs.labels, predicted, len(names))
    of = confusion_scores(confusion, neutral=without)
    scores: EmotionScores = {
        key: float(of[key]) for key in ("weighted_f1", "accuracy", "macro_f1", "weighted_f1_without_neutral")
    }
    support = confusion.sum(axis=1)
    for c, name in enumerate(names):
        scores |= {f"{name}_{part}": float(of[part][c]) for part in ("f1", "precision", "recall")}
        scores[f"{name}_support"] = int(support[c])
    if inputs.probabilities is not None:
        scores |= _calibration(inputs.probabilities.astype(np.float64, copy=False), inputs.labels, predicted)
    scores["confusion_matrix"] = confusion.tolist()
    scores["n_utterances"] = len(inputs.labels)
    scores["undefined"] = [names[c] for c in np.flatnonzero(support + confusion.sum(axis=0) == 0).tolist()]
    return scores


def confusion_scores(confusion: NDArray[Any], *, neutral: int | None = None) -> dict[str, NDArray[np.float64]]:
    """Computes the scores of confusion matrices, one or many at once.

    Args:
        confusion: ``(..., C, C)`` counts, rows gold, columns predicted.
        neutral: Id of the class that means no emotion.

    Returns:
        ``weighted_f1, accuracy, macro_f1, weighted_f1_without_neutral``, each ``(...,)``, and ``precision, recall, f1``
        of every class, each ``(..., C)``. Without any gold besides neutral, the fourth is NaN.

    Example:
        >>> scores = confusion_scores(np.array([[[1, 0], [0, 1]], [[0, 2], [0, 2]]]))
        >>> scores["accuracy"].tolist(), scores["f1"].round(4).tolist()
        ([1.0, 0.5], [[1.0, 1.0], [0.0, 0.6667]])
    """
    support = confusion.sum(axis=-1)
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    precision, recall, f1 = precision_recall_f1(hits, confusion.sum(axis=-2), support)
    others = support * (np.arange(support.shape[-1]) != neutral)
    known = others.sum(axis=-1) > 0 if neutral is not None else np.zeros(support.shape[:-1], dtype=np.bool_)
    return {
        "weighted_f1": ratio((f1 * support).sum(axis=-1), support.sum(axis=-1)),
        "accuracy": ratio(hits.sum(axis=-1), support.sum(axis=-1)),
        "macro_f1": np.asarray(f1.mean(axis=-1)),
        "weighted_f1_without_neutral": np.where(known, ratio((f1 * others).sum(axis=-1), others.sum(axis=-1)), np.nan),
        "precision": precision,
        "recall": recall,
        "f1": f1,
    }


def neutral_of(class_names: Sequence[str]) -> str | None:
    """Finds the emotion that means no emotion among those of a corpus.

    Args:
        class_names: Its emotions.

    Returns:
        The name, or None where there is none.

    Example:
        >>> neutral_of(["hap", "sad", "neu"]), neutral_of(["joy", "anger"])
        ('neu', None)
    """
    return next((name for name in class_names if name in NEUTRAL_EMOTIONS), None)


def _calibration(
    probabilities: NDArray[np.float64], labels: NDArray[np.int64], predicted: NDArray[np.int64]
) -> dict[str, float]:
    rows = np.arange(len(labels))
    of_gold = probabilities[rows, labels]
    # The sum over classes of (p - y)^2, without a one-hot array.
    brier = np.einsum("nc,nc->n", probabilities, probabilities) - 2 * of_gold + 1
    confidence = probabilities[rows, predicted]
    return {
        "ece": expected_calibration_error(confidence, predicted == labels, n_bins=_N_BINS),
        "brier": float(brier.mean()),
    }


def _class_id(neutral: str | int | None, names: tuple[str, ...]) -> int | None:
    if neutral is None:
        return None
    if isinstance(neutral, str):
        if neutral not in names:
            raise MetricInputError(f"neutral={neutral!r} is not among the classes. {did_you_mean(neutral, names)}")
        return names.index(neutral)
    expected = f"the name or the id of a class, 0 to {len(names) - 1} ({', '.join(names)})"
    return check_count(neutral, "neutral", expected, largest=len(names) - 1)
