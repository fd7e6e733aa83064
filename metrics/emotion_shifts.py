"""Accuracy of emotions where a speaker's emotion changes, and where it stays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from iemomecp_dataset.emotion_table import NO_EMOTION
from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.metrics.arguments.argument_checks import as_array, text_column, turn_column

__all__ = ["previous_own_turn", "shift_scores"]


def shift_scores(
    predicted: ArrayLike, labels: ArrayLike, dialogue_ids: ArrayLike, turns: ArrayLike, speakers: ArrayLike
) -> dict[str, float]:
    """Scores the utterances whose speaker felt otherwise in the previous utterance, and those who felt the same.

    An utterance counts where its own gold emotion and that of its speaker's previous utterance in the dialogue are
    known. First utterances of a speaker count in neither group, nor do utterances of an unknown (empty) speaker.

    Args:
        predicted: ``(n,)`` ints, predicted class ids.
        labels: ``(n,)`` ints, gold class ids; :data:`~iemomecp_dataset.emotion_table.NO_EMOTION` where unknown.
        dialogue_ids: ``(n,)`` str.
        turns: ``(n,)`` ints, the turn within the dialogue; the order of the arrays is irrelevant.
        speakers: ``(n,)`` str.

    Returns:
        ``shift_accuracy, shift_support, stay_accuracy, stay_support``; an accuracy without support is NaN.

    Raises:
        MetricInputError: Arrays of other lengths, turns that are not whole numbers, or an utterance that repeats.

    Example:
        >>> shift_scores([0, 1, 1, 1], [0, 1, 0, 1], ["d"] * 4, [1, 2, 3, 4], ["A", "B", "A", "B"])
        {'shift_accuracy': nan, 'shift_support': 0, 'stay_accuracy': 0.5, 'stay_support': 2}
    """
    gold, found = as_array(labels, "labels", "utterance"), as_array(predicted, "predictions", "utterance")
    columns: dict[str, NDArray[Any]] = {"predicted": found}
    columns["dialogue_ids"] = text_column(dialogue_ids, "dialogue_ids", "utterance")
    columns["turns"] = turn_column(turns, "turns", "utterance")
    columns["speakers"] = text_column(speakers, "speakers", "utterance")
    for name, values in columns.items():
        if gold.ndim != 1 or values.shape != gold.shape:
            raise MetricInputError(
                f"{name} must have one entry per utterance: expected shape {gold.shape}, found {values.shape}."
            )
    for name, ids in (("predicted", found), ("labels", gold)):
        if ids.dtype.kind not in "iu" and len(ids):
            raise MetricInputError(f"{name} must be integer class ids; found dtype {ids.dtype}.")
    before = previous_own_turn(columns["dialogue_ids"], columns["turns"], columns["speakers"])
    known = (before >= 0) & (gold != NO_EMOTION)
    known[known] = gold[before[known]] != NO_EMOTION
    shifted = known & (gold != gold[before])
    scores: dict[str, float] = {}
    for name, chosen in (("shift", shifted), ("stay", known & ~shifted)):
        support = int(chosen.sum())
        scores[f"{name}_accuracy"] = float((found == gold)[chosen].mean()) if support else float("nan")
        scores[f"{name}_support"] = support
    return scores


def previous_own_turn(
    dialogue_ids: NDArray[np.str_], turns: NDArray[np.int64], speakers: NDArray[np.str_]
) -> NDArray[np.intp]:
    """Finds the previous utterance of the same speaker in the same dialogue.

    Args:
        dialogue_ids: ``(n,)`` str.
        turns: ``(n,)`` ints.
        speakers: ``(n,)`` str; an empty one is unknown.

    Returns:
        ``(n,)`` positions in the arrays; -1 where there is none.

    Raises:
        MetricInputError: A turn is not a whole number, or an utterance repeats.

    Example:
        >>> previous_own_turn(np.array(["d", "d", "d"]), np.array([3, 2, 1]), np.array(["A", "B", "A"])).tolist()
        [2, -1, -1]
    """
    if len(turns) and not np.issubdtype(turns.dtype, np.integer):
        raise MetricInputError(f"turns must be turn numbers, integers; found dtype {turns.dtype}.")
    dialogue, speaker = (np.unique(values, return_inverse=True)[1] for values in (dialogue_ids, speakers))
    in_order = np.lexsort((turns, dialogue))
    repeated = (np.diff(dialogue[in_order]) == 0) & (np.diff(turns[in_order]) == 0)
    if repeated.any():
        where = in_order[1:][repeated][0]
        raise MetricInputError(
            f"Turn {turns[where]} of dialogue {str(dialogue_ids[where])[:80]} is given more "
            f"than once; {int(repeated.sum())} utterances repeat. Each utterance must be given exactly once."
        )
    order = np.lexsort((turns, speaker, dialogue))
    follows = (np.diff(dialogue[order]) == 0) & (np.diff(speaker[order]) == 0) & (speakers[order[1:]] != "")
    before = np.full(len(turns), -1, dtype=np.intp)
    before[order[1:][follows]] = order[:-1][follows]
    return before
