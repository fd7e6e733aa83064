"""Dialogue rows as the arrays that the dialogue scorer is trained on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.schema import NEUTRAL_EMOTIONS
from iemomecp_dataset.trainers.objectives import IGNORED_LABEL

__all__ = ["DialogueExample", "dialogue_examples"]


@dataclass(frozen=True)
class DialogueExample:
    """One dialogue of ``n`` utterances; turns are 0-based here.

    Attributes:
        dialogue_id: The row's id.
        utterance_ids: ``n`` keys into feature stores.
        texts: ``n`` texts.
        speakers: ``(n,)`` int64, numbered by first appearance.
        labels: ``(n, n)`` int64, row target, column cause; ``IGNORED_LABEL`` where the pair is no candidate.
        emotion_labels: ``(n,)`` int64: is the utterance emotional.
        cause_labels: ``(n,)`` int64: is it a cause in a gold pair.
        targets: ``(p,)`` int64, target of each candidate pair, in the row's order.
        causes: ``(p,)`` int64, its cause.
    """

    dialogue_id: str
    utterance_ids: tuple[str, ...]
    texts: tuple[str, ...]
    speakers: NDArray[np.int64]
    labels: NDArray[np.int64]
    emotion_labels: NDArray[np.int64]
    cause_labels: NDArray[np.int64]
    targets: NDArray[np.int64]
    causes: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.texts)


def dialogue_examples(
    rows: Iterable[Mapping[str, Any]], emotion_names: Sequence[str], emotion_target: str = "non_neutral"
) -> list[DialogueExample]:
    """Builds the examples of some rows.

    Args:
        rows: Rows as :func:`iemomecp_dataset.load` gives them.
        emotion_names: Names of the emotions, by id.
        emotion_target: What makes an utterance emotional: ``non_neutral``, its label, where the corpus has emotions
            (and a gold pair where it has none); or ``gold_target``, being the target of a gold pair.
    """
    neutral = {i for i, name in enumerate(emotion_names) if name in NEUTRAL_EMOTIONS}
    return [_example(row, neutral, emotion_target) for row in rows]


def _example(row: Mapping[str, Any], neutral: set[int], emotion_target: str) -> DialogueExample:
    utterances = row["utterances"]
    n = len(utterances)
    labels = np.full((n, n), IGNORED_LABEL, dtype=np.int64)
    targets = np.array([pair["target_turn"] for pair in row["pairs"]], dtype=np.int64) - 1
    causes = np.array([pair["cause_turn"] for pair in row["pairs"]], dtype=np.int64) - 1
    labels[targets, causes] = [pair["label"] for pair in row["pairs"]]
    gold = labels == 0
    # Gold pairs outside the candidates still say that their target is emotional and their cause a cause.
    for pair in row.get("gold_outside_candidates") or []:
        gold[pair["target_turn"] - 1, pair["cause_turn"] - 1] = True
    emotional = gold.any(axis=1)
    if emotion_target == "non_neutral":
        emotions = [utterance["emotion"] for utterance in utterances]
        emotional = np.array(
            [
                is_target if emotion is None else emotion not in neutral
                for emotion, is_target in zip(emotions, emotional, strict=True)
            ],
            dtype=bool,
        )
    numbers: dict[str | None, int] = {}
    speakers = [numbers.setdefault(utterance["speaker"], len(numbers)) for utterance in utterances]
    return DialogueExample(
        dialogue_id=row["dialogue_id"],
        utterance_ids=tuple(utterance["utterance_id"] for utterance in utterances),
        texts=tuple(utterance["text"] or "" for utterance in utterances),
        speakers=np.array(speakers, dtype=np.int64),
        labels=labels,
        emotion_labels=emotional.astype(np.int64),
        cause_labels=gold.any(axis=0).astype(np.int64),
        targets=targets,
        causes=causes,
    )
