"""Scores of sets of pairs, and the texts of the definitions of Pair F1 (:data:`DEFINITIONS`).

A set has each of its items once: under A and B, which have no emotions, a (target, cause) that is named with two
emotions is one pair, in predictions and gold alike; under C and D it is two triples.
C and D keep the habits of the SemEval-2024 Task 3 evaluation (arXiv 2405.13049), so that numbers compare with those
of its participants: triples with emotion ``neutral`` count neither for nor against a system, among predictions and
gold alike, and are counted; weights are gold shares over the emotions averaged, all six or the main four; and the
weighted F1 is the weighted mean of the F1 of each emotion, which is not the harmonic mean of the weighted precision
and recall beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from iemomecp_dataset.errors import MetricInputError, UsageError, did_you_mean
from iemomecp_dataset.metrics.arguments.argument_checks import as_array, text_column
from iemomecp_dataset.metrics.scoring import precision_recall_f1, ratio
from iemomecp_dataset.schema import NEUTRAL_EMOTIONS

__all__ = [
    "DEFINITIONS",
    "MAIN_EMOTIONS",
    "SEMEVAL_EMOTIONS",
    "PairSet",
    "SetCounts",
    "SetDefinition",
    "count_sets",
    "pair_set",
    "scores_of_counts",
    "set_scores",
]

SetDefinition = Literal["A", "B", "C", "D"]

DEFINITIONS: Mapping[str, str] = {
    "A": "set micro F1 over (dialogue, target, cause); the gold is every annotated pair, so that pairs outside the "
    "candidates count as missed",
    "B": "definition A with the gold restricted to causes that do not come after their target; predictions are not "
    "restricted, and recall is inflated",
    "C": "definition A over (dialogue, target, cause, emotion): the emotion category must match too (SemEval-2024 "
    "Task 3)",
    "D": "definition C scored for each emotion and averaged with the gold shares as weights (SemEval-2024 Task 3)",
    "E": "windowed precision with un-windowed recall; not an F1, never reported",
    "F": "classification F1 of the positive class on a fixed list of candidate pairs",
}
"""The definitions of Pair F1 by letter, as they are printed under tables. A is the one to compare with; B to D are set
scores too, F is :func:`iemomecp_dataset.metrics.scoring.pair_scores`, E is not computed."""

SEMEVAL_EMOTIONS = ("anger", "disgust", "fear", "joy", "sadness", "surprise")
"""The six emotions of ECF and SemEval-2024 Task 3."""

MAIN_EMOTIONS = ("anger", "joy", "sadness", "surprise")
"""The four frequent ones; the second average of definition D is over these."""


@dataclass(frozen=True)
class PairSet:
    """Holds pairs. Build it with :func:`pair_set`, which checks that each is given once.

    Attributes:
        dialogue_ids: ``(n,)`` str.
        target_turns: ``(n,)`` int64.
        cause_turns: ``(n,)`` int64.
        emotions: ``(n,)`` str, the predicted or gold emotion of the target; ``None`` where pairs have none.
    """

    dialogue_ids: NDArray[np.str_]
    target_turns: NDArray[np.int64]
    cause_turns: NDArray[np.int64]
    emotions: NDArray[np.str_] | None = None

    def __len__(self) -> int:
        return len(self.target_turns)

    def where(self, kept: NDArray[np.bool_] | NDArray[np.intp]) -> PairSet:
        """Selects pairs.

        Args:
            kept: ``(n,)`` bool, or the positions of the pairs to keep.

        Returns:
            Those pairs.
        """
        return PairSet(
            self.dialogue_ids[kept],
            self.target_turns[kept],
            self.cause_turns[kept],
            None if self.emotions is None else self.emotions[kept],
        )

    def without_emotions(self) -> PairSet:
        """Drops the emotions; pairs that only their emotions told apart become one.

        Returns:
            The pairs, each (dialogue, target, cause) once.

        Example:
            >>> len(pair_set(["d", "d"], [3, 3], [2, 2], ["joy", "anger"]).without_emotions())
            1
        """
        return _each_once(PairSet(self.dialogue_ids, self.target_turns, self.cause_turns))


@dataclass(frozen=True)
class SetCounts:
    """Holds the sizes a set score is computed from, by dialogue, so that dialogues can be resampled.

    Attributes:
        definition: A, B, C or D.
        units: ``(u,)`` str, the units (dialogues) counted.
        class_names: ``k`` names: the emotions, or the one class ``pair``.
        counts: ``(u, k, 3)`` int64: correct, predicted, gold.
        n_neutral_predicted: Predicted triples with a neutral emotion, which C and D leave out.
        n_neutral_gold: Gold ones.
    """

    definition: SetDefinition
    units: NDArray[np.str_]
    class_names: tuple[str, ...]
    counts: NDArray[np.int64]
    n_neutral_predicted: int = 0
    n_neutral_gold: int = 0


def set_scores(
    predicted: PairSet, gold: PairSet, *, definition: str = "A", emotions: Sequence[str] = SEMEVAL_EMOTIONS
) -> dict[str, Any]:
    """Scores a set of predicted pairs.

    Args:
        predicted: The pairs of a system.
        gold: All gold pairs, those outside any candidate list included.
        definition: A, B, C or D of :data:`DEFINITIONS`.
        emotions: The emotions averaged in C and D, besides the neutral one.

    Returns:
        ``pair_precision, pair_recall, pair_f1`` (0 where a denominator is 0), ``n_correct, n_predicted, n_gold``. C
        and D also give ``<emotion>_precision/_recall/_f1/_support``, ``n_neutral_predicted``, ``n_neutral_gold``,
        ``micro_*`` and ``weighted_*``, and where all four main emotions are among them ``main4_*``: ``pair_*`` is
        ``micro_*`` in C and ``weighted_*`` in D.

    Raises:
        MetricInputError: C or D without emotions, or with emotions of other names.
        UsageError: No such definition, or E.

    Example:
        >>> gold = pair_set(["d", "d"], [1, 2], [2, 2])
        >>> found = pair_set(["d"], [2], [2])
        >>> [round(set_scores(found, gold, definition=letter)["pair_f1"], 4) for letter in "AB"]
        [0.6667, 1.0]
    """
    counts = count_sets(predicted, gold, definition=definition, emotions=emotions)
    scores = scores_of_counts(counts, counts.counts.sum(axis=0))
    plain: dict[str, Any] = {name: float(value) for name, value in scores.items()}
    for name in plain:
        if name.startswith("n_") or name.endswith("_support"):
            plain[name] = int(plain[name])
    if counts.definition in ("C", "D"):
        plain["n_neutral_predicted"] = counts.n_neutral_predicted
        plain["n_neutral_gold"] = counts.n_neutral_gold
    return plain


def pair_set(
    dialogue_ids: ArrayLike, target_turns: ArrayLike, cause_turns: ArrayLike, emotions: ArrayLike | None = None
) -> PairSet:
    """Checks pairs and makes a set of them.

    Args:
        dialogue_ids: ``(n,)`` str; ``n`` may be 0.
        target_turns: ``(n,)`` ints.
        cause_turns: ``(n,)`` ints.
        emotions: ``(n,)`` str, or nothing.

    Returns:
        The set.

    Raises:
        MetricInputError: Arrays of other lengths or types, or a pair that is given twice. The same pair with two
            emotions is two predictions, and allowed.

    Example:
        >>> len(pair_set(["d", "d"], [1, 2], [1, 1]))
        2
    """
    dialogues = text_column(dialogue_ids, "dialogue_ids")
    columns: dict[str, NDArray[Any]] = {
        "target_turns": as_array(target_turns, "target_turns", "pair"),
        "cause_turns": as_array(cause_turns, "cause_turns", "pair"),
    }
    if emotions is not None:
        columns["emotions"] = text_column(emotions, "emotions")
    for name, values in columns.items():
        if dialogues.ndim != 1 or values.shape != dialogues.shape:
            raise MetricInputError(
                f"{name} must have one entry per pair, as dialogue_ids has; found shapes {values.shape} and "
                f"{dialogues.shape}."
            )
        if name != "emotions":
            if len(values) and values.dtype.kind not in "iu":
                raise MetricInputError(f"{name} must be integers; found dtype {values.dtype}.")
            columns[name] = values.astype(np.int64)
    pairs = PairSet(dialogues, columns["target_turns"], columns["cause_turns"], columns.get("emotions"))
    repeated = np.setdiff1d(np.arange(len(pairs)), _first_of_each(pairs))
    if len(repeated):
        where = repeated[0]
        raise MetricInputError(
            f"Pair (dialogue {dialogues[where]}, target {pairs.target_turns[where]}, cause {pairs.cause_turns[where]}) "
            f"is given more than once; {len(repeated)} repetitions in all. Give each pair once."
        )
    return pairs


def count_sets(
    predicted: PairSet,
    gold: PairSet,
    *,
    definition: str = "A",
    emotions: Sequence[str] = SEMEVAL_EMOTIONS,
    source_dialogues: Mapping[str, str] | None = None,
) -> SetCounts:
    """Counts correct, predicted and gold pairs of every dialogue.

    Args:
        predicted: As in :func:`set_scores`.
        gold: As in :func:`set_scores`.
        definition: As in :func:`set_scores`.
        emotions: As in :func:`set_scores`.
        source_dialogues: The unit each dialogue belongs to, for all dialogues of the split, also those without any
            pair; chunks of one dialogue share a unit. Default: every dialogue that has a pair is its own unit.

    Returns:
        The counts.

    Raises:
        MetricInputError: As in :func:`set_scores`, or a dialogue that ``source_dialogues`` does not have.
        UsageError: As in :func:`set_scores`.
    """
    letter = _checked_definition(definition)
    neutral_predicted = neutral_gold = 0
    class_names: tuple[str, ...] = ("pair",)
    if letter in ("A", "B"):
        predicted, gold = predicted.without_emotions(), gold.without_emotions()
    else:
        class_names = tuple(emotions)
        predicted, neutral_predicted = _without_neutral(_each_once(predicted), class_names, "predicted")
        gold, neutral_gold = _without_neutral(_each_once(gold), class_names, "gold")
    if letter == "B":
        gold = gold.where(gold.cause_turns <= gold.target_turns)
    n_predicted = len(predicted)
    names, dialogue = np.unique(np.concatenate((predicted.dialogue_ids, gold.dialogue_ids)), return_inverse=True)
    columns = (predicted.target_turns, gold.target_turns, predicted.cause_turns, gold.cause_turns)
    turns, turn = np.unique(np.concatenate(columns), return_inverse=True)
    targets, causes = turn.reshape(2, -1)
    keys = (dialogue * len(turns) + targets) * len(turns) + causes
    group = np.zeros(len(keys), dtype=np.int64)
    if letter in ("C", "D"):
        assert predicted.emotions is not None  # checked by _without_neutral
        assert gold.emotions is not None
        order = np.argsort(class_names)
        emotion = np.concatenate((predicted.emotions, gold.emotions))
        group = order[np.searchsorted(np.array(class_names)[order], emotion)] if len(emotion) else group
        keys = keys * len(class_names) + group
    correct = np.isin(keys[:n_predicted], keys[n_predicted:])
    units, unit_of_name = _units(names, source_dialogues)
    cell = unit_of_name[dialogue] * len(class_names) + group if len(names) else group
    size = len(units) * len(class_names)
    counts = np.stack(
        [
            np.bincount(cell[:n_predicted][correct], minlength=size),
            np.bincount(cell[:n_predicted], minlength=size),
            np.bincount(cell[n_predicted:], minlength=size),
        ],
        axis=-1,
    ).reshape(len(units), len(class_names), 3)
    return SetCounts(letter, units, class_names, counts, neutral_predicted, neutral_gold)


def scores_of_counts(counts: SetCounts, totals: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
    """Scores summed counts; leading axes are resamples.

    Args:
        counts: Which definition and classes.
        totals: ``(..., k, 3)``: correct, predicted, gold.

    Returns:
        The numeric keys of :func:`set_scores`, each of shape ``(...,)``.
    """
    totals = np.asarray(totals, dtype=np.float64)
    sizes = totals.sum(axis=-2)
    micro = precision_recall_f1(*np.moveaxis(sizes, -1, 0))
    scores: dict[str, NDArray[np.float64]] = {}
    if counts.definition in ("A", "B"):
        scores |= dict(zip(("pair_precision", "pair_recall", "pair_f1"), micro, strict=True))
    else:
        each = precision_recall_f1(*np.moveaxis(totals, -1, 0))
        averages = {"micro": micro, "weighted": _weighted(each, totals[..., 2])}
        if set(MAIN_EMOTIONS) <= set(counts.class_names):
            main = [counts.class_names.index(name) for name in MAIN_EMOTIONS]
            averages["main4"] = _weighted(tuple(part[..., main] for part in each), totals[..., main, 2])
        averages = {"pair": averages["micro" if counts.definition == "C" else "weighted"], **averages}
        for name, parts in averages.items():
            scores |= {f"{name}_{kind}": part for kind, part in zip(("precision", "recall", "f1"), parts, strict=True)}
        for index, name in enumerate(counts.class_names):
            for kind, part in zip(("precision", "recall", "f1"), each, strict=True):
                scores[f"{name}_{kind}"] = part[..., index]
            scores[f"{name}_support"] = totals[..., index, 2]
    scores |= {"n_correct": sizes[..., 0], "n_predicted": sizes[..., 1], "n_gold": sizes[..., 2]}
    return scores


def _each_once(pairs: PairSet) -> PairSet:
    return pairs.where(_first_of_each(pairs))


def _first_of_each(pairs: PairSet) -> NDArray[np.intp]:
    """Finds the position at which each pair is given first, in the order in which pairs are given."""
    keys: list[NDArray[Any]] = [pairs.dialogue_ids, pairs.target_turns, pairs.cause_turns]
    if pairs.emotions is not None:
        keys.append(pairs.emotions)
    order = np.lexsort(keys)
    new = np.ones(len(order), dtype=np.bool_)
    if len(order):
        new[1:] = np.any([values[order][1:] != values[order][:-1] for values in keys], axis=0)
    return np.sort(order[new])


def _weighted(parts: tuple[NDArray[np.float64], ...], support: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    return tuple(ratio((part * support).sum(axis=-1), support.sum(axis=-1)) for part in parts)


def _checked_definition(definition: str) -> SetDefinition:
    if definition == "E":
        raise UsageError(
            "Definition E pairs a windowed precision with an un-windowed recall; it is not an F1 and is never "
            "reported. Take A."
        )
    if definition == "F":
        raise UsageError("Definition F classifies a candidate list; pair_scores computes it. As a set score take A.")
    if definition not in ("A", "B", "C", "D"):
        raise UsageError(f"There is no definition {definition!r} of Pair F1. {did_you_mean(definition, DEFINITIONS)}")
    return definition  # type: ignore[return-value]  # one of the four, just checked


def _without_neutral(pairs: PairSet, class_names: tuple[str, ...], whose: str) -> tuple[PairSet, int]:
    if pairs.emotions is None:
        raise MetricInputError(
            f"Definitions C and D need the emotion of every {whose} pair; these have none. Give the emotions, or score "
            "definition A."
        )
    neutral = np.isin(pairs.emotions, list(NEUTRAL_EMOTIONS))
    unknown = ~neutral & ~np.isin(pairs.emotions, class_names)
    if unknown.any():
        where = int(np.flatnonzero(unknown)[0])
        raise MetricInputError(
            f"The {whose} pair (dialogue {pairs.dialogue_ids[where]}, target {pairs.target_turns[where]}, cause "
            f"{pairs.cause_turns[where]}) has the emotion {str(pairs.emotions[where])!r}. "
            f"{did_you_mean(str(pairs.emotions[where]), class_names)} {int(unknown.sum())} such pairs."
        )
    return pairs.where(~neutral), int(neutral.sum())


def _units(
    names: NDArray[np.str_], source_dialogues: Mapping[str, str] | None
) -> tuple[NDArray[np.str_], NDArray[np.int64]]:
    if source_dialogues is None:
        return names, np.arange(len(names))
    missing = [name for name in names.tolist() if name not in source_dialogues]
    if missing:
        raise MetricInputError(
            f"Dialogue {missing[0]!r} has pairs but is none of the {len(source_dialogues)} dialogues of the split; "
            f"{len(missing)} such dialogues."
        )
    units = np.unique(np.array(list(source_dialogues.values()), dtype=np.str_))
    of_name = np.array([source_dialogues[name] for name in names.tolist()], dtype=np.str_)
    return units, np.searchsorted(units, of_name)
