"""Looks for the reading whose score is the one that HiLo printed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .data_files import Split
from .layouts import find_layouts
from .printed_scores import PrintedScore, scores_of_counts
from .readings import ALL, NO_FILTER, PAST, Bindings, Decisions, Reader, Reading, levels_of_readings
from .sources import find_sources

__all__ = ["Match", "Search", "find_reading", "read_again"]


@dataclass
class Match:
    """A reading whose scores are those that HiLo printed.

    Attributes:
        reading: The reading.
        decisions: What it makes of test.
        printed: The printed score.
        counts: True positives, predicted pairs, gold pairs.
        keys: All evidence of its layout.
        remarks: What the user should know.
        emotion_is_sure, cause_is_sure: No other reading that fits has other ids.
    """

    reading: Reading
    decisions: Decisions
    printed: PrintedScore
    counts: tuple[int, int, int]
    keys: list[str]
    remarks: list[str] = field(default_factory=list)
    emotion_is_sure: bool = True
    cause_is_sure: bool = True


@dataclass
class Search:
    """What the search tried.

    Attributes:
        n_readings: How many readings.
        nearest: Those of nearest F1, each with its counts.
        problem: Why none is accepted; empty if one is.
    """

    n_readings: int = 0
    nearest: list[tuple[float, Reading, tuple[int, int, int]]] = field(default_factory=list)
    problem: str = ""

    def note(self, reading: Reading, counts: tuple[int, int, int], printed: Sequence[PrintedScore]) -> None:
        """Counts a reading that does not fit."""
        f1 = scores_of_counts(*counts)[2]
        off = min((abs(score.scale * f1 - score.f1) / score.scale for score in printed), default=1.0)
        if len(self.nearest) < 5 or off < self.nearest[-1][0]:
            self.nearest = sorted([*self.nearest, (off, reading, counts)], key=lambda item: item[0])[:5]


# Outputs of the model; then of modules within it; then what softmax, argmax and the like are given.
_PREFIXES = (("output",), ("output", "inner"), ("output", "inner", "call"))


def find_reading(
    steps: Sequence[Mapping[str, Any]],
    split: Split,
    printed: Sequence[PrintedScore],
    bindings: Bindings,
    search: Search,
    confirm: Callable[[Match], bool] | None = None,
) -> Match | None:
    """The reading whose true positives, predictions and gold pairs give a printed score.

    Args:
        steps: What was seen in each step of the pass over test.
        split: Test.
        printed: Scores that HiLo printed after that pass began.
        bindings: What the user named.
        search: Filled with what was tried.
        confirm: Chooses among readings with different decisions, where several fit.

    Returns:
        The match; None if nothing fits, or if readings with different decisions do.
    """
    layouts = find_layouts(steps, split)
    if not layouts:
        search.problem = "no value says which dialogues are in which step"
        return None
    if not printed:
        search.problem = (
            "HiLo printed no precision, recall and F1 above 0 after its last evaluation, so that nothing can be checked"
        )
        return None
    tried: set[Reading] = set()
    for prefixes in _PREFIXES:
        readers = [(layout, Reader(find_sources(steps, layout, split, prefixes), split)) for layout in layouts]
        levels = [
            (layout, reader, levels_of_readings(reader, layout.keys[0], bindings))
            for layout, reader in readers
            if reader.sources.pairs
        ]
        for level in range(4):
            fitting: list[Match] = []
            for layout, reader, found in levels:
                for reading in found[level] if found else ():
                    if reading in tried:
                        continue
                    tried.add(reading)
                    counts = reader.counts(reading)
                    fits = [score for score in printed if score.fits(*counts)]
                    if fits:
                        fitting.append(Match(reading, reader.decide(reading), fits[0], counts, layout.keys))
                    else:
                        search.note(reading, counts, printed)
            search.n_readings = len(tried)
            if fitting:
                return _choose(fitting, search, confirm)
    search.problem = f"none of {len(tried)} ways to read the decisions has a score that HiLo printed for them"
    return None


def _choose(fitting: Sequence[Match], search: Search, confirm: Callable[[Match], bool] | None = None) -> Match | None:
    """The first of the readings that fit, unless another one decides differently."""
    if confirm is not None and len({match.decisions.predicted.tobytes() for match in fitting}) > 1:
        fitting = [match for match in fitting if confirm(match)] or fitting
    first = fitting[0]
    for other in fitting[1:]:
        if not np.array_equal(first.decisions.predicted, other.decisions.predicted):
            search.problem = "several ways to read the decisions, which differ, have the score that HiLo printed"
            search.nearest = [(0.0, match.reading, match.counts) for match in fitting[:5]]
            return None
        if not np.allclose(first.decisions.probability, other.decisions.probability, atol=1e-6):
            first.remarks = [
                f"{'+'.join(other.reading.pairs)} gives the same decisions with other probabilities; "
                f"{'+'.join(first.reading.pairs)} was taken"
            ]
        first.emotion_is_sure &= np.array_equal(first.decisions.emotion, other.decisions.emotion)
        first.cause_is_sure &= np.array_equal(first.decisions.cause, other.decisions.cause)
    return first


def read_again(steps: Sequence[Mapping[str, Any]], split: Split, match: Match) -> Decisions | None:
    """Applies a reading to another pass, by the same evidence; None where a value is missing."""
    reading = match.reading
    layouts = [layout for layout in find_layouts(steps, split) if set(layout.keys) & set(match.keys)]
    for layout in sorted(layouts, key=lambda layout: -len(set(layout.keys) & set(match.keys))):
        reader = Reader(find_sources(steps, layout, split, _PREFIXES[-1]), split)
        known = {*reader.sources.pairs, *reader.sources.utterances, *reader.sources.masks}
        named = {*reading.pairs, *reading.emotion, *reading.cause, reading.mask, reading.filter}
        if named - {PAST, ALL, NO_FILTER, ""} <= known:
            return reader.decide(reading)
    return None
