"""Scores the candidate pairs of a split with a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from numpy.typing import NDArray

from iemomecp_dataset.trainers.training.distributed import is_filler
from iemomecp_dataset.trainers.training.task import Examples, Strategy

__all__ = ["ScoredSplit", "score_split"]


@dataclass(frozen=True)
class ScoredSplit:
    """Predictions of a model on a split.

    Attributes:
        probabilities: ``(pairs, C)`` float64, in the order of the split's pair table.
        loss: Mean supervised loss over batches.
    """

    probabilities: NDArray[np.float64]
    loss: float


def score_split(
    accelerator: Accelerator, strategy: Strategy, model: torch.nn.Module, loader: Any, examples: Examples
) -> ScoredSplit:
    """Scores every candidate pair of a split, sharded over all processes.

    Args:
        accelerator: Device, precision and processes.
        strategy: How the examples are batched and scored.
        model: The scorer.
        loader: Data loader of the split.
        examples: Examples of the split.

    Returns:
        Probabilities of all pairs, on every process.
    """
    model.eval()
    by_position: dict[int, NDArray[np.float64]] = {}
    losses: list[float] = []
    with torch.inference_mode(), accelerator.autocast():
        for batch in loader:
            found, loss = strategy.probabilities(model, batch, examples)
            if not is_filler(found[0][0]):
                losses.append(loss)
                by_position.update(found)
    # Dialogues differ in length, so objects are gathered instead of tensors.
    everywhere: dict[int, NDArray[np.float64]] = dict(gather_object(list(by_position.items())))
    return ScoredSplit(
        probabilities=np.concatenate([everywhere[position] for position in range(len(examples))]),
        loss=float(np.mean(gather_object(losses))),
    )
