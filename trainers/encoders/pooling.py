"""Utterance representations from the layers of a text encoder."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from iemomecp_dataset.features.encoders.frame_pooling import pool_frames
from iemomecp_dataset.features.encoders.model_loading import hidden_layers

__all__ = ["default_layers", "parse_layers", "pool_layers", "pool_spans"]


def parse_layers(text: str, num_layers: int, count: int = 3) -> list[int]:
    """Reads the option ``--text_layers``.

    Args:
        text: ``auto``, ``thirds`` (three at even steps) or comma-separated layer numbers; negative ones count from the
            top.
        num_layers: Layers of the encoder, the embedding layer not counted.
        count: How many layers ``auto`` takes.

    Returns:
        Layer numbers, 0 being the embedding layer.

    Raises:
        UsageError: A number is not an integer, or the encoder has no such layer.

    Example:
        >>> parse_layers("auto", 12), parse_layers("-1", 12), parse_layers("2,4", 6)
        ([4, 8, 12], [12], [2, 4])
        >>> parse_layers("auto", 12, 6), parse_layers("thirds", 12, 6)
        ([2, 4, 6, 8, 10, 12], [4, 8, 12])
    """
    if text.strip() == "thirds":
        return default_layers(num_layers)
    named = ("auto", default_layers(num_layers, count))
    return list(hidden_layers(text, num_layers + 1, option="--text_layers", named=named))


def default_layers(num_layers: int, count: int = 3) -> list[int]:
    """Layers of an encoder at even steps, its top layer the last.

    The lower ones keep the emotion cues that the top layer of a sentence encoder drops.

    Args:
        num_layers: Layers of the encoder, the embedding layer not counted.
        count: How many; of a smaller encoder all of them.

    Example:
        >>> default_layers(6), default_layers(12), default_layers(2), default_layers(12, 6)
        ([2, 4, 6], [4, 8, 12], [1, 2], [2, 4, 6, 8, 10, 12])
    """
    return sorted({max(1, round(num_layers * part / count)) for part in range(1, count + 1)})


def pool_layers(hidden_states: Sequence[Tensor], attention_mask: Tensor, layers: Sequence[int]) -> Tensor:
    """Mean over an utterance's tokens in several layers, concatenated.

    Args:
        hidden_states: One ``(U, T, D)`` tensor per layer; entry 0 is the embedding layer.
        attention_mask: ``(U, T)``, 1 for tokens, 0 for padding.
        layers: Which layers.

    Returns:
        ``(U, D * len(layers))`` float32.

    Example:
        >>> states = [torch.tensor([[[1.0], [3.0], [99.0]]]), torch.tensor([[[2.0], [4.0], [99.0]]])]
        >>> pool_layers(states, torch.tensor([[1, 1, 0]]), [0, 1]).tolist()
        [[2.0, 3.0]]
    """
    tokens = attention_mask.bool()
    return torch.cat([pool_frames(hidden_states[layer], tokens, "mean") for layer in layers], dim=-1)


def pool_spans(hidden_states: Sequence[Tensor], pooled: Tensor, layers: Sequence[int]) -> Tensor:
    """Means over parts of sequences in several layers, concatenated.

    Args:
        hidden_states: One ``(U, T, D)`` tensor per layer; entry 0 is the embedding layer.
        pooled: ``(U, S, T)`` bool, the tokens of each of ``S`` parts; over none the mean is 0.
        layers: Which layers.

    Returns:
        ``(U * S, D * len(layers))`` float32.

    Example:
        >>> parts = torch.tensor([[[True, True, False], [False, False, True]]])
        >>> pool_spans([torch.tensor([[[1.0], [3.0], [9.0]]])], parts, [0]).tolist()
        [[2.0], [9.0]]
    """
    weights = pooled.float()
    weights = weights / weights.sum(dim=-1, keepdim=True).clamp(min=1)
    used = pooled.any(dim=1).unsqueeze(-1)
    # In full precision, like the mean over whole texts; and padded states can be infinite.
    with torch.autocast(pooled.device.type, enabled=False):
        found = [weights @ hidden_states[layer].float().where(used, 0.0) for layer in layers]
    return torch.cat(found, dim=-1).flatten(0, 1)
