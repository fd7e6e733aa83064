# ruff: noqa: B905  # Python 3.8, which HiLo's environment has, knows no zip(strict=...)
"""Ways to make decisions from logits, masks and ids: what could be HiLo's decision."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .data_files import Split
from .sources import Sources

__all__ = ["ALL", "NO_FILTER", "PAST", "RULES", "Bindings", "Decisions", "Reader", "Reading", "levels_of_readings"]

# Beyond this many logits that could be summed, only single ones and all together are tried.
_MOST_SUBSETS = 6
_MOST_READINGS = 20000

PAST, ALL, NO_FILTER = "past", "all", "none"
EITHER = "either"
RULES = {
    EITHER: "predicted id 1 of the target's emotion or of the cause",
    "both": "predicted id 1 of the target's emotion and of the cause",
    "target": "predicted id 1 of the target as emotion or as cause",
    "cause": "predicted id 1 of the cause as emotion or as cause",
}


@dataclass(frozen=True)
class Reading:
    """A way to make decisions from the values.

    Attributes:
        layout: A key of the layout.
        pairs: Paths of the pair logits that are summed.
        swapped: Rows are causes and columns targets.
        mask: ``past``, ``all`` or the path of a mask.
        emotion, cause: Paths of the logits or ids whose predicted id 1 keeps a pair; empty without this filter.
        filter: Path of a mask that keeps pairs instead; ``none`` if all are kept; empty with emotion and cause.
        rule: How emotion and cause keep a pair, see ``RULES``.
    """

    layout: str
    pairs: tuple[str, ...]
    swapped: bool = False
    mask: str = PAST
    emotion: tuple[str, ...] = ()
    cause: tuple[str, ...] = ()
    filter: str = ""
    rule: str = EITHER

    def in_words(self) -> dict[str, Any]:
        """As the output files state it."""
        return {
            "dialogues": self.layout,
            "pair_logits": "+".join(self.pairs),
            "rows": "causes" if self.swapped else "targets",
            "mask": self.mask,
            "filter": self.filter or RULES[self.rule],
            "emotion": "+".join(self.emotion) or None,
            "cause": "+".join(self.cause) or None,
        }


@dataclass
class Decisions:
    """What a reading makes of a split.

    Attributes:
        probability: float ``(n_cells,)``, 0 where mask or filter drop the pair.
        mask, kept: bool ``(n_cells,)``: what passes the mask, and what passes the filter.
        emotion, cause: int ``(n_utterances,)``, or None if unknown.
    """

    probability: Any
    mask: Any
    kept: Any
    emotion: Any = None
    cause: Any = None

    @property
    def predicted(self) -> Any:
        """HiLo's own decision, bool ``(n_cells,)``."""
        return self.probability >= 0.5

    def counts(self, split: Split) -> tuple[int, int, int]:
        """True positives, predicted pairs and gold pairs."""
        predicted = self.predicted
        return int((predicted & split.gold).sum()), int(predicted.sum()), int(split.gold.sum())


