"""Windowed re-scoring: what a number would be if only near or past causes were candidates, as in some papers.

Predictions and gold are restricted alike. Such a score is not one of the corpus's own candidate space; the table, the
JSON and the signature say so.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.metrics.evaluation.gold import GoldSplit
from iemomecp_dataset.metrics.set_scores import PairSet
from iemomecp_dataset.pair_table import PairKeys

__all__ = ["EVERYWHERE", "WINDOW_STATEMENT", "PairWindow", "gold_within"]

WINDOW_STATEMENT = "windowed re-scoring: not the corpus's own candidate space"


@dataclass(frozen=True)
class PairWindow:
    """Which pairs are scored.

    Attributes:
        turns: The most turns between target and cause; ``None``: any number.
        past: Whether the cause must not come after its target.

    Example:
        >>> window = PairWindow(turns=4, past=True)
        >>> window.word, window.keeps(np.array([9, 9, 9]), np.array([5, 4, 10])).tolist()
        ('past-4', [True, False, False])
    """

    turns: int | None = None
    past: bool = False

    def __post_init__(self) -> None:
        if self.turns is not None and self.turns < 0:
            raise UsageError(f"A window is 0 or more turns wide; found {self.turns}.")

    def __bool__(self) -> bool:
        return self.past or self.turns is not None

    @property
    def word(self) -> str:
        """The window as it stands in a signature; ``none`` where every pair is scored."""
        parts = ["past"] * self.past + ([] if self.turns is None else [str(self.turns)])
        return "-".join(parts) or "none"

    def keeps(self, target_turns: NDArray[np.int64], cause_turns: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tells which pairs are scored.

        Args:
            target_turns: ``(n,)``.
            cause_turns: ``(n,)``.

        Returns:
            ``(n,)`` bool.
        """
        distances = target_turns - cause_turns
        kept = np.ones(distances.shape, dtype=np.bool_)
        if self.past:
            kept &= distances >= 0
        return kept if self.turns is None else kept & (np.abs(distances) <= self.turns)

    def of(self, pairs: PairKeys | PairSet) -> NDArray[np.bool_]:
        """Tells which of some pairs are scored."""
        return self.keeps(pairs.target_turns, pairs.cause_turns)


EVERYWHERE = PairWindow()
"""Every pair is scored."""


def gold_within(gold: GoldSplit, window: PairWindow) -> GoldSplit:
    """Restricts candidates and gold pairs to a window.

    Args:
        gold: The gold.
        window: The window.

    Returns:
        The gold of the pairs within; the same where every pair is.
    """
    if not window:
        return gold
    kept = window.of(gold.table)
    pairs = gold.pairs.where(window.of(gold.pairs))
    table = gold.table.take(kept)
    inside = set(zip(*(values.tolist() for values in table.take(table.labels == 0).keys), strict=True))
    keys = zip(pairs.dialogue_ids.tolist(), pairs.target_turns.tolist(), pairs.cause_turns.tolist(), strict=True)
    missed = Counter(gold.source_dialogues[key[0]] for key in keys if key not in inside)
    return replace(
        gold,
        table=replace(table, missed_positives=missed.total()),
        pairs=pairs,
        source_pairs=None if gold.source_pairs is None else gold.source_pairs[kept],
        missed_by_source=dict(missed),
    )
