"""Dropout that is as fast as the layers around it on a CPU."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["Dropout", "use_fast_dropout"]

_STEPS = 1 << 16


class Dropout(nn.Dropout):
    """Zeroes entries with probability ``p`` and scales the others by ``1 / (1 - p)``, as :class:`torch.nn.Dropout`.

    On a CPU torch draws one Bernoulli number at a time, which takes a fifth of a training step of a small scorer. Here
    every 64-bit draw decides about four entries, eight times as fast; ``p`` is rounded to a multiple of 2^-16, and so
    is the scale, so that the expectation stays exact.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> dropped = Dropout(0.5)(torch.ones(1000, 1000))
        >>> round(dropped.mean().item(), 2), sorted(set(dropped.flatten().tolist()))
        (1.0, [0.0, 2.0])
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name
        """Drops entries in training mode; any shape."""
        dropped_steps = round(self.p * _STEPS)
        if not self.training or input.device.type != "cpu" or not 0 < dropped_steps < _STEPS:
            return super().forward(input)
        draws = torch.empty(-(-input.numel() // 4), dtype=torch.int64).random_(-(1 << 63), None).view(torch.int16)
        # Compared straight into numbers: booleans, and numbers made of them, would take six times as long.
        kept = torch.empty(input.shape, dtype=input.dtype)
        torch.ge(draws[: input.numel()].view(input.shape), dropped_steps - _STEPS // 2, out=kept)
        return input * kept.mul_(_STEPS / (_STEPS - dropped_steps))


def use_fast_dropout(module: nn.Module) -> None:
    """Puts :class:`Dropout` in the place of every ``nn.Dropout`` within a module."""
    for name, child in module.named_children():
        if type(child) is nn.Dropout:
            setattr(module, name, Dropout(child.p).train(child.training))
        else:
            use_fast_dropout(child)