class Reader:
    """Applies readings to the sources of one layout; what several readings share is computed once."""

    def __init__(self, sources: Sources, split: Split):
        self.sources, self.split = sources, split
        transposed = [cells.T.ravel() for cells in split.matrices(np.arange(split.n_cells))]
        self._transposed = np.concatenate(transposed)
        self._probabilities: dict[tuple[tuple[str, ...], bool], Any] = {}
        self._ids: dict[tuple[str, ...], Any] = {}
        self._chosen: dict[Any, Any] = {}
        self._flags: dict[Any, Any] = {}

    def probability(self, paths: tuple[str, ...], swapped: bool = False) -> Any:
        """Softmax of the sum, second class; values that are probabilities already are taken as they are."""
        if (paths, swapped) not in self._probabilities:
            total = self.sources.pairs[paths[0]]
            for path in paths[1:]:
                total = total + self.sources.pairs[path]
            total = total[self._transposed] if swapped else total
            self._probabilities[paths, swapped] = _second_class(total)
        return self._probabilities[paths, swapped]

    def ids(self, paths: tuple[str, ...]) -> Any:
        """Predicted id of each utterance."""
        if paths not in self._ids:
            values = self.sources.utterances[paths[0]]
            for path in paths[1:]:
                values = values + self.sources.utterances[path]
            self._ids[paths] = values if values.ndim == 1 else values.argmax(-1)
        return self._ids[paths]

    def cells(self, path: str, swapped: bool) -> Any:
        """A mask of pairs."""
        values = self.sources.masks[path]
        return values[self._transposed] if swapped else values

    def mask(self, reading: Reading) -> Any:
        """What passes the mask."""
        if reading.mask == PAST:
            return self.split.past
        if reading.mask == ALL:
            return np.ones(self.split.n_cells, dtype=bool)
        return self.cells(reading.mask, reading.swapped)

    def counts(self, reading: Reading) -> tuple[int, int, int]:
        """True positives, predicted and gold pairs of :meth:`decide`, from the cells before the filter alone."""
        if reading.filter:
            return self.decide(reading).counts(self.split)
        key = (reading.pairs, reading.swapped, reading.mask)
        if key not in self._chosen:
            with np.errstate(invalid="ignore"):
                likely = self.probability(reading.pairs, reading.swapped) >= 0.5
            self._chosen = {key: np.flatnonzero(likely & self.mask(reading))}
            self._flags = {}
        chosen = self._chosen[key]
        kept = self._keep(reading, lambda place: place[chosen], self._flags)
        gold = self.split.gold[chosen]
        return int(np.count_nonzero(kept & gold)), int(np.count_nonzero(kept)), int(self.split.gold.sum())

    def _keep(self, reading: Reading, at: Callable[[Any], Any], flags: dict[Any, Any]) -> Any:
        """What the filter by emotion and cause keeps, of the chosen cells."""
        places = {"target": ("target", "target"), "cause": ("cause", "cause")}.get(reading.rule, ("target", "cause"))
        for key in zip((reading.emotion, reading.cause), places):
            if key not in flags:
                flags[key] = (self.ids(key[0]) == 1)[at(getattr(self.split, key[1]))]
        first, second = flags[reading.emotion, places[0]], flags[reading.cause, places[1]]
        return first & second if reading.rule == "both" else first | second

    def decide(self, reading: Reading) -> Decisions:
        """Decisions of a reading."""
        split = self.split
        mask = self.mask(reading)
        emotion: Any = self.ids(reading.emotion) if reading.emotion else None
        cause: Any = self.ids(reading.cause) if reading.cause else None
        if reading.filter == NO_FILTER:
            kept = np.ones(split.n_cells, dtype=bool)
        elif reading.filter:
            kept = self.cells(reading.filter, reading.swapped)
        else:
            kept = self._keep(reading, lambda place: place, {})
        probability = self.probability(reading.pairs, reading.swapped)
        with np.errstate(invalid="ignore"):
            probability = np.where(mask & kept & ~np.isnan(probability), probability, 0.0)
        return Decisions(probability, mask, kept, emotion, cause)


def _second_class(logits: Any) -> Any:
    """Probability of the second of two classes: ``(n, 2)`` -> ``(n,)``."""
    values = logits.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        known = values[~np.isnan(values).any(-1)]
        if known.size and known.min() >= 0 and np.allclose(known.sum(-1), 1, atol=1e-5):
            return values[:, 1]
        return 1 / (1 + np.exp(values[:, 0] - values[:, 1]))


def _subsets(names: Sequence[str]) -> list[tuple[str, ...]]:
    """Which logits could be summed: all, then fewer."""
    if not names:
        return []
    if len(names) <= _MOST_SUBSETS:
        sizes = range(len(names), 0, -1)
        return [subset for size in sizes for subset in itertools.combinations(names, size)]
    return [tuple(names), *((name,) for name in names)]


