"""Ranking of candidate causes within each target: is a gold cause on top?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.metrics.target_rows import rows_by_confidence

__all__ = ["cause_ranking_scores"]


def cause_ranking_scores(
    confidences: ArrayLike,
    positive: ArrayLike,
    dialogue_ids: ArrayLike,
    target_turns: ArrayLike,
    *,
    recall_at: Sequence[int] = (1, 3, 5),
) -> dict[str, Any]:
    """Ranks the candidates of each target by confidence.

    Only targets with a gold cause among their candidates take part. Candidates of equal confidence are ranked
    negatives first, so that a constant score earns nothing.

    Args:
        confidences: ``(n,)`` floats, probability of class 0.
        positive: ``(n,)`` bool, is the pair gold.
        dialogue_ids: ``(n,)`` str.
        target_turns: ``(n,)`` ints.
        recall_at: The depths k of ``recall_at_k``.

    Returns:
        ``mrr``: mean of 1 / rank of the best-ranked gold cause; ``hit_at_1``: share of targets whose top candidate is
        gold; ``recall_at_<k>``: mean over targets of the share of their gold causes within the first k;
        ``n_targets``: how many targets took part; ``undefined``: a reason for each NaN (no target took part).

    Raises:
        MetricInputError: Arrays of other lengths, no pairs, or a depth below 1.

    Example:
        >>> scores = cause_ranking_scores([0.9, 0.1, 0.4], [False, False, True], ["d"] * 3, [1, 2, 1], recall_at=(1, 2))
        >>> scores["mrr"], scores["hit_at_1"], scores["recall_at_2"], scores["n_targets"]
        (0.5, 0.0, 1.0, 1)
    """
    if any(k < 1 for k in recall_at):
        raise MetricInputError(f"recall_at holds depths of 1 or more; found {list(recall_at)}.")
    _, gold, row = rows_by_confidence(confidences, positive, dialogue_ids, target_turns)
    n_gold = np.bincount(row, weights=gold)
    first_of_row = np.searchsorted(row, np.arange(len(n_gold)))
    rank = np.arange(len(row)) - first_of_row[row] + 1
    ranked_rows = n_gold > 0
    n_targets = int(ranked_rows.sum())
    keys = ["mrr", "hit_at_1", *(f"recall_at_{k}" for k in recall_at)]
    if not n_targets:
        reason = "no target has a gold cause among its candidates"
        return {**dict.fromkeys(keys, float("nan")), "n_targets": 0, "undefined": dict.fromkeys(keys, reason)}
    best = np.full(len(n_gold), len(row) + 1)
    np.minimum.at(best, row[gold], rank[gold])
    best = best[ranked_rows]
    scores: dict[str, Any] = {"mrr": float(np.mean(1 / best)), "hit_at_1": float(np.mean(best == 1))}
    for k in recall_at:
        within = np.bincount(row, weights=gold & (rank <= k))[ranked_rows] / n_gold[ranked_rows]
        scores[f"recall_at_{k}"] = float(within.mean())
    scores["n_targets"] = n_targets
    scores["undefined"] = {}
    return scores
