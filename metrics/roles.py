"""Scores of the three roles: remapping to source-binary gold, and the directions of errors on contexts.

A three-role run predicts ``emo_cause``, ``emo_context`` or ``non_pair``; the source-binary gold is pair or non-pair.
There are three ways to score predicted contexts (arXiv 2605.25208):

* ``drop_context``: such rows are left out, and coverage is the share of rows that is scored;
* ``context_to_positive``: such rows count as pair;
* ``context_to_negative``: such rows count as non-pair.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.excerpts import shown
from iemomecp_dataset.metrics.arguments.argument_checks import as_array, check_count, check_number
from iemomecp_dataset.metrics.scoring import precision_recall_f1
from iemomecp_dataset.schema import ROLE_LABELS

__all__ = ["REMAPPINGS", "binary_counts_scores", "context_error_directions", "source_binary_remaps"]

REMAPPINGS = ("drop_context", "context_to_positive", "context_to_negative")
"""The strategies, in the order of the published table."""


def source_binary_remaps(
    predicted_roles: ArrayLike, source_pairs: ArrayLike, *, binary_trained_f1: float | None = None
) -> dict[str, dict[str, Any]]:
    """Scores predicted roles against source-binary gold, once for each strategy.

    Args:
        predicted_roles: ``(n,)`` ints, ids of the three roles.
        source_pairs: ``(n,)`` bool, the source-binary gold of the same candidates.
        binary_trained_f1: Pair F1 of the run of the same seed that was trained on source-binary labels; adds
            ``delta_f1_vs_original``.

    Returns:
        For each of :data:`REMAPPINGS` the keys of :func:`binary_counts_scores` and ``coverage_n``, ``coverage_rate``,
        ``pred_context_count``, ``pred_context_rate``: the numbers of the published table.

    Raises:
        MetricInputError: Arrays of other lengths or values, or no pairs.

    Example:
        >>> remaps = source_binary_remaps([0, 1, 2, 2], [True, True, False, True])
        >>> [(name, remaps[name]["tp"], remaps[name]["fn"], remaps[name]["coverage_n"]) for name in REMAPPINGS]
        [('drop_context', 1, 1, 3), ('context_to_positive', 2, 1, 4), ('context_to_negative', 1, 2, 4)]
    """
    roles = as_array(predicted_roles, "predicted roles", "pair")
    gold = as_array(source_pairs, "source labels", "pair")
    if roles.ndim != 1 or roles.shape != gold.shape or not len(roles):
        raise MetricInputError(
            f"Remapping needs one predicted role and one source label per pair, at least one pair; found shapes "
            f"{roles.shape} and {gold.shape}."
        )
    if roles.dtype.kind not in "iu" or roles.min() < 0 or roles.max() >= len(ROLE_LABELS):
        found = shown(sorted(set(map(str, roles.tolist())))[:5])
        raise MetricInputError(f"predicted_roles must be ids 0 to 2 ({', '.join(ROLE_LABELS)}); found {found}.")
    if gold.dtype != np.bool_:
        raise MetricInputError(
            f"source_pairs must be booleans (is the candidate a source pair?); found dtype {gold.dtype}. "
            "Class ids of source_binary are the other way round: 0 is pair."
        )
    cause, context = roles == ROLE_LABELS.index("emo_cause"), roles == ROLE_LABELS.index("emo_context")
    chosen = {
        "drop_context": (cause, ~context),
        "context_to_positive": (cause | context, np.ones(len(roles), dtype=np.bool_)),
        "context_to_negative": (cause, np.ones(len(roles), dtype=np.bool_)),
    }
    if binary_trained_f1 is not None:
        binary_trained_f1 = check_number(
            binary_trained_f1, "binary_trained_f1", "a Pair F1 in [0, 1]", smallest=0, largest=1
        )
    scores: dict[str, dict[str, Any]] = {}
    for name, (positive, kept) in chosen.items():
        row = binary_counts_scores(
            tp=int((positive & gold & kept).sum()),
            fp=int((positive & ~gold & kept).sum()),
            fn=int((~positive & gold & kept).sum()),
            tn=int((~positive & ~gold & kept).sum()),
        )
        row |= {
            "coverage_n": int(kept.sum()),
            "coverage_rate": float(kept.mean()),
            "pred_context_count": int(context.sum()),
            "pred_context_rate": float(context.mean()),
        }
        if binary_trained_f1 is not None:
            row["delta_f1_vs_original"] = row["f1"] - binary_trained_f1
        scores[name] = row
    return scores


def binary_counts_scores(*, tp: int, fp: int, fn: int, tn: int) -> dict[str, Any]:
    """Scores the four counts of a binary decision.

    Args:
        tp: Pairs found.
        fp: Non-pairs taken for pairs.
        fn: Pairs not found.
        tn: Non-pairs left alone.

    Returns:
        ``f1, precision, recall, accuracy, source_pair_support, source_non_pair_support`` and the counts. Accuracy is
        NaN where there are no rows.

    Raises:
        MetricInputError: One is no count.

    Example:
        >>> binary_counts_scores(tp=563, fp=664, fn=1269, tn=15768)["f1"]
        0.36809414841451454
    """
    tp, fp, fn, tn = (
        check_count(count, name, "a count of 0 or more pairs, a whole number")
        for name, count in (("tp", tp), ("fp", fp), ("fn", fn), ("tn", tn))
    )
    precision, recall, f1 = precision_recall_f1(tp, tp + fp, tp + fn)
    total = tp + fp + fn + tn
    return {
        "f1": f1,
        "precision": precision,
        "recall": recall,
        "accuracy": (tp + tn) / total if total else float("nan"),
        "source_pair_support": tp + fn,
        "source_non_pair_support": fp + tn,
        "tp": tp,
        "fp": fp,
        "fn": fn,
        "tn": tn,
    }


def context_error_directions(confusion: ArrayLike) -> dict[str, float]:
    """Splits the predictions on gold ``emo_context`` by direction (arXiv 2605.25208).

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
    matrix = as_array(confusion, "counts", "class")
    numeric = matrix.dtype.kind in "iuf" and bool(np.isfinite(matrix).all())
    if matrix.shape != (len(ROLE_LABELS), len(ROLE_LABELS)) or not numeric or matrix.min() < 0:
        raise MetricInputError(
            f"Context errors need a 3 x 3 confusion matrix of counts, rows gold; found shape {matrix.shape}, dtype "
            f"{matrix.dtype}."
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