def _summands(reader: Reader, split: Split) -> list[str]:
    """Pair logits without those that say the same as one or the sum of others, such as a sum or its softmax."""
    names = list(reader.sources.pairs)
    for name in list(reversed(names)):
        others = [other for other in names if other != name]
        own = reader.probability((name,))
        with np.errstate(invalid="ignore"):
            same = any(
                np.allclose(reader.probability(subset)[split.past], own[split.past], atol=1e-5, equal_nan=True)
                for subset in _subsets(others)
            )
        if same:
            names = others
    return names


def _utterance_choices(reader: Reader) -> list[tuple[str, ...]]:
    """What could be the predicted ids of emotions or causes; each distinct result once."""
    by_width: dict[int, list[str]] = {}
    choices: list[tuple[str, ...]] = []
    seen: set[tuple[bytes, int]] = set()
    for path, values in reader.sources.utterances.items():
        # The same values under another path would count twice in a sum; unknown ones belong to a list of other classes.
        key = (values.tobytes(), values.ndim)
        if key in seen or np.isnan(values).any():
            continue
        seen.add(key)
        if values.ndim == 1:
            choices.append((path,))
        else:
            by_width.setdefault(values.shape[1], []).append(path)
    for names in by_width.values():
        choices += sorted(_subsets(names), key=lambda subset: (len(subset) > 1, -len(subset)))
    distinct: dict[bytes, tuple[str, ...]] = {}
    for choice in choices:
        distinct.setdefault(reader.ids(choice).astype(np.int64).tobytes(), choice)
    return list(distinct.values())


@dataclass(frozen=True)
class Bindings:
    """What the user named by hand; empty where it is looked for.

    Attributes:
        pair_logits, emotion, cause: Paths; several, which are summed, joined by ``+``.
        mask: ``past``, ``all`` or a path.
        filter: ``none`` or a path.
    """

    pair_logits: str = ""
    mask: str = ""
    filter: str = ""
    emotion: str = ""
    cause: str = ""


def levels_of_readings(reader: Reader, layout: str, bindings: Bindings) -> list[Iterator[Reading]]:
    """Readings to try, the documented one first.

    Args:
        reader: The values of one layout.
        layout: Its key.
        bindings: What the user named.

    Returns:
        Levels of readings; one is tried only if none of those before it fits. None if the layout lacks what was named.
    """
    sources = reader.sources
    named = {name: tuple(text.split("+")) if text else () for name, text in vars(bindings).items()}
    if (
        set(named["pair_logits"]) - set(sources.pairs)
        or {*named["emotion"], *named["cause"]} - set(sources.utterances)
        or {bindings.mask, bindings.filter} - {"", PAST, ALL, NO_FILTER} - set(sources.masks)
    ):
        return []
    sums = [named["pair_logits"]] if bindings.pair_logits else _subsets(_summands(reader, reader.split))
    choices = _utterance_choices(reader)
    emotions = [named["emotion"]] if bindings.emotion else choices
    causes = [named["cause"]] if bindings.cause else choices
    both = [(emotion, cause) for emotion in emotions for cause in causes if emotion != cause]
    masks = [bindings.mask or PAST]

    def readings(sums: Sequence[tuple[str, ...]], others: bool) -> Iterator[Reading]:
        """With the documented mask and filter, or with others too."""
        more_masks = [PAST, ALL, *sources.masks] if others and not bindings.mask else masks
        for paths, swapped, mask in itertools.product(sums, (False, True) if others else (False,), more_masks):
            if bindings.filter:
                yield Reading(layout, paths, swapped, mask, named["emotion"], named["cause"], bindings.filter)
                continue
            for rule, (emotion, cause) in itertools.product(RULES if others else (EITHER,), both):
                yield Reading(layout, paths, swapped, mask, emotion, cause, rule=rule)
            for name in (NO_FILTER, *sources.masks) if others else ():
                yield Reading(layout, paths, swapped, mask, filter=name)

    levels = (readings(sums[:1], False), readings(sums[1:], False), readings(sums[:1], True), readings(sums[1:], True))
    return [itertools.islice(level, _MOST_READINGS) for level in levels]
