"""Scores on validation in what a peer prints while it trains, told from those of other splits by their counts."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from iemomecp_dataset.benchmark.peers.hilo_launcher.printed_scores import PrintedScore, printed_scores

__all__ = ["PrintedCourse", "PrintedEvaluation"]

_LINES = 40
"""Lines over which precision, recall and F1 of one evaluation may be spread."""

_COARSEST = 0.01
"""Largest error of a printed recall, in pairs: with a larger one, most scores could be those of most splits."""


@dataclass(frozen=True)
class PrintedEvaluation:
    """Precision, recall and F1 that a peer printed, in percent.

    Attributes:
        precision, recall, f1: As printed.
        doubt: Why they cannot be told to be those of validation; empty where they can.
    """

    precision: float
    recall: float
    f1: float
    doubt: str = ""


class PrintedCourse:
    """Reads what a peer prints, line by line, and finds its scores on validation.

    A score is one of validation if some whole numbers of true positives and predictions give it with the gold pairs of
    validation, and none with those of another split. What could be either is returned with a doubt, and what cannot be
    validation's is passed over. An evaluation without any true positive is not found: it tells no split.

    Args:
        gold: By split its gold pairs, ``validation`` among them.

    >>> course = PrintedCourse({"validation": 866, "test": 1873})
    >>> course.read("test 47.9146 26.3748 34.0220")
    >>> course.read("valid 54.9383 41.1085 47.0277")
    PrintedEvaluation(precision=54.9383, recall=41.1085, f1=47.0277, doubt='')
    """

    def __init__(self, gold: Mapping[str, int]):
        self._gold = gold["validation"]
        self._others = {split: count for split, count in gold.items() if split != "validation"}
        self._lines: deque[str] = deque(maxlen=_LINES)

    def read(self, line: str) -> PrintedEvaluation | None:
        """Takes the next line.

        Returns:
            The evaluation that it completes; None if it completes none that could be one of validation.
        """
        self._lines.append(line.rstrip("\r\n"))
        found = [score for score in printed_scores("\n".join(self._lines)) if score.could_be_of(self._gold)]
        if not found:
            return None
        self._lines.clear()
        first = found[0]
        precision, recall, f1 = (100 / first.scale * value for value in (first.precision, first.recall, first.f1))
        return PrintedEvaluation(precision, recall, f1, self._doubt(found))

    def _doubt(self, found: list[PrintedScore]) -> str:
        if len(found) > 1:
            return "several scores that could be those of validation were printed at once"
        score = found[0]
        if score.tolerance / score.scale * self._gold > _COARSEST:
            return "they are rounded too coarsely to tell which split they are of"
        also = [split for split, count in self._others.items() if score.could_be_of(count)]
        return f"they could be those of {' and '.join(also)}, too" if also else ""
