"""Diagnostic 2: does the context output of a three-role model rise on context pairs, or on everything?"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from iemomecp_dataset.benchmark.diagnostics.variant import CONTEXT, NON_PAIR, per_role, per_seed, seed_sd
from iemomecp_dataset.metrics.roles import context_error_directions
from iemomecp_dataset.schema import ROLE_LABELS

__all__ = ["context_channel", "context_directions", "context_lift"]


def context_channel(context_probabilities: ArrayLike, roles: ArrayLike) -> pd.DataFrame:
    """Mean P(emo_context) by gold role.

    Args:
        context_probabilities: ``(S, n)``.
        roles: ``(n,)`` gold roles.

    Returns:
        One row per role: ``gold_role, n, prob_emo_context_mean, prob_emo_context_std`` (over seeds, ddof 1).
    """
    gold = np.asarray(roles)
    by_seed = per_role(per_seed(context_probabilities, len(gold), "context probabilities"), gold)
    return pd.DataFrame(
        {
            "gold_role": list(ROLE_LABELS),
            "n": [int((gold == role).sum()) for role in range(len(ROLE_LABELS))],
            "prob_emo_context_mean": by_seed.mean(axis=0),
            "prob_emo_context_std": seed_sd(by_seed),
        }
    )


def context_lift(channel: pd.DataFrame) -> float:
    """Mean P(emo_context) on contexts divided by that on non-pairs; 1 means that the output tells them not apart.

    Args:
        channel: What :func:`context_channel` gave.

    Returns:
        The lift; NaN where non-pairs have none.
    """
    means = channel["prob_emo_context_mean"].to_numpy()
    return float(means[CONTEXT] / means[NON_PAIR]) if means[NON_PAIR] else float("nan")


def context_directions(predicted_roles: ArrayLike, roles: ArrayLike) -> dict[str, float]:
    """Where gold contexts go, as means over seeds.

    Formulas: :func:`~iemomecp_dataset.metrics.roles.context_error_directions`. The two shares of missed
    contexts are shares of the means, as published.

    Args:
        predicted_roles: ``(S, n)`` ids.
        roles: ``(n,)`` gold roles.

    Returns:
        The keys of that function.
    """
    gold = np.asarray(roles)
    predicted = per_seed(predicted_roles, len(gold), "predicted roles")
    k = len(ROLE_LABELS)
    confusion = np.bincount((gold * k + predicted).ravel(), minlength=k * k).reshape(k, k)
    # Each seed has the same gold contexts, so the rates of the pooled counts are the means of the rates.
    return context_error_directions(confusion)
