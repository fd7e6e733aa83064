"""Emotion scores resampled by dialogue: the counts that intervals and paired tests of them need.

Utterances of one dialogue are not independent, so dialogues are resampled. A system's confusion matrix per dialogue is
all that its scores depend on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.excerpts import shown
from iemomecp_dataset.metrics.arguments.argument_checks import check_list, text_column
from iemomecp_dataset.metrics.emotion_scoring import confusion_scores
from iemomecp_dataset.metrics.pair_inputs import check_pair_inputs
from iemomecp_dataset.metrics.scoring import decided
from iemomecp_dataset.metrics.significance.counts import UnitCounts

__all__ = ["emotion_unit_counts"]


def emotion_unit_counts(
    systems: Sequence[ArrayLike],
    labels: ArrayLike,
    dialogue_ids: ArrayLike,
    class_names: Sequence[str],
    *,
    neutral: str | None = None,
) -> list[UnitCounts]:
    """Counts systems that predicted the emotions of the same utterances.

    The counts go to :func:`~iemomecp_dataset.metrics.significance.bootstrap.bootstrap_intervals` and
    :func:`~iemomecp_dataset.metrics.significance.bootstrap.paired_bootstrap`, and to
    :func:`~iemomecp_dataset.metrics.significance.permutation.permutation_test`; each takes the runs of a system that
    differ in their seed as a list, whose scores it averages.

    Args:
        systems: For each ``(n, C)`` probabilities or ``(n,)`` hard class ids, utterances in the same order.
        labels: ``(n,)`` ints, gold class ids.
        dialogue_ids: ``(n,)`` str, the whole dialogue of each utterance, which is what is resampled.
        class_names: Names of the classes by id.
        neutral: Name of the class that means no emotion.

    Returns:
        For each system its counts, with the scores ``weighted_f1, accuracy, macro_f1, weighted_f1_without_neutral`` and
        ``<class>_f1``. A class that a resample lacks counts 0 there, as in
        :func:`~iemomecp_dataset.metrics.emotion_scoring.emotion_scores`.

    Raises:
        MetricInputError: The inputs cannot be scored or do not fit each other.

    Example:
        >>> from iemomecp_dataset.metrics.significance.bootstrap import bootstrap_intervals
        >>> counts, = emotion_unit_counts([[0, 1, 1]], [0, 1, 0], ["a", "a", "b"], ["neutral", "joy"])
        >>> round(bootstrap_intervals(counts, n_resamples=100)["weighted_f1"].estimate, 4)
        0.6667
    """
    systems = check_list(systems, "systems", "predictions, one entry per system")
    if not systems:
        raise MetricInputError("There are no systems to count.")
    checked = [check_pair_inputs(system, labels, class_names, item="utterance") for system in systems]
    gold, names = checked[0].labels, checked[0].class_names
    dialogues = text_column(dialogue_ids, "dialogue_ids", "utterance")
    if dialogues.shape != gold.shape:
        raise MetricInputError(
            f"dialogue_ids must have one entry per utterance; found {dialogues.shape} for {gold.shape} labels."
        )
    if neutral is not None and (not isinstance(neutral, str) or neutral not in names):
        raise MetricInputError(f"neutral={shown(neutral)} is not among the classes {', '.join(names)}.")
    units, unit = np.unique(dialogues, return_inverse=True)
    n_classes = len(names)
    score = _score_function(names, None if neutral is None else names.index(neutral))
    result = []
    for inputs in checked:
        cell = (unit * n_classes + gold) * n_classes + decided(inputs)
        counts = np.bincount(cell, minlength=len(units) * n_classes**2).reshape(len(units), -1)
        result.append(UnitCounts(units, counts.astype(np.float64), score))
    return result


def _score_function(
    names: tuple[str, ...], neutral: int | None
) -> Callable[[NDArray[Any]], dict[str, NDArray[np.float64]]]:
    n_classes = len(names)

    def score(totals: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
        of = confusion_scores(totals.reshape(*totals.shape[:-1], n_classes, n_classes), neutral=neutral)
        scores = {name: of[name] for name in ("weighted_f1", "accuracy", "macro_f1")}
        if neutral is not None:
            scores["weighted_f1_without_neutral"] = of["weighted_f1_without_neutral"]
        return scores | {f"{name}_f1": of["f1"][..., c] for c, name in enumerate(names)}

    return score
