"""Lists the candidate pairs of a dialogue, for corpora that publish gold pairs alone."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterable, Iterator
from typing import Literal

from iemomecp_dataset.schema import PairRow, TurnPair

__all__ = ["CANDIDATE_SPACES", "CandidateSpace", "candidate_turns", "labeled_candidates"]

CandidateSpace = Literal["all", "past"]

CANDIDATE_SPACES: tuple[CandidateSpace, ...] = ("all", "past")
"""``all``: every (target, cause) of a dialogue. ``past``: those with ``cause <= target``."""


def candidate_turns(n_turns: int, space: CandidateSpace) -> Iterator[tuple[int, int]]:
    """Lists the candidates of a dialogue in (target, cause) order.

    Args:
        n_turns: Utterances of the dialogue.
        space: One of :data:`CANDIDATE_SPACES`.

    Yields:
        ``(target_turn, cause_turn)``, 1-based.

    Example:
        >>> list(candidate_turns(2, "past"))
        [(1, 1), (2, 1), (2, 2)]
    """
    for target in range(1, n_turns + 1):
        for cause in range(1, (n_turns if space == "all" else target) + 1):
            yield target, cause


def labeled_candidates(
    n_turns: int, gold: Iterable[tuple[int, int]], space: CandidateSpace
) -> tuple[list[PairRow], list[TurnPair]]:
    """Labels every candidate of a dialogue.

    Args:
        n_turns: Utterances of the dialogue.
        gold: Gold pairs as ``(target_turn, cause_turn)``.
        space: One of :data:`CANDIDATE_SPACES`.

    Returns:
        The candidates with label 0 (pair) or 1 (non_pair), and the gold pairs outside the candidates.

    Example:
        >>> pairs, outside = labeled_candidates(2, [(1, 2), (2, 2)], "past")
        >>> [pair["label"] for pair in pairs], outside
        ([1, 1, 0], [{'target_turn': 1, 'cause_turn': 2}])
    """
    gold_set = set(gold)
    with _collector_paused():
        pairs = _labeled(n_turns, gold_set, space)
    return pairs, [{"target_turn": target, "cause_turn": cause} for target, cause in sorted(gold_set)]


def _labeled(n_turns: int, gold: set[tuple[int, int]], space: CandidateSpace) -> list[PairRow]:
    """The candidates with their labels; gold pairs among them are taken out of ``gold``."""
    pairs: list[PairRow] = []
    for target, cause in candidate_turns(n_turns, space):
        is_gold = (target, cause) in gold
        gold.discard((target, cause))
        pairs.append(
            {
                "target_turn": target,
                "cause_turn": cause,
                "label": 0 if is_gold else 1,
                "source_pair": is_gold,
                "context_subtypes": [],
                "taxonomy_label": None,
                "label_source": None,
            }
        )
    return pairs


@contextlib.contextmanager
def _collector_paused() -> Iterator[None]:
    """Pauses the garbage collector, which takes most of the time of making a million objects that all stay."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
