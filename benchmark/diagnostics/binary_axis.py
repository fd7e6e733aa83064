"""Diagnostic 1: where on the line from non-pair to cause does a binary model put context pairs?"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from iemomecp_dataset.benchmark.diagnostics.variant import CAUSE, NON_PAIR, per_role, per_seed, seed_sd
from iemomecp_dataset.schema import ROLE_LABELS

__all__ = ["axis_coordinate", "binary_axis"]


def axis_coordinate(value: float, cause: float, non_pair: float) -> float:
    """``(value - non_pair) / (cause - non_pair)``: 0 at non-pairs, 1 at causes (arXiv 2605.25208).

    Args:
        value: The role's mean.
        cause: Mean of the causes.
        non_pair: Mean of the non-pairs.

    Returns:
        The coordinate; NaN where causes and non-pairs have the same mean.

    Example:
        >>> round(axis_coordinate(0.1182, 0.4044, 0.0885), 3)
        0.094
    """
    return (value - non_pair) / (cause - non_pair) if cause != non_pair else float("nan")


def binary_axis(pair_probabilities: ArrayLike, roles: ArrayLike, decided: ArrayLike | None = None) -> pd.DataFrame:
    """Mean P(pair) of a source-binary model by gold role, and its coordinate; the same for its hard decisions.

    Args:
        pair_probabilities: ``(S, n)``, P(pair) of the model.
        roles: ``(n,)`` gold roles of the same pairs.
        decided: ``(S, n)`` bool, is a pair predicted; by default P(pair) >= 0.5, the larger of two classes.

    Returns:
        One row per role: ``gold_role, n, prob_pair_mean, prob_pair_std`` (over seeds, ddof 1),
        ``binary_axis_coordinate, pred_pair_rate, pred_rate_coordinate``. Coordinates are of the means over seeds.
    """
    gold = np.asarray(roles)
    p = per_seed(pair_probabilities, len(gold), "pair probabilities")
    hard = per_seed(p >= 0.5 if decided is None else decided, len(gold), "decisions")
    by_seed = per_role(p, gold)
    means, rates = by_seed.mean(axis=0), per_role(hard, gold).mean(axis=0)
    return pd.DataFrame(
        {
            "gold_role": list(ROLE_LABELS),
            "n": [int((gold == role).sum()) for role in range(len(ROLE_LABELS))],
            "prob_pair_mean": means,
            "prob_pair_std": seed_sd(by_seed),
            "binary_axis_coordinate": [axis_coordinate(value, means[CAUSE], means[NON_PAIR]) for value in means],
            "pred_pair_rate": rates,
            "pred_rate_coordinate": [axis_coordinate(value, rates[CAUSE], rates[NON_PAIR]) for value in rates],
        }
    )
