"""Whole dialogues as arrays of utterances with their emotions, and mini-batches of them as padded tensors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from iemomecp_dataset.trainers.dialogue.data import UtteranceInputs, speaker_numbers
from iemomecp_dataset.trainers.encoders.text import EncodedText, chunk_tokens_on
from iemomecp_dataset.trainers.objectives import IGNORED_LABEL
from iemomecp_dataset.trainers.training.task import Batch

__all__ = ["EmotionCollator", "EmotionExample", "emotion_examples"]


@dataclass(frozen=True)
class EmotionExample:
    """One dialogue of ``n`` utterances.

    Attributes:
        dialogue_id: The row's id.
        utterance_ids: ``n`` keys into feature stores.
        texts: ``n`` texts.
        speakers: ``(n,)`` int64, numbered by first appearance.
        labels: ``(n,)`` int64, ids of the emotions; ``IGNORED_LABEL`` where one is not known.
    """

    dialogue_id: str
    utterance_ids: tuple[str, ...]
    texts: tuple[str, ...]
    speakers: NDArray[np.int64]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def encoded_texts(self) -> Sequence[EncodedText]:
        """What the text encoder reads of each utterance."""
        return self.texts


def emotion_examples(rows: Iterable[Mapping[str, Any]]) -> list[EmotionExample]:
    """Builds examples from rows of whole dialogues.

    Args:
        rows: Rows as :func:`iemomecp_dataset.load` gives them.

    Example:
        >>> row = {"dialogue_id": "d", "utterances": [
        ...     {"utterance_id": "u1", "text": "Oh!", "speaker": "A", "emotion": 2},
        ...     {"utterance_id": "u2", "text": None, "speaker": "B", "emotion": None}]}
        >>> (example,) = emotion_examples([row])
        >>> example.labels.tolist(), example.speakers.tolist(), example.texts
        ([2, -100], [0, 1], ('Oh!', ''))
    """
    return [
        EmotionExample(
            dialogue_id=row["dialogue_id"],
            utterance_ids=tuple(utterance["utterance_id"] for utterance in row["utterances"]),
            texts=tuple(utterance["text"] or "" for utterance in row["utterances"]),
            speakers=speaker_numbers(row["utterances"]),
            labels=np.array(
                [IGNORED_LABEL if u.get("emotion") is None else u["emotion"] for u in row["utterances"]], dtype=np.int64
            ),
        )
        for row in rows
    ]


class EmotionCollator:
    """Pads dialogues to the longest of the batch; the models compute no padding.

    Args:
        inputs: Model inputs of the utterances.
        chunk_tokens: Padded tokens of a chunk in which texts are encoded; by default the number that suits a CPU.
    """

    def __init__(self, inputs: UtteranceInputs, chunk_tokens: int = chunk_tokens_on(torch.device("cpu"))):
        self.inputs = inputs
        self.chunk_tokens = chunk_tokens

    def cost(self, example: EmotionExample) -> int:
        """Relative cost of a dialogue."""
        return self.inputs.cost(example)

    def __call__(self, batch: Sequence[tuple[int, EmotionExample]]) -> Batch:
        """Builds the tensors of a batch.

        Args:
            batch: Positions in the split, and dialogues.

        Returns:
            ``position`` ``(B,)``, ``labels`` ``(B, N)``, and ``inputs``: ``mask``, ``speakers`` ``(B, N)`` and those of
            :meth:`~iemomecp_dataset.trainers.dialogue.data.UtteranceInputs.tensors`.
        """
        examples = [example for _, example in batch]
        b, n = len(examples), max(map(len, examples))
        mask, speakers = np.zeros((b, n), dtype=bool), np.zeros((b, n), dtype=np.int64)
        labels = np.full((b, n), IGNORED_LABEL, dtype=np.int64)
        for row, example in enumerate(examples):
            mask[row, : len(example)] = True
            speakers[row, : len(example)] = example.speakers
            labels[row, : len(example)] = example.labels
        return {
            "position": torch.tensor([position for position, _ in batch]),
            "labels": torch.from_numpy(labels),
            "inputs": {
                "mask": torch.from_numpy(mask),
                "speakers": torch.from_numpy(speakers),
                **self.inputs.tensors(examples, n, self.chunk_tokens),
            },
        }
