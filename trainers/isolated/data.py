"""Dialogue rows as the pairs that the isolated scorer is trained on: positions of two utterances, and a label."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["PairExample", "PairExamples", "SpokenUtterances", "pair_examples"]


class PairExample(NamedTuple):
    """One candidate pair.

    Attributes:
        dialogue_id: The row's id.
        target: Position of the target among all utterances.
        candidate: Position of the candidate.
        label: Class id.
    """

    dialogue_id: str
    target: int
    candidate: int
    label: int


@dataclass(frozen=True)
class SpokenUtterances:
    """All utterances of a corpus, each once.

    Attributes:
        ids: Keys into feature stores.
        spoken: Speaker and text.
    """

    ids: list[str]
    spoken: list[tuple[str, str]]


@dataclass(frozen=True)
class PairExamples:
    """The candidate pairs of a split, in the order of its pair table.

    Attributes:
        dialogue_ids: Ids of the split's dialogues.
        dialogues: ``(n,)`` int32 position of each pair's dialogue in ``dialogue_ids``.
        targets: ``(n,)`` int32 position of its target among all utterances.
        candidates: ``(n,)`` int32 position of its candidate.
        labels: ``(n,)`` int8 class ids.
    """

    dialogue_ids: list[str]
    dialogues: NDArray[np.int32]
    targets: NDArray[np.int32]
    candidates: NDArray[np.int32]
    labels: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, position: int) -> PairExample:
        return PairExample(
            self.dialogue_ids[self.dialogues[position]],
            int(self.targets[position]),
            int(self.candidates[position]),
            int(self.labels[position]),
        )


def pair_examples(
    rows_by_split: Mapping[str, Iterable[Mapping[str, Any]]],
) -> tuple[SpokenUtterances, dict[str, PairExamples]]:
    """Builds the examples of all splits; their pairs refer to one list of utterances.

    Args:
        rows_by_split: Rows as :func:`iemomecp_dataset.load` gives them.

    Returns:
        The utterances, and the pairs by split.
    """
    utterances = SpokenUtterances([], [])
    return utterances, {split: _split(rows, utterances) for split, rows in rows_by_split.items()}


def _split(rows: Iterable[Mapping[str, Any]], utterances: SpokenUtterances) -> PairExamples:
    dialogue_ids: list[str] = []
    dialogues: list[int] = []
    targets: list[int] = []
    candidates: list[int] = []
    labels: list[int] = []
    for number, row in enumerate(rows):
        dialogue_ids.append(row["dialogue_id"])
        position = {}
        for utterance in row["utterances"]:
            position[utterance["turn"]] = len(utterances.ids)
            utterances.ids.append(utterance["utterance_id"])
            utterances.spoken.append((utterance["speaker"] or "", utterance["text"] or ""))
        for pair in row["pairs"]:
            dialogues.append(number)
            targets.append(position[pair["target_turn"]])
            candidates.append(position[pair["cause_turn"]])
            labels.append(pair["label"])
    return PairExamples(
        dialogue_ids,
        np.array(dialogues, dtype=np.int32),
        np.array(targets, dtype=np.int32),
        np.array(candidates, dtype=np.int32),
        np.array(labels, dtype=np.int8),
    )
