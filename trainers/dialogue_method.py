"""How the dialogue scorer is trained: mini-batches of dialogues, all terms of an objective."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from iemomecp_dataset.trainers.batch_order import RandomBatches
from iemomecp_dataset.trainers.batching import Collator
from iemomecp_dataset.trainers.dialogue_examples import DialogueExample
from iemomecp_dataset.trainers.dialogue_scorer import Corruption
from iemomecp_dataset.trainers.objectives import (
    Objective,
    ObjectiveWeights,
    Pooling,
    objective_terms,
    supervised_extraction,
)
from iemomecp_dataset.trainers.processes import Processes
from iemomecp_dataset.trainers.scoring_method import Batch, Examples

__all__ = ["MODEL_INPUTS", "DialogueMethod", "model_inputs"]

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
class DialogueMethod:
    """The dialogue scorer's :class:`~iemomecp_dataset.trainers.scoring_method.ScoringMethod`.

    Attributes:
        collator: Pads dialogues.
        objective: Terms of the loss.
        weights: Their weights.
        corruption: How the corrupted view is made, where the objective has one.
    """

    collator: Collator
    objective: Objective
    weights: ObjectiveWeights
    corruption: Corruption | None
    unit: str = "dialogue"

    def train_order(self, examples: Examples, *, batch_size: int, seed: int, processes: Processes) -> RandomBatches:
        """Random mini-batches, shared out by what their dialogues cost."""
        costs = self._costs(examples)
        return RandomBatches(len(examples), batch_size, seed=seed, processes=processes, costs=costs)

    def scoring_order(self, examples: Examples, *, batch_size: int, processes: Processes) -> RandomBatches:
        """Mini-batches in the order of the split, shared out by what their dialogues cost."""
        costs = self._costs(examples)
        return RandomBatches(len(examples), batch_size, shuffle=False, processes=processes, costs=costs)

    def collate(self, batch: list[tuple[int, DialogueExample]]) -> Batch:
        """Pads dialogues to the longest."""
        return self.collator(batch)

    def terms(
        self, model: nn.Module, batch: Batch, class_weights: Tensor | None, pool: Pooling
    ) -> Mapping[str, Tensor]:
        """Weighted terms of the objective."""
        scores = model(**model_inputs(batch), gold=batch["gold"], corruption=self.corruption)
        return objective_terms(
            self.objective,
            self.weights,
            emotion_logits=scores.emotion_logits,
            cause_logits=scores.cause_logits,
            pair_logits=scores.pair_logits,
            corrupted_pair_logits=scores.corrupted_pair_logits,
            emotion_labels=batch["emotion_labels"],
            cause_labels=batch["cause_labels"],
            pair_labels=batch["labels"],
            mask=batch["mask"],
            valid=batch["valid"],
            pair_class_weights=class_weights,
            pool=pool,
        )

    def probabilities(
        self, model: nn.Module, batch: Batch, examples: Examples
    ) -> tuple[list[tuple[int, NDArray[np.float64]]], float]:
        """Probabilities of the candidate pairs of each dialogue, in the row's order."""
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
        matrices = scores.pair_logits.double().softmax(dim=-1).cpu().numpy()
        found = []
        for position, matrix in zip(batch["position"].tolist(), matrices, strict=True):
            example = examples[position if position >= 0 else ~position]
            found.append((position, matrix[example.targets, example.causes]))
        return found, loss.item()

    def _costs(self, examples: Examples) -> list[int]:
        return [self.collator.cost(examples[position]) for position in range(len(examples))]


def model_inputs(batch: Batch) -> Batch:
    """The part of a batch that a scorer takes."""
    return {name: batch[name] for name in MODEL_INPUTS if name in batch}
