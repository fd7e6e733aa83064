"""Pools the states of frames or tokens to one vector, over the valid ones only."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ["pool_frames"]


def pool_frames(states: torch.Tensor, valid: torch.Tensor, pooling: str) -> torch.Tensor:
    r"""Pools states over time.

    .. math:: \text{mean}_b = \frac{\sum_t m_{bt} x_{bt}}{\sum_t m_{bt}}, \quad m_{bt} = 1 \text{ if valid, else } 0

    Args:
        states: ``(B, T, D)`` of any float type; invalid ones may be NaN or infinite.
        valid: ``(B, T)`` bool; the mean over none is 0.
        pooling: ``mean``, ``first`` (the first valid state) or ``max``.

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
        # `where` instead of a product, because padded states can be infinite.
        return states.where(mask, 0.0).sum(1) / mask.sum(1).clamp(min=1)
    if pooling == "max":
        return states.where(mask, float("-inf")).amax(1)
    first = valid.int().argmax(1)
    return states[range(len(states)), first]
