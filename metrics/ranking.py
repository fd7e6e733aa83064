"""Ranking of candidate causes within each target, and how far gold causes are above the other candidates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.metrics.arguments.argument_checks import (
    as_array,
    check_count,
    check_list,
    check_number,
    number_column,
    text_column,
    turn_column,
)
from iemomecp_dataset.metrics.pair_inputs import check_gold_flags

__all__ = ["cause_ranking_scores", "confidence_gap_scores", "rows_by_confidence"]


def cause_ranking_scores(
    confidences: ArrayLike,
    positive: ArrayLike,
    dialogue_ids: ArrayLike,
    target_turns: ArrayLike,
    *,
    recall_at: Sequence[int] = (1, 3, 5),
) -> dict[str, Any]:
    r"""Ranks the candidates of each target by confidence.

    Only targets with a gold cause among their candidates count. Candidates of equal confidence are ranked negatives
    first, so that a constant score gains nothing. With :math:`r_t` the rank of the best-ranked gold cause of target
    :math:`t`, of :math:`T` targets:

    .. math:: MRR = \frac{1}{T} \sum_t \frac{1}{r_t}

    Args:
        confidences: ``(n,)`` floats, probability of class 0.
        positive: ``(n,)`` bool, is the pair gold.
        dialogue_ids: ``(n,)`` str.
        target_turns: ``(n,)`` ints.
        recall_at: The depths k of ``recall_at_k``.

    Returns:
        ``mrr``, see above; ``hit_at_1``: share of targets whose top candidate is gold; ``recall_at_<k>``: mean over
        targets of the share of their gold causes within the first k; ``n_targets``: targets that count;
        ``undefined``: a reason for each NaN (no target counts).

    Raises:
        MetricInputError: Arrays of other lengths, no pairs, or a depth below 1.

    Example:
        >>> scores = cause_ranking_scores([0.9, 0.1, 0.4], [False, False, True], ["d"] * 3, [1, 2, 1], recall_at=(1, 2))
        >>> scores["mrr"], scores["hit_at_1"], scores["recall_at_2"], scores["n_targets"]
        (0.5, 0.0, 1.0, 1)
    """
    listed = check_list(recall_at, "recall_at", "depths")
    depths = [check_count(k, "recall_at", "a list of depths of 1 or more", smallest=1) for k in listed]
    _, gold, row = rows_by_confidence(confidences, positive, dialogue_ids, target_turns)
    n_gold = np.bincount(row, weights=gold)
    first_of_row = np.searchsorted(row, np.arange(len(n_gold)))
    rank = np.arange(len(row)) - first_of_row[row] + 1
    ranked_rows = n_gold > 0
    n_targets = int(ranked_rows.sum())
    keys = ["mrr", "hit_at_1", *(f"recall_at_{k}" for k in depths)]
    if not n_targets:
        reason = "no target has a gold cause among its candidates"
        return {**dict.fromkeys(keys, float("nan")), "n_targets": 0, "undefined": dict.fromkeys(keys, reason)}
    best = np.full(len(n_gold), len(row) + 1)
    np.minimum.at(best, row[gold], rank[gold])
    best = best[ranked_rows]
    scores: dict[str, Any] = {"mrr": float(np.mean(1 / best)), "hit_at_1": float(np.mean(best == 1))}
    for k in depths:
        within = np.bincount(row, weights=gold & (rank <= k))[ranked_rows] / n_gold[ranked_rows]
        scores[f"recall_at_{k}"] = float(within.mean())
    scores["n_targets"] = n_targets
    scores["undefined"] = {}
    return scores


def rows_by_confidence(
    confidences: ArrayLike, positive: ArrayLike, dialogue_ids: ArrayLike, target_turns: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.int64]]:
    """Sorts pairs by row (dialogue, target), within a row from the most confident down.

    Of equal confidences negatives stand first: a constant score gains nothing.

    Args:
        confidences: ``(n,)`` floats, probability of class 0.
        positive: ``(n,)`` bool, is the pair gold.
        dialogue_ids: ``(n,)`` str.
        target_turns: ``(n,)`` ints.

    Returns:
        Confidences, gold flags and row numbers (0, 1, 2, ...), all sorted.

    Raises:
        MetricInputError: Arrays of other lengths, no pairs, or confidences that are not finite.

    Example:
        >>> confidence, gold, row = rows_by_confidence([0.1, 0.5, 0.5], [False, True, False], ["d"] * 3, [1, 1, 1])
        >>> confidence.tolist(), gold.tolist()
        ([0.5, 0.5, 0.1], [False, True, False])
    """
    p, y = number_column(confidences, "confidences"), as_array(positive, "gold flags", "pair")
    dialogues, targets = text_column(dialogue_ids, "dialogue_ids"), turn_column(target_turns, "target_turns")
    arrays: dict[str, NDArray[Any]] = {"positive": y, "dialogue_ids": dialogues, "target_turns": targets}
    for name, values in arrays.items():
        if p.ndim != 1 or values.shape != p.shape or not len(p):
            raise MetricInputError(
                f"confidences and {name} need one entry per pair, at least one pair; found shapes {p.shape} and "
                f"{values.shape}."
            )
    check_gold_flags(y)
    if not np.isfinite(p).all():
        where = int(np.flatnonzero(~np.isfinite(p))[0])
        raise MetricInputError(f"The confidence of pair {where} is {p[where]}; expected a finite number.")
    _, dialogue = np.unique(dialogues, return_inverse=True)
    order = np.lexsort((y, -p, targets, dialogue))
    dialogue, targets = dialogue[order], targets[order]
    new_row = (np.diff(dialogue, prepend=-1) != 0) | (np.diff(targets, prepend=-1) != 0)
    return p[order], y[order], np.cumsum(new_row) - 1


def confidence_gap_scores(
    confidences: ArrayLike,
    positive: ArrayLike,
    dialogue_ids: ArrayLike,
    target_turns: ArrayLike,
    *,
    margin: float = 0.05,
    top_k: int = 8,
) -> dict[str, Any]:
    r"""Measures gold-negative gaps and margin violations (arXiv 2606.18893).

    Row :math:`i` is a target, :math:`P_i` its gold causes, :math:`N_i` its other candidates, :math:`p` the confidence.
    Rows where either set is empty are left out and counted. The severity of violations is the mean over all triples of
    a row, a gold cause and a negative, pooled as in Eq. 11, with the constant margin :math:`m_0`:

    .. math:: \operatorname{mean}_{i,\; j \in P_i,\; k \in N_i} \max(0,\; m_0 - (p_{ij} - p_{ik}))

    Args:
        confidences: ``(n,)`` floats, probability of class 0.
        positive: ``(n,)`` bool, is the pair gold.
        dialogue_ids: ``(n,)`` str.
        target_turns: ``(n,)`` ints.
        margin: :math:`m_0`.
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
    margin = check_number(margin, "margin", "a number of 0 or more", smallest=0.0)
    top_k = check_count(top_k, "top_k", "a whole number of at least 1", smallest=1)
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

    # The negatives of each row are adjacent, most confident first, so those of a gold pair are a slice.
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
