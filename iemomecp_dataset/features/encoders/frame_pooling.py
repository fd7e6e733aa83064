"""Pools the states of frames, pictures or tokens to one vector, over the valid ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ["pool_frames"]


def pool_frames(states: torch.Tensor, valid: torch.Tensor, pooling: str) -> torch.Tensor:
    """Pools over the valid positions of each row.

    Args:
        states: ``(B, T, D)`` of any float type.
        valid: ``(B, T)`` bool, at least one per row; the mean over none is 0.
        pooling: ``mean``, ``first`` (the first valid one) or ``max``.

    Returns:
        ``(B, D)`` float32.

    Example:
        >>> import torch
        >>> states = torch.tensor([[[1.0], [3.0], [100.0]]])
        >>> pool_frames(states, torch.tensor([[True, True, False]]), "mean").item()
        2.0
    """
    states = states.float()
    mask = valid.unsqueeze(-1)
    if pooling == "mean":
        # `where`, not a product: what lies behind the end may be infinite.
        return states.where(mask, 0.0).sum(1) / mask.sum(1).clamp(min=1)
    if pooling == "max":
        return states.where(mask, float("-inf")).amax(1)
    first = valid.int().argmax(1)
    return states[range(len(states)), first]
