"""Sufficient statistics per dialogue: counts that add up to the score of any resample.

Pairs of one dialogue are not independent, so dialogues are resampled (source dialogues, so that chunks of one stay
together). F1, accuracy and average precision are functions of sums over dialogues: the counts of all resamples are one
matrix product, and thousands of resamples need no loop over pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.metrics.arguments.argument_checks import check_list, check_missed_positives, text_column
from iemomecp_dataset.metrics.pair_inputs import check_pair_inputs
from iemomecp_dataset.metrics.scoring import decided, precision_recall_f1, ratio
from iemomecp_dataset.metrics.set_scores import SetCounts, scores_of_counts

__all__ = ["UnitCounts", "candidate_unit_counts", "set_unit_counts"]


@dataclass(frozen=True)
class UnitCounts:
    """Holds the counts of one system, or other sums that its scores follow from.

    Attributes:
        units: ``(u,)`` str, the units, sorted.
        counts: ``(u, k)`` floats, sums over the unit: whole numbers of pairs and emotions; of explanations the counts
            of BLEU beside sums of item scores, such as CIDEr, which are not whole.
        score: From summed counts, ``(..., k)``, to scores, each ``(...,)``; NaN where a score is undefined.
    """

    units: NDArray[np.str_]
    counts: NDArray[np.floating[Any]]
    score: Callable[[NDArray[Any]], dict[str, NDArray[np.float64]]]

    def scores(self) -> dict[str, float]:
        """Scores the sample itself."""
        return {name: float(value) for name, value in self.score(self.counts.sum(axis=0, dtype=np.float64)).items()}


def candidate_unit_counts(
    systems: Sequence[ArrayLike],
    labels: ArrayLike,
    units: ArrayLike,
    class_names: Sequence[str],
    *,
    thresholds: Sequence[float | None] | None = None,
    decisions: Sequence[ArrayLike | None] | None = None,
    missed_positives: int | Mapping[str, int] = 0,
) -> list[UnitCounts]:
    """Counts systems that scored the same candidates (definition F; A where every gold pair is a candidate or missed).

    Args:
        systems: For each system ``(n, C)`` probabilities or ``(n,)`` hard class ids, pairs in the same order.
        labels: ``(n,)`` ints, gold class ids.
        units: ``(n,)`` str, the unit of each pair.
        class_names: Names of the classes by id.
        thresholds: One per system, see :func:`~iemomecp_dataset.metrics.scoring.pair_scores`.
        decisions: For each system ``(n,)`` class ids to score in place of what follows from its probabilities, which
            then only rank; or ``None``.
        missed_positives: Gold pairs that are not candidates: how many in each unit, or, where that is not known, how
            many in all, which then count in every resample alike.

    Returns:
        For each system its counts, with the scores ``pair_f1, pair_precision, pair_recall, macro_f1, weighted_f1,
        accuracy`` and, if all systems gave probabilities, ``pair_auprc``.

    Raises:
        MetricInputError: The inputs cannot be scored or do not fit each other.

    Example:
        >>> one, = candidate_unit_counts([[[0.9, 0.1], [0.6, 0.4]]], [0, 1], ["a", "b"], ["pair", "non_pair"])
        >>> one.scores()["pair_f1"], one.scores()["pair_auprc"]
        (0.6666666666666666, 1.0)
    """
    systems = check_list(systems, "systems", "predictions, one entry per system")
    limits = check_list([None] * len(systems) if thresholds is None else thresholds, "thresholds", "thresholds")
    own = check_list([None] * len(systems) if decisions is None else decisions, "decisions", "class ids")
    if not systems or len(limits) != len(systems) or len(own) != len(systems):
        raise MetricInputError(
            f"Give at least one system, and one threshold and one decision each; found {len(systems)}, {len(limits)} "
            f"and {len(own)}."
        )
    checked = [
        check_pair_inputs(system, labels, class_names, threshold=limit)
        for system, limit in zip(systems, limits, strict=True)
    ]
    gold, names = checked[0].labels, checked[0].class_names
    unit_of_pair = text_column(units, "units")
    if unit_of_pair.shape != gold.shape:
        raise MetricInputError(
            f"units must have one entry per pair; found {unit_of_pair.shape} for {gold.shape} labels."
        )
    known: dict[str, int] = {}
    everywhere = 0
    if isinstance(missed_positives, Mapping):
        known = {str(name): check_missed_positives(count) for name, count in missed_positives.items()}
    else:
        everywhere = check_missed_positives(missed_positives)
    unit_names = np.unique(np.concatenate((unit_of_pair, np.array(list(known), dtype=np.str_))))
    unit = np.searchsorted(unit_names, unit_of_pair)
    missed = np.array([known.get(name, 0) for name in unit_names.tolist()], dtype=np.int64)
    ranked = all(inputs.probabilities is not None for inputs in checked)
    positive = gold == 0
    # All systems share the grid, so that units can be exchanged between them in a permutation test.
    grid = (
        np.unique(np.concatenate([_column(inputs.probabilities)[positive] for inputs in checked]))
        if ranked
        else np.zeros(0)
    )
    n_classes, n_units, n_steps = len(names), len(unit_names), len(grid)
    # Sums of whole numbers are exact in single precision up to 2^24, and its matrix products take half the time.
    precision = np.float32 if len(gold) + missed.sum() + everywhere < 2**21 else np.float64
    score = _score_function(names, everywhere, n_steps)
    result = []
    for inputs, ids in zip(checked, own, strict=True):
        predicted = (
            decided(inputs, inputs.threshold) if ids is None else decided(check_pair_inputs(ids, labels, class_names))
        )
        cell = (unit * n_classes + gold) * n_classes + predicted
        parts = [
            np.bincount(cell, minlength=n_units * n_classes**2).reshape(n_units, -1),
            missed[:, None],
        ]
        if ranked:
            step = np.searchsorted(grid, _column(inputs.probabilities), side="right") - 1
            for chosen in (positive, ~positive):
                kept = chosen & (step >= 0)  # pairs ranked below every positive do not lower precision
                parts.append(
                    np.bincount(unit[kept] * n_steps + step[kept], minlength=n_units * n_steps).reshape(n_units, -1)
                )
        result.append(UnitCounts(unit_names, np.concatenate(parts, axis=1).astype(precision), score))
    return result


def set_unit_counts(counts: SetCounts) -> UnitCounts:
    """Makes the counts of a set score (definitions A to D) resamplable.

    Args:
        counts: From :func:`~iemomecp_dataset.metrics.set_scores.count_sets`.

    Returns:
        The same counts.
    """
    n_units, n_classes, kinds = counts.counts.shape

    def score(totals: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
        values = scores_of_counts(counts, totals.reshape(*totals.shape[:-1], n_classes, kinds))
        return {name: value for name, value in values.items() if name.endswith(("_f1", "_precision", "_recall"))}

    return UnitCounts(counts.units, counts.counts.reshape(n_units, -1).astype(np.float64), score)


def _column(probabilities: NDArray[np.floating[Any]] | None) -> NDArray[np.float64]:
    assert probabilities is not None  # only asked for where all systems are ranked
    return probabilities[:, 0].astype(np.float64)


def _score_function(
    names: tuple[str, ...], missed_everywhere: int, n_steps: int
) -> Callable[[NDArray[Any]], dict[str, NDArray[np.float64]]]:
    n_classes = len(names)

    def score(totals: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
        cells = n_classes**2
        confusion = totals[..., :cells].reshape(*totals.shape[:-1], n_classes, n_classes).astype(np.float64)
        missed = totals[..., cells].astype(np.float64) + missed_everywhere
        support, predicted = confusion.sum(axis=-1), confusion.sum(axis=-2)
        support[..., 0] += missed
        hits = np.diagonal(confusion, axis1=-2, axis2=-1)
        precision, recall, f1 = precision_recall_f1(hits, predicted, support)
        scores = {
            "pair_f1": f1[..., 0],
            "pair_precision": precision[..., 0],
            "pair_recall": recall[..., 0],
            "macro_f1": f1.mean(axis=-1),
            "weighted_f1": ratio((f1 * support).sum(axis=-1), support.sum(axis=-1)),
            "accuracy": ratio(hits.sum(axis=-1), confusion.sum(axis=(-2, -1))),
        }
        if n_steps:
            positives = totals[..., cells + 1 : cells + 1 + n_steps]
            negatives = totals[..., cells + 1 + n_steps :]
            # Steps run from the lowest score up; "score >= step" is a sum from the right.
            found = np.cumsum(positives[..., ::-1], axis=-1)[..., ::-1]
            retrieved = found + np.cumsum(negatives[..., ::-1], axis=-1)[..., ::-1]
            at_step = np.divide(found, retrieved, out=np.zeros_like(found), where=retrieved > 0)
            gain = np.einsum("...s,...s->...", positives, at_step, dtype=np.float64)
            total = support[..., 0]
            scores["pair_auprc"] = np.divide(gain, total, out=np.full(np.shape(total), np.nan), where=total > 0)
        return scores

    return score
