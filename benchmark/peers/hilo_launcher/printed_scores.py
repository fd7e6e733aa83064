# ruff: noqa: B905  # Python 3.8, which HiLo's environment has, knows no zip(strict=...)
"""Precision, recall and F1 in what HiLo prints."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["PrintedScore", "printed_scores", "scores_of_counts"]


@dataclass(frozen=True)
class PrintedScore:
    """Precision, recall and F1 as HiLo printed them.

    Attributes:
        precision, recall, f1: As printed.
        scale: 100 where they are percentages, else 1.
        tolerance: Largest error of their rounding.
    """

    precision: float
    recall: float
    f1: float
    scale: int
    tolerance: float

    def fits(self, true_positives: int, predicted: int, gold: int) -> bool:
        """Whether these are the scores of the counts.

        >>> PrintedScore(47.9146, 26.3748, 34.0220, 100, 0.00005).fits(494, 1031, 1873)
        True
        """
        expected = scores_of_counts(true_positives, predicted, gold)
        printed = (self.precision, self.recall, self.f1)
        return all(abs(self.scale * a - b) <= self.tolerance + 1e-9 * self.scale for a, b in zip(expected, printed))

    def could_be_of(self, gold: int) -> bool:
        """Whether some numbers of true positives and predictions give these scores with a number of gold pairs.

        >>> score = PrintedScore(47.9146, 26.3748, 34.0220, 100, 0.00005)
        >>> score.could_be_of(1873), score.could_be_of(1872)
        (True, False)
        """
        true_positives = round(self.recall / self.scale * gold)
        return self.fits(true_positives, round(true_positives * self.scale / self.precision), gold)


def scores_of_counts(true_positives: int, predicted: int, gold: int) -> tuple[float, float, float]:
    """Precision, recall and F1, each 0 where its denominator is."""
    return (
        true_positives / predicted if predicted else 0.0,
        true_positives / gold if gold else 0.0,
        2 * true_positives / (predicted + gold) if predicted + gold else 0.0,
    )


def printed_scores(text: str) -> list[PrintedScore]:
    """Finds three numbers in a row of which one is the F1 of the two others.

    Numbers without a decimal point, progress bars and times are skipped; F1 stands first or last.

    Args:
        text: What was printed.

    Returns:
        All that are found and are above 0, in order.

    >>> [score.f1 for score in printed_scores("epoch 3 test 47.9146 26.3748 34.0220")]
    [34.022]
    """
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    text = re.sub(r"\[(?=[^\[\]\n]*?(?:it/s|s/it))[^\[\]\n]*+\]|(?<!\d)\d++:\d+(?::\d+)?(?:[.,]\d+)?", " ", text)
    words = re.findall(r"(?<![\w.])\d++\.\d++(?:[eE]-?\d++)?+(?![\w.]*\.\d)", text)
    found: list[PrintedScore] = []
    for three in zip(words, words[1:], words[2:]):
        decimals = min(8, *(len(re.sub(r"[eE].*", "", word).split(".")[1]) for word in three))
        for order in ((0, 1, 2), (1, 2, 0)):
            precision, recall, f1 = (float(three[place]) for place in order)
            if decimals < 2 or min(precision, recall, f1) <= 0 or max(precision, recall, f1) > 100:
                continue
            tolerance = 0.5 * 10.0**-decimals
            # The errors of the three roundings add up.
            if abs(2 * precision * recall / (precision + recall) - f1) <= 4 * tolerance + 1e-7:
                # At most 1: a fraction, or a percentage of a system that finds next to nothing.
                scales = [1, 100] if max(precision, recall) <= 1 else [100]
                found += [PrintedScore(precision, recall, f1, scale, tolerance) for scale in scales]
    return list(dict.fromkeys(found))
