"""Definitions A to D from their words alone, over Python sets; and lists of pairs as other people's files hold them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from hypothesis import strategies as st

from iemomecp_dataset.metrics.set_scores import PairSet

Triple = tuple[str, int, int, str]


def f1_of(found, wanted):
    """Precision, recall and F1 of a found set against a wanted one."""
    hits = len(found & wanted)
    precision = hits / len(found) if found else 0.0
    recall = hits / len(wanted) if wanted else 0.0
    return precision, recall, (2 * precision * recall / (precision + recall) if hits else 0.0)


def slow_definition(letter, predicted: Iterable[Triple], gold: Iterable[Triple]):
    """(precision, recall, F1) from the words of the definition, over (dialogue, target, cause, emotion)."""
    if letter in "AB":
        found, wanted = {row[:3] for row in predicted}, {row[:3] for row in gold}
        if letter == "B":
            wanted = {(d, t, c) for d, t, c in wanted if c <= t}
        return f1_of(found, wanted)
    found = {row for row in predicted if row[3] != "neutral"}
    wanted = {row for row in gold if row[3] != "neutral"}
    if letter == "C":
        return f1_of(found, wanted)
    # The six of SemEval-2024 Task 3, and without the two rare ones.
    emotions = ["anger", "joy", "sadness", "surprise"] + ([] if letter == "D main" else ["disgust", "fear"])
    each = {e: f1_of({r for r in found if r[3] == e}, {r for r in wanted if r[3] == e}) for e in emotions}
    support = {e: sum(row[3] == e for row in wanted) for e in emotions}
    total = sum(support.values())
    return tuple(sum(support[e] / total * each[e][i] for e in emotions) if total else 0.0 for i in range(3))


def as_given(rows: Iterable[Triple], *, emotions: bool = True) -> PairSet:
    """Pairs in their order, repeats included; `pair_set` would refuse them."""
    rows = list(rows)
    return PairSet(
        np.array([row[0] for row in rows], dtype=np.str_),
        np.array([row[1] for row in rows], dtype=np.int64),
        np.array([row[2] for row in rows], dtype=np.int64),
        np.array([row[3] for row in rows], dtype=np.str_) if emotions else None,
    )


def lists_of_pairs(max_size: int = 12) -> st.SearchStrategy[list[Triple]]:
    """Few dialogues, turns and emotions, so that pairs and their turns repeat, with one emotion and with several."""
    triple = st.tuples(
        st.sampled_from("abc"),
        st.integers(-1, 2),
        st.integers(-1, 2),
        st.sampled_from(["joy", "anger", "fear", "neutral"]),
    )
    return st.lists(triple, max_size=max_size)
