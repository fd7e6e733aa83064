"""Speed of the metrics against scikit-learn and a plain bootstrap."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.benchmark.speed.measurement import SpeedRow, best_seconds
from iemomecp_dataset.errors import missing_extra
from iemomecp_dataset.metrics.scoring import pair_scores
from iemomecp_dataset.metrics.significance.bootstrap import bootstrap_intervals
from iemomecp_dataset.metrics.significance.counts import candidate_unit_counts
from iemomecp_dataset.metrics.thresholds import best_threshold
from iemomecp_dataset.schema import ROLE_LABELS

__all__ = ["run", "scikit_learn_pair_scores"]

# Shares of the three roles among the candidates of IEMO-MECP, all splits.
_ROLE_SHARES = (0.1003, 0.0505, 0.8492)
_TEST_PAIRS, _TEST_DIALOGUES = 18264, 31


def run(*, n_pairs: int = 1_000_000, repeats: int = 3) -> list[SpeedRow]:
    """Measures scores, threshold search and bootstrap; the best of several repeats counts.

    Args:
        n_pairs: Number of pairs of the large inputs.
        repeats: Repeats of each measurement; slow alternatives run once.

    Returns:
        One row per comparison.

    Raises:
        MissingDependencyError: scikit-learn is not installed.
    """
    try:
        import sklearn.metrics  # noqa: F401
    except ImportError:
        raise missing_extra("scikit-learn", "train") from None
    generator = np.random.default_rng(0)
    labels = generator.choice(3, n_pairs, p=_ROLE_SHARES)
    probabilities = generator.dirichlet([1.0, 1.0, 1.0], n_pairs)
    # Rounded to four decimals, so that about a hundred pairs share each score, as in files with rounded numbers.
    coarse = np.round(probabilities[:, 0], 4)
    rows = [
        SpeedRow(
            f"pair_scores, {n_pairs} pairs of 3 classes, all keys",
            best_seconds(lambda: pair_scores(probabilities, labels, ROLE_LABELS), repeats),
            "the scikit-learn calls that give the same keys",
            best_seconds(lambda: scikit_learn_pair_scores(probabilities, labels), 1),
        ),
        SpeedRow(
            f"best_threshold, {n_pairs} pairs with ties",
            best_seconds(lambda: best_threshold(coarse, labels), repeats),
            "sklearn.metrics.precision_recall_curve and argmax of F1",
            best_seconds(lambda: _scikit_learn_best_threshold(coarse, labels), 1),
        ),
    ]
    split = slice(0, _TEST_PAIRS)
    units = generator.integers(0, _TEST_DIALOGUES, _TEST_PAIRS).astype(str)
    n_slow = 20
    (counts,) = candidate_unit_counts([probabilities[split]], labels[split], units, ROLE_LABELS)
    slow = best_seconds(lambda: _loop_bootstrap(probabilities[split], labels[split], units, n_slow), 1)
    rows.append(
        SpeedRow(
            f"bootstrap of all scores, 10000 resamples of {_TEST_PAIRS} pairs",
            best_seconds(lambda: bootstrap_intervals(counts), 1),
            f"pair_scores of each resample's rows (timed on {n_slow}, scaled up)",
            slow * 10_000 / n_slow,
        )
    )
    return rows


def scikit_learn_pair_scores(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> dict[str, Any]:
    """Computes the keys of ``pair_scores`` with the fewest scikit-learn calls.

    Args:
        probabilities: ``(n, 3)`` floats.
        labels: ``(n,)`` ints.

    Returns:
        The same keys except ``undefined``.
    """
    from sklearn.metrics import (
        accuracy_score,
        average_precision_score,
        confusion_matrix,
        precision_recall_fscore_support,
    )

    ids = [0, 1, 2]
    predicted = probabilities.argmax(axis=1)
    precision, recall, f1, support = precision_recall_fscore_support(labels, predicted, labels=ids, zero_division=0)
    macro = precision_recall_fscore_support(labels, predicted, labels=ids, zero_division=0, average="macro")
    weighted = precision_recall_fscore_support(labels, predicted, labels=ids, zero_division=0, average="weighted")
    auprc = [
        average_precision_score(labels == c, probabilities[:, c]) if (labels == c).any() else math.nan for c in ids
    ]
    matrix = confusion_matrix(labels, predicted, labels=ids)
    scores: dict[str, Any] = {
        "pair_f1": f1[0],
        "pair_precision": precision[0],
        "pair_recall": recall[0],
        "pair_auprc": auprc[0],
        "macro_f1": macro[2],
        "macro_precision": macro[0],
        "macro_recall": macro[1],
        "macro_auprc": np.nanmean(auprc),
        "weighted_f1": weighted[2],
        "accuracy": accuracy_score(labels, predicted),
        "n_pairs": len(labels),
        "confusion_matrix": matrix.tolist(),
        "context_as_cause_rate": matrix[1, 0] / matrix[1].sum(),
        "context_as_non_pair_rate": matrix[1, 2] / matrix[1].sum(),
    }
    for c, name in enumerate(ROLE_LABELS):
        scores[f"{name}_f1"] = f1[c]
        scores[f"{name}_precision"] = precision[c]
        scores[f"{name}_recall"] = recall[c]
        scores[f"{name}_auprc"] = auprc[c]
        scores[f"{name}_support"] = support[c]
    return scores


def _scikit_learn_best_threshold(scores: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    from sklearn.metrics import precision_recall_curve

    precision, recall, thresholds = precision_recall_curve(labels == 0, scores)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    return float(thresholds[np.argmax(f1[:-1])])


def _loop_bootstrap(
    probabilities: NDArray[np.float64], labels: NDArray[np.int64], units: NDArray[np.str_], n_resamples: int
) -> list[float]:
    generator = np.random.default_rng(0)
    names, unit = np.unique(units, return_inverse=True)
    found = []
    for weights in generator.multinomial(len(names), np.full(len(names), 1 / len(names)), size=n_resamples):
        rows = np.repeat(np.arange(len(labels)), weights[unit])
        found.append(pair_scores(probabilities[rows], labels[rows], ROLE_LABELS)["pair_f1"])
    return found
