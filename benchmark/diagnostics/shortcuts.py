"""Diagnostics 6 and 7: pairs on which distance, words or the source label disagree with the gold role."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from iemomecp_dataset.benchmark.diagnostics.pair_facts import PairFacts
from iemomecp_dataset.benchmark.diagnostics.variant import CAUSE, CONTEXT, NON_PAIR, Variant, per_seed, pooled_sd
from iemomecp_dataset.metrics.scoring import mean_and_sd

__all__ = ["conflict_subsets", "stress_subsets", "subset_scores"]


def conflict_subsets(facts: PairFacts) -> dict[str, NDArray[np.bool_]]:
    """Selects the pairs of diagnostic 6, on which a shortcut and the gold role disagree.

    Args:
        facts: The pairs.

    Returns:
        By name ``(n,)`` bool. ``local_non_pair``: non-pairs with signed distance at most 1;
        ``long_distance_emo_cause``: causes at least 6 turns back; ``source_nonpair_emo_context``: contexts that are
        non-pairs of the binary annotation; ``source_pair_not_cause``: its pairs that are not causes.
    """
    d, roles, source = facts.distances, facts.roles, facts.source_pairs
    return {
        "local_non_pair": (roles == NON_PAIR) & (d <= 1),
        "long_distance_emo_cause": (roles == CAUSE) & (d >= 6),
        "source_nonpair_emo_context": (roles == CONTEXT) & ~source,
        "source_pair_not_cause": (roles != CAUSE) & source,
    }


def stress_subsets(facts: PairFacts, *, variant: Variant) -> dict[str, NDArray[np.bool_]]:
    """Selects the pairs of diagnostic 7: near non-pairs with words of their target, and pairs that shortcuts miss.

    As published three quarters of the first set are self-pairs, which trivially share every word; corrected, they are
    left out.

    Args:
        facts: The pairs.
        variant: See above.

    Returns:
        By name ``(n,)`` bool: ``local_lexical_non_pair, long_distance_emo_cause, source_nonpair_emo_context``.
    """
    conflicts = conflict_subsets(facts)
    lexical = conflicts["local_non_pair"] & (facts.lexical_overlap > 0)
    if variant == "corrected":
        lexical &= facts.distances != 0
    return {
        "local_lexical_non_pair": lexical,
        "long_distance_emo_cause": conflicts["long_distance_emo_cause"],
        "source_nonpair_emo_context": conflicts["source_nonpair_emo_context"],
    }


def subset_scores(
    subsets: dict[str, NDArray[np.bool_]],
    probabilities: ArrayLike,
    facts: PairFacts,
    decided: ArrayLike | None = None,
) -> pd.DataFrame:
    """Averages the output of a system on each subset.

    Args:
        subsets: Masks by name.
        probabilities: ``(S, n)`` of the class of interest.
        facts: The pairs.
        decided: ``(S, n)`` bool, is that class predicted; by default where its probability is at least 0.5.

    Returns:
        One row per subset: ``subset, n, prob_mean, prob_std`` (of means over seeds, ddof 1), ``prob_pooled_std`` (over
        pairs of all seeds, ddof 1, as published for diagnostic 6), ``pred_rate, mean_distance, mean_lexical_overlap,
        self_pair_share``; NaN in an empty subset.
    """
    p = per_seed(probabilities, len(facts), "probabilities")
    hard = per_seed(p >= 0.5 if decided is None else decided, len(facts), "decisions")
    rows = []
    for name, mask in subsets.items():
        n = int(mask.sum())
        mean, sd = mean_and_sd(p[:, mask].mean(axis=1) if n else np.full(len(p), np.nan))
        rows.append(
            {
                "subset": name,
                "n": n,
                "prob_mean": float(mean),
                "prob_std": float(sd),
                "prob_pooled_std": pooled_sd(p[:, mask]),
                "pred_rate": hard[:, mask].mean() if n else np.nan,
                "mean_distance": facts.distances[mask].mean() if n else np.nan,
                "mean_lexical_overlap": facts.lexical_overlap[mask].mean() if n else np.nan,
                "self_pair_share": (facts.distances[mask] == 0).mean() if n else np.nan,
            }
        )
    return pd.DataFrame(rows)
