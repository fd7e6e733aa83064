"""Diagnostics of RPCL (arXiv 2606.18893): gaps between gold and negative confidences, over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from iemomecp_dataset.metrics.evaluation.predictions import Predictions
from iemomecp_dataset.metrics.ranking import cause_ranking_scores, confidence_gap_scores
from iemomecp_dataset.metrics.scoring import mean_and_sd
from iemomecp_dataset.pair_table import PairTable

__all__ = ["confidence_of_run", "pair_confidence"]

_GAPS = {
    "gold_negative_gap": "n_rows",
    "gold_confidence": "n_gold",
    "negative_confidence": "n_negative",
    "margin_violation_hard": "n_rows",
    "margin_violation_all": "n_rows",
}
_RANKS = ("mrr", "hit_at_1", "recall_at_3")


def confidence_of_run(
    confidences: NDArray[np.float64], pairs: PairTable, *, margin: float = 0.05, top_k: int = 8
) -> dict[str, tuple[float, int]]:
    """Computes confidence gaps and rankings of one run.

    Formulas: :func:`~iemomecp_dataset.metrics.ranking.confidence_gap_scores` and
    :func:`~iemomecp_dataset.metrics.ranking.cause_ranking_scores`. A larger gap is about calibration; it need not come
    with better pairs.

    Args:
        confidences: ``(n,)``, probability of class 0.
        pairs: The pairs with their gold.
        margin: :math:`m_0` (Eq. 9).
        top_k: Hard negatives of a row (Eq. 7).

    Returns:
        By quantity its value and the number of pairs or rows (targets) that it is of.
    """
    gold = pairs.labels == 0
    of_run = (confidences, gold, pairs.dialogue_ids, pairs.target_turns)
    gaps = confidence_gap_scores(*of_run, margin=margin, top_k=top_k)
    ranks = cause_ranking_scores(*of_run, recall_at=(1, 3))
    counts = {"n_rows": gaps["n_rows"], "n_gold": int(gold.sum()), "n_negative": int((~gold).sum())}
    return {key: (float(gaps[key]), counts[n]) for key, n in _GAPS.items()} | {
        key: (float(ranks[key]), int(ranks["n_targets"])) for key in _RANKS
    }


def pair_confidence(
    systems: Mapping[str, Sequence[Predictions]], *, margin: float = 0.05, top_k: int = 8
) -> pd.DataFrame:
    """Computes the quantities of :func:`confidence_of_run` of systems, mean and standard deviation over seeds.

    Args:
        systems: By name the predictions of its seeds.
        margin: As there.
        top_k: As there.

    Returns:
        One row per system and quantity: ``system, quantity, mean, sd`` (ddof 1; NaN for one seed), ``n_seeds``.
    """
    rows = []
    for name, runs in systems.items():
        of_runs = [confidence_of_run(run.probabilities[:, 0], run.pairs, margin=margin, top_k=top_k) for run in runs]
        means, deviations = mean_and_sd([[value for value, _ in of_run.values()] for of_run in of_runs])
        rows += [
            {"system": name, "quantity": quantity, "mean": mean, "sd": sd, "n_seeds": len(runs)}
            for quantity, mean, sd in zip((*_GAPS, *_RANKS), means, deviations, strict=True)
        ]
    return pd.DataFrame(rows)
