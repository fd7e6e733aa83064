"""The score by which the systems of a task are ranked, wherever the page draws or sorts them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from iemomecp_dataset.benchmark.baselines.emotion_rows import MAJORITY
from iemomecp_dataset.benchmark.baselines.explanation_rows import MEDOID
from iemomecp_dataset.benchmark.baselines.structural import DISTANCE_ONLY
from iemomecp_dataset.benchmark.board_rows import BoardRow
from iemomecp_dataset.benchmark.runs.results import ERC, EXPLANATION, HEADLINE, PAIRS

__all__ = ["CONTENT_CIDER", "PAIR_F1", "WEIGHTED_F1", "Headline"]


@dataclass(frozen=True)
class Headline:
    """A score, and the structural baseline that figures draw as a dashed line.

    Attributes:
        key: Its name in the metrics of a run.
        name: Its name on the page.
        baseline: Key of the baseline.
        baseline_name: The baseline in words.
        scale: What the score is multiplied by where it is shown: 100 for percent.
    """

    key: str
    name: str
    baseline: str
    baseline_name: str
    scale: float = 100.0

    @property
    def unit(self) -> str:
        """What follows the name on an axis."""
        return ", %" if self.scale == 100.0 else ""

    def text(self, value: float) -> str:
        """Formats a value of the score.

        Example:
            >>> PAIR_F1.text(0.5791), CONTENT_CIDER.text(0.387)
            ('57.91', '0.387')
        """
        if math.isnan(value):
            return "n/a"
        return f"{self.scale * value:.2f}" if self.scale == 100.0 else f"{value:.3f}"

    def of(self, row: BoardRow, split: str) -> float:
        """Mean of the score as a sort key; -1 if it is missing or undefined."""
        score = row.score(split, self.key)
        return -1.0 if score is None or math.isnan(score.mean) else score.mean


PAIR_F1 = Headline(HEADLINE[PAIRS], "Pair F1", DISTANCE_ONLY, "the row distance only")
"""Of runs that find pairs."""

WEIGHTED_F1 = Headline(HEADLINE[ERC], "Weighted F1", MAJORITY, "the majority class")
"""Of runs that recognise emotions."""

CONTENT_CIDER = Headline(HEADLINE[EXPLANATION], "Content CIDEr", MEDOID, "the medoid explanation", scale=1.0)
"""Of runs that explain emotions."""
