"""The confidence diagnostics of RPCL (arXiv 2606.18893): how far gold pairs stand above the others of their row."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.metrics.target_rows import rows_by_confidence

__all__ = ["confidence_gap_scores"]


def confidence_gap_scores(
    confidences: ArrayLike,
    positive: ArrayLike,
    dialogue_ids: ArrayLike,
    target_turns: ArrayLike,
    *,
    margin: float = 0.05,
    top_k: int = 8,
) -> dict[str, Any]:
    """Gold-negative gaps and margin violations.

    Row ``i`` is a target, ``P_i`` its gold causes, ``N_i`` its other candidates, ``p`` the confidence. Rows where
    either set is empty are left out and counted. A violation of a gold pair by a negative is
    ``relu(margin - (p+ - p-))``; its severity is the mean over all (row, gold, negative) triples, pooled as in Eq. 11,
    with the constant margin ``m0``.

    Args:
        confidences: ``(n,)`` floats, probability of class 0.
        positive: ``(n,)`` bool, is the pair gold.
        dialogue_ids: ``(n,)`` str.
        target_turns: ``(n,)`` ints.
        margin: ``m0``.
        top_k: The hard negatives of a row are its ``top_k`` most confident ones (all of them where there are fewer).

    Returns:
        ``gold_negative_gap``: mean over rows of mean gold minus mean negative confidence; ``gold_confidence``: mean
        over gold pairs of all rows; ``negative_confidence``: the same of the others;
        ``margin_violation_hard`` and ``margin_violation_all``: severity on hard and on all negatives;
        ``n_rows``, ``n_rows_left_out`` (targets with gold but no negative, or none with gold); ``undefined``.

    Raises:
        MetricInputError: Arrays of other lengths, no pairs, a negative margin, or ``top_k`` below 1.

    Example:
        >>> scores = confidence_gap_scores([0.9, 0.2, 0.88], [True, False, False], ["d"] * 3, [1, 1, 1])
        >>> round(scores["gold_negative_gap"], 4), round(scores["margin_violation_all"], 4)
        (0.36, 0.015)
    """
    if top_k < 1 or margin < 0:
        raise MetricInputError(f"margin must be 0 or more and top_k at least 1; found {margin} and {top_k}.")
    p, gold, row = rows_by_confidence(confidences, positive, dialogue_ids, target_turns)
    n_gold = np.bincount(row, weights=gold).astype(np.int64)
    n_negative = np.bincount(row).astype(np.int64) - n_gold
    used = (n_gold > 0) & (n_negative > 0)
    undefined: dict[str, str] = {}
    scores: dict[str, Any] = {}

    def record(key: str, values: NDArray[np.float64], reason: str) -> None:
        scores[key] = float(values.mean()) if len(values) else float("nan")
        if not len(values):
            undefined[key] = reason

    no_rows = "no target has both a gold cause and another candidate"
    gold_sum = np.bincount(row, weights=np.where(gold, p, 0.0))
    negative_sum = np.bincount(row, weights=np.where(gold, 0.0, p))
    record("gold_negative_gap", gold_sum[used] / n_gold[used] - negative_sum[used] / n_negative[used], no_rows)
    record("gold_confidence", p[gold], "no gold pairs")
    record("negative_confidence", p[~gold], "no candidates besides gold pairs")

    # Negatives of each row lie together, most confident first, so a gold pair meets a slice of them.
    negatives = p[~gold]
    first_negative = np.cumsum(n_negative) - n_negative
    for key, met in (("margin_violation_hard", np.minimum(n_negative, top_k)), ("margin_violation_all", n_negative)):
        gold_row = row[gold]
        length = met[gold_row]
        gold_of_triple = np.repeat(p[gold], length)
        offset = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
        negative_of_triple = negatives[np.repeat(first_negative[gold_row], length) + offset]
        record(key, np.maximum(margin - (gold_of_triple - negative_of_triple), 0.0), no_rows)
    scores["n_rows"] = int(used.sum())
    scores["n_rows_left_out"] = int((~used).sum())
    scores["undefined"] = undefined
    return scores
