"""Diagnostics of RPCL (arXiv 2606.18893): gaps between gold and negative confidences, over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from iemomecp_dataset.metrics.evaluation.predictions import Predictions
from iemomecp_dataset.metrics.ranking import cause_ranking_scores, confidence_gap_scores
from iemomecp_dataset.metrics.scoring import mean_and_sd

__all__ = ["pair_confidence"]

_GAPS = (
    "gold_negative_gap",
    "gold_confidence",
    "negative_confidence",
    "margin_violation_hard",
    "margin_violation_all",
)
_RANKS = ("mrr", "hit_at_1", "recall_at_3")


def pair_confidence(
    systems: Mapping[str, Sequence[Predictions]], *, margin: float = 0.05, top_k: int = 8
) -> pd.DataFrame:
    """Computes confidence gaps and rankings of systems, mean and standard deviation over seeds.

    Formulas: :func:`~iemomecp_dataset.metrics.ranking.confidence_gap_scores` and
    :func:`~iemomecp_dataset.metrics.ranking.cause_ranking_scores`. A larger gap is about calibration; it need not come
    with better pairs.

    Args:
        systems: By name the predictions of its seeds.
        margin: :math:`m_0` (Eq. 9).
        top_k: Hard negatives of a row (Eq. 7).

    Returns:
        One row per system and quantity: ``system, quantity, mean, sd`` (ddof 1; NaN for one seed), ``n_seeds``.
    """
    rows = []
    for name, runs in systems.items():
        of_runs = []
        for run in runs:
            of_run = (run.probabilities[:, 0], run.labels == 0, run.dialogue_ids, run.target_turns)
            gaps = confidence_gap_scores(*of_run, margin=margin, top_k=top_k)
            ranks = cause_ranking_scores(*of_run, recall_at=(1, 3))
            of_runs.append([*(gaps[key] for key in _GAPS), *(ranks[key] for key in _RANKS)])
        rows += [
            {"system": name, "quantity": quantity, "mean": mean, "sd": sd, "n_seeds": len(runs)}
            for quantity, mean, sd in zip((*_GAPS, *_RANKS), *mean_and_sd(of_runs), strict=True)
        ]
    return pd.DataFrame(rows)
