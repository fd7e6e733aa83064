"""Diagnostic 3: what remains of a prediction when the candidate's words, sound and picture are removed."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from iemomecp_dataset.benchmark.diagnostics.variant import Variant, per_seed
from iemomecp_dataset.schema import ROLE_LABELS

__all__ = ["evidence_removal"]


def evidence_removal(
    full: ArrayLike,
    removed: ArrayLike,
    roles: ArrayLike,
    distances: ArrayLike,
    *,
    variant: Variant,
    decided: tuple[ArrayLike, ArrayLike] | None = None,
) -> pd.DataFrame:
    r"""Measures how the probability of a class drops when the candidate is removed, by gold role.

    With :math:`p` before and :math:`q` after removal:

    .. math:: drop = p - q, \qquad retention = \operatorname{mean}(q / p)

    and kept decisions are the share of pairs decided for the class before removal that still are after it.

    The candidate of a self-pair is its target, whose text stays visible when the candidate is removed. As published
    they count like the rest; corrected, they are left out.

    Args:
        full: ``(S, n)`` probabilities of the class with everything.
        removed: ``(S, n)`` probabilities with the candidate removed.
        roles: ``(n,)`` gold roles.
        distances: ``(n,)`` ``target - cause``.
        variant: See above.
        decided: ``(S, n)`` bool twice, is the class decided for before and after removal; by default where its
            probability is at least 0.5, the larger of two classes. With three roles it must be given.

    Returns:
        One row per role: ``final_gold, n`` (pairs times seeds), ``delta_prob_mean, delta_prob_std`` (over all of them,
        ddof 1), ``retention_prob_mean, full_pred_rate, retained_rate_over_all, retained_rate_given_full_pred``. NaN
        where there is nothing to divide by.
    """
    gold, distance = np.asarray(roles), np.asarray(distances)
    p = per_seed(full, len(gold), "full probabilities").astype(np.float64)
    q = per_seed(removed, len(gold), "probabilities after removal").astype(np.float64)
    hard = [per_seed(d, len(gold), "decisions") for d in (decided or (p >= 0.5, q >= 0.5))]
    keep = np.ones(len(gold), dtype=np.bool_) if variant == "as_published" else distance != 0
    rows = []
    for role, name in enumerate(ROLE_LABELS):
        before, after, predicted, still = (values[:, keep & (gold == role)].ravel() for values in (p, q, *hard))
        divisible = before > 0
        kept = predicted & still
        n = len(before)
        rows.append(
            {
                "final_gold": name,
                "n": n,
                "delta_prob_mean": (before - after).mean() if n else np.nan,
                "delta_prob_std": (before - after).std(ddof=1) if n > 1 else np.nan,
                "retention_prob_mean": (after[divisible] / before[divisible]).mean() if divisible.any() else np.nan,
                "full_pred_rate": predicted.mean() if n else np.nan,
                "retained_rate_over_all": kept.mean() if n else np.nan,
                "retained_rate_given_full_pred": kept.sum() / predicted.sum() if predicted.any() else np.nan,
            }
        )
    return pd.DataFrame(rows)
