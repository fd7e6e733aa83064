"""From a model and dialogues to probabilities, one row a candidate pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from numpy.typing import NDArray

from iemomecp_dataset.trainers.dialogue_examples import DialogueExample
from iemomecp_dataset.trainers.objectives import supervised_extraction

__all__ = ["MODEL_INPUTS", "ScoredSplit", "model_inputs", "score_split"]

MODEL_INPUTS = (
    "mask",
    "speakers",
    "valid",
    "text",
    "text_tokens",
    "text_order",
    "audio",
    "audio_present",
    "video",
    "video_present",
)
"""Entries of a batch that a scorer takes; the rest are labels."""


@dataclass(frozen=True)
class ScoredSplit:
    """What a model says about a split.

    Attributes:
        probabilities: ``(pairs, C)`` float64, in the order of the split's pair table.
        loss: Mean supervised loss per batch.
    """

    probabilities: NDArray[np.float64]
    loss: float


def model_inputs(batch: dict[str, Any]) -> dict[str, Any]:
    """The part of a batch that a scorer takes."""
    return {name: batch[name] for name in MODEL_INPUTS if name in batch}


def score_split(
    accelerator: Accelerator, model: torch.nn.Module, loader: Any, examples: Sequence[DialogueExample]
) -> ScoredSplit:
    """Scores every candidate pair of a split, on all processes together.

    Args:
        accelerator: Device, precision and processes.
        model: The prepared scorer.
        loader: The prepared loader of the split.
        examples: The split's dialogues.

    Returns:
        Probabilities of all pairs, on every process.
    """
    model.eval()
    by_position: dict[int, NDArray[np.float64]] = {}
    losses: list[float] = []
    with torch.inference_mode():
        for batch in loader:
            scores = model(**model_inputs(batch))
            loss = supervised_extraction(
                scores.emotion_logits,
                scores.cause_logits,
                scores.pair_logits,
                batch["emotion_labels"],
                batch["cause_labels"],
                batch["labels"],
                batch["mask"],
                batch["valid"],
            )
            probabilities = scores.pair_logits.double().softmax(dim=-1).cpu().numpy()
            found = []
            for position, matrix in zip(batch["position"].tolist(), probabilities, strict=True):
                example = examples[position]
                found.append((position, matrix[example.targets, example.causes]))
            # Dialogues are ragged, so objects are gathered; the last batch of a sharded loader may repeat some,
            # and a position that comes twice is simply written twice.
            for position, pairs in gather_object(found):
                by_position[position] = pairs
            losses += gather_object([loss.item()])
    return ScoredSplit(
        probabilities=np.concatenate([by_position[position] for position in range(len(examples))]),
        loss=float(np.mean(losses)),
    )
