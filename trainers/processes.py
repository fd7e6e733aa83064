"""Mini-batches spread over processes: who takes what, and means that do not depend on how many there are.

A mini-batch belongs to all processes together. Each takes a share; a mean is the sum over all shares divided by the
count over all shares, so that several processes compute what one would on the whole mini-batch, a ragged last one
included. Where there are fewer things than processes, those left over take a filler that counts for nothing, because
every process must take part in every step.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from accelerate import Accelerator
from torch import Tensor

from iemomecp_dataset.trainers.objectives import Pooling, pooled_here

__all__ = ["Processes", "is_filler", "pooled_over_processes"]


@dataclass(frozen=True)
class Processes:
    """How many processes train together, and which of them this is.

    Attributes:
        count: How many.
        index: This one, from 0.
    """

    count: int = 1
    index: int = 0

    def share(self, batch: list[int]) -> list[int]:
        """What this process takes of a mini-batch.

        Args:
            batch: Positions, at least one.

        Returns:
            Positions; or a filler, one position ``p`` written ``~p``.

        Example:
            >>> [Processes(2, index).share([4, 7, 5]) for index in (0, 1)]
            [[4, 5], [7]]
            >>> Processes(2, 1).share([4])
            [-5]
        """
        return batch[self.index :: self.count] or [~batch[0]]


def is_filler(position: int) -> bool:
    """Whether a position is there only to keep a process in step."""
    return position < 0


def pooled_over_processes(accelerator: Accelerator, *, counted: bool = True) -> Pooling:
    """Means over a mini-batch that is spread over processes.

    Gradients are averaged over processes, so what each contributes is multiplied by their number: the average of the
    results over processes is the mean.

    Args:
        accelerator: The processes.
        counted: False where this process holds a filler.

    Returns:
        What turns this process' sum and count into its contribution; all processes must call it equally often.
    """
    if accelerator.num_processes == 1:
        return pooled_here

    def pool(total: Tensor, count: Tensor) -> Tensor:
        weight = 1.0 if counted else 0.0
        everywhere = accelerator.reduce(count.detach() * weight, reduction="sum")
        everywhere = torch.where(everywhere == 0, torch.ones_like(everywhere), everywhere)
        mean: Tensor = total * (weight * accelerator.num_processes) / everywhere
        return mean

    return pool
