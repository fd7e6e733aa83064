"""The last layer of an encoder of which only the first token is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["use_first_token_layer"]

# Encoders whose layers are BERT's; others look the same from outside but attend in another way (RoFormer, BigBird).
_MODEL_TYPES = frozenset({"bert", "roberta", "xlm-roberta", "camembert", "electra"})


def use_first_token_layer(encoder: Any) -> bool:
    """Makes the last layer of a BERT-like encoder compute its first token alone, the others' being thrown away.

    The first token attends to all others, so keys and values are still theirs; queries and the feed-forward network,
    five sixths of the layer's work, are not. Parameters keep their names.

    Args:
        encoder: The encoder; its ``last_hidden_state`` then is ``(u, 1, D)``. One of another kind stays as it is.

    Returns:
        Whether it is BERT-like: BERT, RoBERTa, XLM-RoBERTa, CamemBERT or ELECTRA.
    """
    config = encoder.config
    if (
        config.model_type not in _MODEL_TYPES
        or getattr(config, "is_decoder", False)
        # Others take another kind of mask.
        or config._attn_implementation not in ("sdpa", "eager")
    ):
        return False
    layer = encoder.encoder.layer[-1]
    if not isinstance(layer, _FirstToken):
        layer.__class__ = type(f"FirstToken{type(layer).__name__}", (_FirstToken, type(layer)), {})
    return True


class _FirstToken(nn.Module):
    if TYPE_CHECKING:
        attention: Any
        intermediate: Any
        output: Any

    def forward(self, hidden_states: Tensor, attention_mask: Tensor | None = None, *_: Any, **__: Any) -> Tensor:
        """``(u, T, D)`` to ``(u, 1, D)``."""
        attention = self.attention.self
        first = hidden_states[:, :1]

        def heads(projected: Tensor) -> Tensor:
            return projected.view(*projected.shape[:2], attention.num_attention_heads, -1).transpose(1, 2)

        attended = F.scaled_dot_product_attention(
            heads(attention.query(first)),
            heads(attention.key(hidden_states)),
            heads(attention.value(hidden_states)),
            attn_mask=None if attention_mask is None else attention_mask[:, :, :1],
            dropout_p=attention.dropout.p if self.training else 0.0,
            scale=attention.scaling,
        )
        mixed = self.attention.output(attended.transpose(1, 2).flatten(2), first)
        result: Tensor = self.output(self.intermediate(mixed), mixed)
        return result
