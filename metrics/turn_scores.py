"""Scores of turn-level sets: emotional utterances, causes and contexts.

Their elements are (dialogue, turn), as in the tables of arXiv 2605.25208:

* emotion: gold is every non-neutral target; predicted is every target with a predicted cause or context;
* cause and context: every candidate turn with at least one such pair.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.metrics.arguments.argument_checks import as_array, check_flag, text_column, turn_column
from iemomecp_dataset.metrics.scoring import precision_recall_f1

__all__ = ["turn_set_scores"]


def turn_set_scores(
    predicted: ArrayLike,
    labels: ArrayLike,
    *,
    dialogue_ids: ArrayLike,
    target_turns: ArrayLike,
    cause_turns: ArrayLike,
    emotional_targets: ArrayLike,
    has_context: bool,
) -> dict[str, float]:
    """Scores the turn-level sets of one split.

    Args:
        predicted: ``(n,)`` ints, predicted class ids.
        labels: ``(n,)`` ints, gold class ids.
        dialogue_ids: ``(n,)`` str, the dialogue of each pair.
        target_turns: ``(n,)`` ints.
        cause_turns: ``(n,)`` ints.
        emotional_targets: ``(n,)`` bool, is the target utterance non-neutral.
        has_context: Whether class 1 is ``emo_context``; otherwise class 0 alone is positive and there is no context
            set.

    Returns:
        ``turn_emotion_*``, ``turn_cause_*`` and, with context, ``turn_context_*`` for precision, recall, f1 and
        support (the size of the gold set). Gold pairs outside the candidates are in no set, as their turns are not
        known here.

    Raises:
        MetricInputError: Arrays of other lengths, a pair that repeats, or a target that is both emotional and not.

    Example:
        >>> scores = turn_set_scores([0, 1, 1], [0, 0, 1], dialogue_ids=["d", "d", "d"], target_turns=[1, 2, 2],
        ...                          cause_turns=[1, 1, 2], emotional_targets=[True, True, True], has_context=False)
        >>> scores["turn_emotion_recall"], scores["turn_cause_f1"]
        (0.5, 1.0)
    """
    predictions, gold = as_array(predicted, "predictions", "pair"), as_array(labels, "labels", "pair")
    targets, causes = turn_column(target_turns, "target_turns"), turn_column(cause_turns, "cause_turns")
    emotional = as_array(emotional_targets, "emotional_targets", "pair")
    dialogues = text_column(dialogue_ids, "dialogue_ids")
    for name, values in (
        ("labels", gold),
        ("dialogue_ids", dialogues),
        ("target_turns", targets),
        ("cause_turns", causes),
        ("emotional_targets", emotional),
    ):
        if values.shape != predictions.shape or values.ndim != 1:
            raise MetricInputError(
                f"{name} must have one entry per pair: expected shape {predictions.shape}, found {values.shape}."
            )
    for name, ids in (("predicted", predictions), ("labels", gold)):
        if ids.dtype.kind not in "iu" and len(ids):
            raise MetricInputError(f"{name} must be integer class ids; found dtype {ids.dtype}.")
    flags = emotional.dtype == np.bool_ or (emotional.dtype.kind in "iu" and bool(np.isin(emotional, (0, 1)).all()))
    if not flags and len(emotional):
        raise MetricInputError(f"emotional_targets must be truth values; found dtype {emotional.dtype}.")
    has_context = check_flag(has_context, "has_context")
    names, dialogue = np.unique(dialogues, return_inverse=True)
    # By their rank: a turn may have any number.
    turns, rank = np.unique(np.concatenate((targets, causes)), return_inverse=True)
    width = max(len(turns), 1)
    target_keys, cause_keys = (dialogue * width + of for of in np.split(rank, 2))
    _check_pairs_differ(target_keys * width + rank[len(targets) :], dialogues, targets, causes)
    n_turns = len(names) * width

    def turns_with(keys: NDArray[Any], chosen: NDArray[Any]) -> NDArray[np.bool_]:
        marked = np.zeros(n_turns, dtype=np.bool_)
        marked[keys[chosen]] = True
        return marked

    emotional = emotional.astype(np.bool_)
    gold_emotion = turns_with(target_keys, emotional)
    both = gold_emotion & turns_with(target_keys, ~emotional)
    if both.any():
        key = int(np.flatnonzero(both)[0])
        raise MetricInputError(
            f"Target turn {turns[key % width]} of dialogue {names[key // width]} is emotional in one pair and not in "
            "another; emotional_targets is a property of the target utterance."
        )
    last_related = 1 if has_context else 0
    sets = {
        "emotion": (turns_with(target_keys, predictions <= last_related), gold_emotion),
        "cause": (turns_with(cause_keys, predictions == 0), turns_with(cause_keys, gold == 0)),
    }
    if has_context:
        sets["context"] = (turns_with(cause_keys, predictions == 1), turns_with(cause_keys, gold == 1))
    scores: dict[str, float] = {}
    for name, (found, wanted) in sets.items():
        precision, recall, f1 = precision_recall_f1(int((found & wanted).sum()), int(found.sum()), int(wanted.sum()))
        scores[f"turn_{name}_f1"] = f1
        scores[f"turn_{name}_precision"] = precision
        scores[f"turn_{name}_recall"] = recall
        scores[f"turn_{name}_support"] = int(wanted.sum())
    return scores


def _check_pairs_differ(
    keys: NDArray[Any], dialogues: NDArray[Any], targets: NDArray[Any], causes: NDArray[Any]
) -> None:
    _, first, counts = np.unique(keys, return_index=True, return_counts=True)
    if (counts > 1).any():
        where = int(first[counts > 1].min())
        raise MetricInputError(
            f"Pair (dialogue {str(dialogues[where])[:80]}, target {targets[where]}, cause "
            f"{causes[where]}) is given more than once; {int((counts > 1).sum())} pairs repeat. Each candidate must be "
            "given exactly once."
        )
