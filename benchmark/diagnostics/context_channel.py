"""Diagnostic 2: whether the context output of a three-role model rises on context pairs alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from iemomecp_dataset.benchmark.diagnostics.variant import per_role, per_seed
from iemomecp_dataset.metrics.roles import context_error_directions
from iemomecp_dataset.metrics.scoring import confusion_matrix, mean_and_sd
from iemomecp_dataset.schema import ROLE_LABELS

__all__ = ["context_channel", "context_directions"]


def context_channel(context_probabilities: ArrayLike, roles: ArrayLike) -> pd.DataFrame:
    """Averages P(emo_context) by gold role.

    Args:
        context_probabilities: ``(S, n)``.
        roles: ``(n,)`` gold roles.

    Returns:
        One row per role: ``gold_role, n, prob_emo_context_mean, prob_emo_context_std`` (over seeds, ddof 1).
    """
    gold = np.asarray(roles)
    mean, sd = mean_and_sd(per_role(per_seed(context_probabilities, len(gold), "context probabilities"), gold))
    return pd.DataFrame(
        {
            "gold_role": list(ROLE_LABELS),
            "n": [int((gold == role).sum()) for role in range(len(ROLE_LABELS))],
            "prob_emo_context_mean": mean,
            "prob_emo_context_std": sd,
        }
    )


def context_directions(predicted_roles: ArrayLike, roles: ArrayLike) -> dict[str, float]:
    """Splits the predictions on gold contexts by direction, as means over seeds.

    Formulas: :func:`~iemomecp_dataset.metrics.roles.context_error_directions`. The two shares of missed contexts are
    shares of the means, as published.

    Args:
        predicted_roles: ``(S, n)`` ids.
        roles: ``(n,)`` gold roles.

    Returns:
        The keys of that function.
    """
    gold = np.asarray(roles)
    predicted = per_seed(predicted_roles, len(gold), "predicted roles")
    # Each seed has the same gold contexts, so the rates of the pooled counts are the means of the rates.
    return context_error_directions(confusion_matrix(gold, predicted, len(ROLE_LABELS)))
