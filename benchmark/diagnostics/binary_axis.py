"""Diagnostic 1: the position of context pairs between non-pairs and causes in the output of a binary model."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from iemomecp_dataset.benchmark.diagnostics.variant import CAUSE, NON_PAIR, per_role, per_seed
from iemomecp_dataset.metrics.scoring import mean_and_sd
from iemomecp_dataset.schema import ROLE_LABELS

__all__ = ["axis_coordinate", "binary_axis"]


def axis_coordinate(value: float, cause: float, non_pair: float) -> float:
    r"""Computes a position between non-pairs, at 0, and causes, at 1 (arXiv 2605.25208).

    .. math:: \frac{value - non\_pair}{cause - non\_pair}

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
    """Averages P(pair) of a source-binary model by gold role, with its coordinate, and its hard decisions likewise.

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
    means, deviations = mean_and_sd(by_seed)
    rates, _ = mean_and_sd(per_role(hard, gold))
    return pd.DataFrame(
        {
            "gold_role": list(ROLE_LABELS),
            "n": [int((gold == role).sum()) for role in range(len(ROLE_LABELS))],
            "prob_pair_mean": means,
            "prob_pair_std": deviations,
            "binary_axis_coordinate": [axis_coordinate(value, means[CAUSE], means[NON_PAIR]) for value in means],
            "pred_pair_rate": rates,
            "pred_rate_coordinate": [axis_coordinate(value, rates[CAUSE], rates[NON_PAIR]) for value in rates],
        }
    )
