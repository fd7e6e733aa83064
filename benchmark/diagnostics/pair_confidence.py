"""The diagnostics of RPCL (arXiv 2606.18893): gaps between gold and negative confidences, over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from iemomecp_dataset.metrics.evaluation.predictions import Predictions
from iemomecp_dataset.metrics.ranking import cause_ranking_scores, confidence_gap_scores

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
    """Confidence gaps and rankings of systems, mean and standard deviation over seeds.

    Formulas: :func:`~iemomecp_dataset.metrics.ranking.confidence_gap_scores` and
    :func:`~iemomecp_dataset.metrics.ranking.cause_ranking_scores`. A larger gap is a statement about calibration; it
    need not come with better pairs.

    Args:
        systems: By name the predictions of its seeds.
        margin: ``m0`` (Eq. 9).
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
            of_runs.append({key: gaps[key] for key in _GAPS} | {key: ranks[key] for key in _RANKS})
        table = pd.DataFrame(of_runs)
        rows += [
            {
                "system": name,
                "quantity": quantity,
                "mean": table[quantity].mean(skipna=False),
                "sd": table[quantity].std(ddof=1, skipna=False),
                "n_seeds": len(table),
            }
            for quantity in (*_GAPS, *_RANKS)
        ]
    return pd.DataFrame(rows)
