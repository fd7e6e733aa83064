"""Diagnostic 5: whether context pairs are over-represented where a binary model is least certain."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from iemomecp_dataset.benchmark.diagnostics.variant import CONTEXT, Variant, per_seed
from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.schema import ROLE_LABELS

__all__ = ["SELECTIONS", "uncertainty_enrichment"]

SELECTIONS = {
    "closest_to_half": "Top 5% closest to 0.5",
    "highest_probability": "Top 5% highest probability",
    "lowest_probability": "Top 5% lowest probability",
    "seed_disagreement": "Seeds disagree",
}
"""Selected sets of pairs by name, with their labels."""

_PERCENT = 5


def uncertainty_enrichment(
    pair_probabilities: ArrayLike, roles: ArrayLike, splits: ArrayLike, *, variant: Variant
) -> pd.DataFrame:
    """Computes role rates among the pairs of which a binary model is least (or most) certain.

    From each split the ``ceil(5 %)`` of pairs are taken whose P(pair) is closest to 0.5 (largest, smallest), and all
    pairs on which seeds decide differently. Lift is the share of contexts among them, divided by the share among all;
    coverage is the share of all contexts that is among them. Of equal scores the first pairs are taken.

    As published, probabilities are averaged over seeds first, and train and validation pairs, which the models were
    fitted to or chosen by, are pooled with test ones. Corrected, only test pairs count, each seed selects by itself,
    and the numbers are means over seeds.

    Args:
        pair_probabilities: ``(S, n)``.
        roles: ``(n,)`` gold roles.
        splits: ``(n,)`` str, ``train``, ``validation`` or ``test``.
        variant: See above.

    Returns:
        One row per selection: ``set, selection_label, split, n, emo_cause_rate, emo_context_rate, non_pair_rate,
        all_context_rate, context_lift_vs_all, context_coverage``. With one seed there is no disagreement, and
        that row has ``n`` 0 and NaN.

    Raises:
        MetricInputError: Shapes that do not fit, or no test pairs for the corrected variant.
    """
    gold, split = np.asarray(roles), np.asarray(splits)
    p = per_seed(pair_probabilities, len(gold), "pair probabilities").astype(np.float64)
    if variant == "corrected":
        test = split == "test"
        if not test.any():
            raise MetricInputError("The corrected variant needs test pairs, but got none.")
        p, gold, split = p[:, test], gold[test], split[test]
        views = [p[i : i + 1] for i in range(len(p))]
    else:
        views = [p.mean(axis=0, keepdims=True)]
    names = [name for name in ("train", "validation", "test") if (split == name).any()]
    rows = []
    for key, label in SELECTIONS.items():
        if key == "seed_disagreement":
            decided = p >= 0.5
            chosen = [np.asarray(decided.any(axis=0) & ~decided.all(axis=0), dtype=np.bool_)]
        else:
            chosen = [_top(key, view[0], split) for view in views]
        rows.append({"set": key, "selection_label": label, "split": "+".join(names), **_rates(chosen, gold)})
    return pd.DataFrame(rows)


def _top(key: str, p: NDArray[np.float64], split: NDArray[np.str_]) -> NDArray[np.bool_]:
    score = {"closest_to_half": -np.abs(p - 0.5), "highest_probability": p, "lowest_probability": -p}[key]
    chosen = np.zeros(len(p), dtype=np.bool_)
    for name in np.unique(split):
        here = np.flatnonzero(split == name)
        size = -(-len(here) * _PERCENT // 100)  # rounded up, without the rounding of floats
        chosen[here[np.argsort(-score[here], kind="stable")[:size]]] = True
    return chosen


def _rates(chosen: list[NDArray[np.bool_]], gold: NDArray[np.int64]) -> dict[str, float]:
    n = float(np.mean([mask.sum() for mask in chosen]))
    base = float((gold == CONTEXT).mean())
    rates = np.array(
        [[(gold[mask] == role).mean() if mask.any() else np.nan for role in range(len(ROLE_LABELS))] for mask in chosen]
    ).mean(axis=0)
    contexts = (gold == CONTEXT).sum()
    covered = float(np.mean([(gold[mask] == CONTEXT).sum() for mask in chosen]))
    return {
        "n": n,
        **{f"{name}_rate": float(rate) for name, rate in zip(ROLE_LABELS, rates, strict=True)},
        "all_context_rate": base,
        "context_lift_vs_all": float(rates[CONTEXT] / base) if base else float("nan"),
        "context_coverage": covered / contexts if contexts else float("nan"),
    }
