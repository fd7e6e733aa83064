"""Diagnostic 8: contexts against non-pairs of the same dialogue and distance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from iemomecp_dataset.benchmark.diagnostics.pair_facts import PairFacts
from iemomecp_dataset.benchmark.diagnostics.variant import CONTEXT, NON_PAIR, per_seed, pooled_sd

__all__ = ["MatchedContrast", "match_contexts", "matched_contrast"]


@dataclass(frozen=True)
class MatchedContrast:
    """Mean difference between contexts and their matches.

    Attributes:
        context_mean: Mean of the contexts that have a match.
        non_pair_mean: Mean of the matches.
        difference: Mean of context minus match.
        context_sd: Standard deviation over matches and seeds, ddof 1; so are the next two.
        non_pair_sd: Of the matches.
        difference_sd: Of the difference.
        n_matches: Matches.
        n_unmatched: Contexts without one, which are left out.
    """

    context_mean: float
    non_pair_mean: float
    difference: float
    context_sd: float
    non_pair_sd: float
    difference_sd: float
    n_matches: int
    n_unmatched: int


def match_contexts(facts: PairFacts) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Gives each context a non-pair of the same dialogue and the same signed distance.

    The published analysis does not name its matching key (738 matches in test). Ours: the same dialogue and distance;
    among these the same relation of speakers first, then the nearest target turn, then the earlier one. No non-pair is
    used twice; contexts are matched in row order.

    Args:
        facts: The pairs.

    Returns:
        Indices of contexts and of their matches, ``(m,)`` each.
    """
    free: dict[tuple[str, int], list[int]] = {}
    dialogue_ids, targets, distances = facts.pairs.dialogue_ids, facts.pairs.target_turns, facts.distances
    for i in np.flatnonzero(facts.roles == NON_PAIR):
        free.setdefault((str(dialogue_ids[i]), int(distances[i])), []).append(int(i))
    contexts, matches = [], []
    for i in np.flatnonzero(facts.roles == CONTEXT):
        candidates = free.get((str(dialogue_ids[i]), int(distances[i])), [])
        if not candidates:
            continue
        best = min(
            candidates,
            key=lambda j: (
                bool(facts.same_speaker[j] != facts.same_speaker[i]),
                abs(int(targets[j]) - int(targets[i])),
                j,
            ),
        )
        candidates.remove(best)
        contexts.append(int(i))
        matches.append(best)
    return np.array(contexts, dtype=np.int64), np.array(matches, dtype=np.int64)


def matched_contrast(values: ArrayLike, facts: PairFacts) -> MatchedContrast:
    """Contrasts a value between contexts and their matches.

    Args:
        values: ``(S, n)``, P(pair) of a binary model or P(emo_context) of a three-role one.
        facts: The pairs.

    Returns:
        The contrast; NaN where nothing matches.
    """
    p = per_seed(values, len(facts), "values")
    contexts, matches = match_contexts(facts)
    unmatched = int((facts.roles == CONTEXT).sum()) - len(contexts)
    if not len(contexts):
        nan = float("nan")
        return MatchedContrast(*6 * (nan,), n_matches=0, n_unmatched=unmatched)
    difference = p[:, contexts] - p[:, matches]
    return MatchedContrast(
        context_mean=float(p[:, contexts].mean()),
        non_pair_mean=float(p[:, matches].mean()),
        difference=float(difference.mean()),
        context_sd=pooled_sd(p[:, contexts]),
        non_pair_sd=pooled_sd(p[:, matches]),
        difference_sd=pooled_sd(difference),
        n_matches=len(contexts),
        n_unmatched=unmatched,
    )
