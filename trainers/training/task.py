"""What the training loop asks of a kind of scorer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from iemomecp_dataset.trainers.encoders.text import TextEncoder
from iemomecp_dataset.trainers.objectives import Pooling
from iemomecp_dataset.trainers.training.distributed import Processes
from iemomecp_dataset.trainers.training.samplers import BatchOrder

__all__ = ["Batch", "Examples", "PreparedScorer", "ScoringMethod"]

Batch = dict[str, Any]
"""Tensors of a mini-batch; ``position`` ``(B,)`` says which examples they are."""


class Examples(Protocol):
    """The examples of a split, by position."""

    def __len__(self) -> int: ...

    def __getitem__(self, position: int, /) -> Any: ...


class ScoringMethod(Protocol):
    """A kind of scorer: how its examples are batched, what it is trained on, what it says."""

    @property
    def unit(self) -> str:
        """What an example is, in a progress bar."""

    def train_order(self, examples: Examples, *, batch_size: int, seed: int, processes: Processes) -> BatchOrder:
        """Mini-batches to train on."""

    def scoring_order(self, examples: Examples, *, batch_size: int, processes: Processes) -> BatchOrder:
        """Mini-batches to score."""

    def collate(self, batch: list[tuple[int, Any]]) -> Batch:
        """Builds the tensors of a mini-batch from positions and examples."""

    def terms(
        self, model: nn.Module, batch: Batch, class_weights: Tensor | None, pool: Pooling
    ) -> Mapping[str, Tensor]:
        """Weighted terms of the loss on a mini-batch; their sum is the loss."""

    def probabilities(
        self, model: nn.Module, batch: Batch, examples: Examples
    ) -> tuple[list[tuple[int, NDArray[np.float64]]], float]:
        """For each example its position and ``(pairs, C)`` probabilities; and the mean supervised loss."""


@dataclass(frozen=True)
class PreparedScorer:
    """What a run needs of its scorer.

    Attributes:
        model: The ``PreTrainedModel``.
        method: How it is trained and scored.
        examples: By split, in the order of the pair tables.
        truncated: By split ``truncated_utterances`` and, for the isolated scorer, ``truncated_pairs``.
        encoder: The text encoder with its tokeniser, or none without text.
        frozen_texts: Frozen features by text, where there are any; structural baselines use them.
        without_evidence: The method that scores pairs whose candidate is removed, where there is such a thing.
    """

    model: Any
    method: ScoringMethod
    examples: Mapping[str, Examples]
    truncated: Mapping[str, Mapping[str, int]]
    encoder: TextEncoder | None = None
    frozen_texts: Mapping[str, NDArray[np.float32]] | None = None
    without_evidence: ScoringMethod | None = None
