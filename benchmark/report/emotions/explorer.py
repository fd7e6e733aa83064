"""Packs the dialogues of a split for the explorer of emotions: gold and predicted emotions, turn by turn."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from iemomecp_dataset.metrics.evaluation.emotions.predictions import EmotionPredictions

__all__ = ["emotion_explorer_data", "first_dialogue"]

_MODERATE = (6, 16)
"""Smallest and largest number of turns of the dialogue that the explorer opens with."""


def emotion_explorer_data(
    systems: Sequence[tuple[str, EmotionPredictions]],
    texts: Mapping[str, Sequence[tuple[str, str]]] | None = None,
) -> dict[str, Any]:
    """Packs predictions into compact JSON-ready data.

    Args:
        systems: Name and predictions, all on the same utterances in the same order; at least one.
        texts: ``(speaker, text)`` in turn order by dialogue id, or None to include no text.

    Returns:
        ``{"classes", "systems", "start", "dialogues": [{"id", "turns", "gold", "predicted": [...], "confidence": [...],
        "lines"?}]}``: ids of emotions by turn (-1: not known), for each system those predicted, and their probability
        in percent, rounded (none where the system only decides); the dialogues in the order of their first utterance;
        and the place among them of :func:`first_dialogue`.
    """
    first = systems[0][1]
    names, starts, inverse = np.unique(first.table.dialogue_ids, return_index=True, return_inverse=True)
    dialogues = []
    for number in np.argsort(starts):
        here = np.flatnonzero(inverse == number)
        here = here[np.argsort(first.table.turns[here], kind="stable")]
        parts = [run.take(here) for _, run in systems]
        dialogue: dict[str, Any] = {
            "id": str(names[number]),
            "turns": first.table.turns[here].tolist(),
            "gold": first.table.labels[here].tolist(),
            "predicted": [part.predicted.tolist() for part in parts],
            "confidence": [
                [] if part.probabilities is None else np.rint(100 * part.probabilities.max(axis=1)).astype(int).tolist()
                for part in parts
            ],
        }
        if texts is not None and dialogue["id"] in texts:
            lines = texts[dialogue["id"]]
            dialogue["lines"] = [
                list(lines[turn - 1]) if turn <= len(lines) else ["", ""] for turn in dialogue["turns"]
            ]
        dialogues.append(dialogue)
    return {
        "classes": list(first.class_names),
        "systems": [name for name, _ in systems],
        "start": first_dialogue([dialogue["gold"] for dialogue in dialogues]),
        "dialogues": dialogues,
    }


def first_dialogue(gold: Sequence[Sequence[int]]) -> int:
    """Chooses the dialogue to show first: the one with the most emotions among those of moderate length.

    Args:
        gold: By dialogue the ids of its emotions; -1: not known.

    Returns:
        Its place. Ties go to the one with more changes of emotion, then to the first; if none is of moderate length,
        all are considered.

    Example:
        >>> first_dialogue([[0, 1], [0, 0, 0, 1, 1, 0], [0, 1, 0, 1, -1, 0], [2] * 20])
        2
    """
    moderate = [place for place, of in enumerate(gold) if _MODERATE[0] <= len(of) <= _MODERATE[1]]

    def variety(place: int) -> tuple[int, int]:
        known = [emotion for emotion in gold[place] if emotion >= 0]
        return len(set(known)), sum(a != b for a, b in itertools.pairwise(known))

    return max(moderate or range(len(gold)), key=variety)
