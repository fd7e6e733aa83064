"""Exponential moving average of the weights; evaluation and the saved model use the averaged weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

__all__ = ["averaged_model", "decay_at", "local"]


def averaged_model(model: nn.Module, decay: float) -> AveragedModel:
    """Makes a copy of a model that holds an exponential moving average of its weights (Polyak averaging).

    Scores of single epochs fluctuate by a point or more on dialogues; averaged weights score higher and fluctuate less.

    Args:
        model: The model that is trained.
        decay: Weight of the previous average in each step; 0 keeps the newest weights only.

    Returns:
        The copy; call its ``update_parameters(model)`` after each optimizer step.
    """

    @torch.no_grad()
    def average(averages: Sequence[Tensor], current: Sequence[Tensor], updates: Tensor | int) -> None:
        # Not ``updates``, which is on the model's device: a GPU would be waited for in each step.
        weight = 1.0 - decay_at(int(averaged.n_averaged), decay)
        # Of sharded weights each process averages its shards: the mean is taken element by element.
        averages, current = ([local(t) for t in tensors] for tensors in (averages, current))
        floating = [i for i, mean in enumerate(averages) if mean.is_floating_point()]
        torch._foreach_lerp_(
            [averages[i] for i in floating], [current[i].to(averages[i].dtype) for i in floating], weight
        )
        for i in set(range(len(averages))) - set(floating):
            averages[i].copy_(current[i])

    averaged = AveragedModel(model, multi_avg_fn=average)
    return averaged


def decay_at(updates: int, decay: float) -> float:
    """Computes the decay after a number of updates; it starts small, so that the random initial weights fade quickly.

    Example:
        >>> [round(decay_at(updates, 0.99), 3) for updates in (0, 10, 100, 10_000)]
        [0.1, 0.55, 0.918, 0.99]
    """
    return min(decay, (1 + updates) / (10 + updates))


def local(tensor: Tensor) -> Tensor:
    """The part of a tensor that this process holds: its shard, or all of a tensor that is not sharded."""
    shard: Tensor = tensor.to_local() if hasattr(tensor, "to_local") else tensor
    return shard
