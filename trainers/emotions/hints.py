"""Which earlier turns ECERC's attention points at: a diagnostic of causes, not a predictor of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from iemomecp_dataset.trainers.emotions.attention import Context, context_mask

__all__ = ["CONTEXT_OF_STREAM", "attention_hints", "uniform_attention"]

CONTEXT_OF_STREAM: dict[str, Context] = {
    "self_emotion": "own",
    "cross_emotion": "other",
    "self_event": "itself",
    "cross_event": "other",
}
"""The turns that each interaction looks at."""


def attention_hints(gates: Tensor, attentions: Sequence[Tensor]) -> Tensor:
    r"""Attention of all interactions, weighed by their gates.

    .. math::

        \mathrm{hint}(i, j) = \frac{\sum_k g_k(i) \bar A_k(i, j)}{\sum_k g_k(i)}

    with :math:`\bar A_k` the mean over heads.

    Args:
        gates: ``(B, L, S)``, zero for padding, as an ``EcercModel`` gives them with ``output_attentions=True``.
        attentions: ``S`` weights ``(B, H, L, L)``.

    Returns:
        ``(B, L, L)``, row the target, column the candidate cause; zero for padding.

    Example:
        >>> gates = torch.tensor([[[0.25, 0.75], [0.5, 0.5]]])
        >>> itself, previous = torch.eye(2).view(1, 1, 2, 2), torch.tensor([[[[0.0, 0.0], [1.0, 0.0]]]])
        >>> attention_hints(gates, [itself, previous]).tolist()
        [[[0.25, 0.0], [0.5, 0.5]]]
    """
    means = torch.stack([attention.mean(dim=1) for attention in attentions], dim=-1)
    total = gates.sum(dim=-1, keepdim=True)
    weighed = (gates.unsqueeze(-2) * means).sum(dim=-1)
    return weighed / total.masked_fill(total == 0, 1.0)


def uniform_attention(streams: Sequence[str], mask: Tensor, speakers: Tensor) -> list[Tensor]:
    """The control of :func:`attention_hints`: each interaction looks equally at all turns that it may see.

    Args:
        streams: Names of the interactions.
        mask: ``(B, L)`` bool, true for utterances.
        speakers: ``(B, L)`` int.

    Returns:
        For each interaction ``(B, 1, L, L)``, rows that may see nothing and rows of padding zero.
    """
    found = []
    for name in streams:
        allowed = context_mask(CONTEXT_OF_STREAM[name], mask, speakers) & mask.unsqueeze(-1)
        seen = allowed.sum(dim=-1, keepdim=True)
        found.append((allowed / seen.clamp(min=1)).unsqueeze(1))
    return found
