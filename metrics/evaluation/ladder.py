"""Counts of how answers in free text were read: every answer at one step, every listed pair kept or refused once.

A run of a language model and a file of another system that is read leniently are counted alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

__all__ = [
    "BY_SCHEMA",
    "INSIDE_TEXT",
    "IN_WORDS",
    "NO_TARGET",
    "NO_TURN",
    "OUTSIDE",
    "OVER",
    "REFUSALS",
    "REPEATED",
    "STEPS",
    "UNUSABLE",
    "Counted",
    "Entry",
    "Ladder",
]

BY_SCHEMA, INSIDE_TEXT, IN_WORDS, UNUSABLE = "valid by schema", "JSON inside text", "in words", "unusable"
STEPS = (BY_SCHEMA, INSIDE_TEXT, IN_WORDS, UNUSABLE)
"""Where an answer is read, in the order in which it is tried."""

NO_TURN = "turn outside the dialogue"
NO_TARGET = "emotion of its target is neutral"
REPEATED = "repeated"
OVER = "over the most that are asked for"
OUTSIDE = "outside the candidates"
REFUSALS = (NO_TURN, NO_TARGET, REPEATED, OVER, OUTSIDE)
"""Why a listed pair is not kept; the first that applies counts."""


class Counted(Protocol):
    """What is counted of one answer."""

    @property
    def step(self) -> str:
        """One of :data:`STEPS`."""

    @property
    def listed(self) -> int:
        """Pairs that it lists."""

    @property
    def n_kept(self) -> int:
        """Those of them that are kept."""

    @property
    def refused(self) -> Mapping[str, int]:
        """The others, by reason."""

    @property
    def remarks(self) -> Mapping[str, int]:
        """What had to be overlooked, by kind."""

    @property
    def ending(self) -> str:
        """How the answer ended where it did not by itself; else empty."""


@dataclass(frozen=True)
class Entry:
    """The counts of one entry of a file, which has no ending.

    Attributes:
        step: As in :class:`Counted`, and so are the others.
        listed: Pairs that it lists.
        n_kept: Those that are kept.
        refused: The others, by reason.
        remarks: What had to be overlooked.
        ending: Empty.
    """

    step: str
    listed: int = 0
    n_kept: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)
    remarks: Mapping[str, int] = field(default_factory=dict)
    ending: str = ""


@dataclass
class Ladder:
    """Counts over many answers.

    Attributes:
        steps: Answers by step.
        endings: Answers by how they ended, where not by themselves.
        listed: Pairs that the answers list.
        kept: Pairs that are kept.
        refused: Pairs that are not, by reason.
        remarks: What was overlooked, by kind.

    Example:
        >>> ladder = Ladder()
        >>> ladder.add(Entry(BY_SCHEMA, listed=2, n_kept=1, refused={REPEATED: 1}))
        >>> ladder.add(Entry(UNUSABLE))
        >>> ladder.answers, ladder.listed, ladder.kept, ladder.refused.total()
        (2, 2, 1, 1)
    """

    steps: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(STEPS, 0)))
    endings: Counter[str] = field(default_factory=Counter)
    listed: int = 0
    kept: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    remarks: Counter[str] = field(default_factory=Counter)

    def add(self, found: Counted) -> None:
        """Counts one answer."""
        self.steps[found.step] += 1
        if found.ending:
            self.endings[found.ending] += 1
        self.listed += found.listed
        self.kept += found.n_kept
        self.refused.update(found.refused)
        self.remarks.update(found.remarks)

    @property
    def answers(self) -> int:
        """Number of answers."""
        return self.steps.total()

    def as_record(self) -> dict[str, Any]:
        """The counts as a record states them; ``share_by_schema`` is None without answers."""
        return {
            "answers": self.answers,
            "steps": {step: self.steps[step] for step in STEPS},
            "share_by_schema": self.steps[BY_SCHEMA] / self.answers if self.answers else None,
            "endings": dict(self.endings),
            "pairs_listed": self.listed,
            "pairs_kept": self.kept,
            "pairs_refused": dict(self.refused),
            "remarks": dict(self.remarks),
        }
