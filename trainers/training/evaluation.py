"""Scores a split with a model: its candidate pairs or its utterances, as the strategy says."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from numpy.typing import NDArray

from iemomecp_dataset.trainers.training.distributed import is_filler
from iemomecp_dataset.trainers.training.sharding import is_sharded, reshard
from iemomecp_dataset.trainers.training.task import Batch, EmotionStrategy, Examples, Strategy

__all__ = ["ScoredSplit", "score_split", "scored_batch"]


@dataclass(frozen=True)
class ScoredSplit:
    """Predictions of a model on a split.

    Attributes:
        probabilities: ``(m, C)`` float64 of what is predicted (pairs, or utterances), in the order of the split.
        loss: Mean supervised loss over batches.
        emotions: ``(utterances, K)`` float64, probabilities of the emotion categories, in the order of the split; None
            where the model predicts none.
        texts: What a model of explanations has written, in the order of the split; None for others.
        n_unended: How many of these texts reached the most tokens without an end.
        seconds: What writing them took, over all sessions of the run.
    """

    probabilities: NDArray[np.float64]
    loss: float
    emotions: NDArray[np.float64] | None = None
    texts: tuple[str, ...] | None = None
    n_unended: int = 0
    seconds: float = 0.0


def score_split(
    accelerator: Accelerator, strategy: Strategy, model: torch.nn.Module, loader: Any, examples: Examples
) -> ScoredSplit:
    """Scores every example of a split, sharded over all processes.

    Args:
        accelerator: Device, precision and processes.
        strategy: How the examples are batched and scored.
        model: The scorer.
        loader: Data loader of the split.
        examples: Examples of the split.

    Returns:
        Probabilities of all that is predicted, and of the utterances' emotions beside pairs, on every process.
    """
    model.eval()
    by_position: dict[int, NDArray[np.float64]] = {}
    emotions: dict[int, NDArray[np.float64]] = {}
    losses: list[float] = []
    sharded = is_sharded(accelerator)
    # Sharded weights are gathered in the precision of the run, and computed with in that; and gathered as tensors that
    # know their version, which those of inference mode do not.
    precision = contextlib.nullcontext() if sharded else accelerator.autocast()
    with torch.no_grad() if sharded else torch.inference_mode(), precision:
        for batch in loader:
            found, of_utterances, loss = scored_batch(strategy, model, batch, examples)
            if not is_filler(found[0][0]):
                losses.append(loss)
                by_position.update(found)
                emotions.update(of_utterances)
    reshard(model)
    # Processes may hold fillers alone, but all of them have the same model.
    predicted = _gathered(emotions, len(examples)) if any(gather_object([bool(emotions)])) else None
    return ScoredSplit(
        probabilities=_gathered(by_position, len(examples)),
        loss=float(np.mean(gather_object(losses))),
        emotions=predicted,
    )


def scored_batch(
    strategy: Strategy, model: torch.nn.Module, batch: Batch, examples: Examples
) -> tuple[list[tuple[int, NDArray[np.float64]]], list[tuple[int, NDArray[np.float64]]], float]:
    """Scores a mini-batch: per example its predictions, and beside pairs its utterances' emotions if there are any.

    Args:
        strategy: How the examples are scored.
        model: The scorer.
        batch: The mini-batch.
        examples: Examples of the split.

    Returns:
        Positions with ``(m, C)`` probabilities, positions with ``(n, K)`` probabilities of emotions (often none),
        and the mean supervised loss.
    """
    if isinstance(strategy, EmotionStrategy):
        return strategy.probabilities_with_emotions(model, batch, examples)
    found, loss = strategy.probabilities(model, batch, examples)
    return found, [], loss


def _gathered(by_position: dict[int, NDArray[np.float64]], count: int) -> NDArray[np.float64]:
    """Concatenates what all processes hold; dialogues differ in length, so objects are gathered instead of tensors."""
    everywhere: dict[int, NDArray[np.float64]] = dict(gather_object(list(by_position.items())))
    return np.concatenate([everywhere[position] for position in range(count)])
