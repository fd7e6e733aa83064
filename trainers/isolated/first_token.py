"""The last layer of an encoder of which only the first token is used."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["FirstTokenLayer", "use_first_token_layer"]

# Encoders whose layers are BERT's; others look the same from outside but attend in another way (RoFormer, BigBird).
_MODEL_TYPES = frozenset({"bert", "roberta", "xlm-roberta", "camembert", "electra"})
# Other implementations of attention take another kind of mask.
_ATTENTION = frozenset({"sdpa", "eager"})


class FirstTokenLayer(nn.Module):
    """Computes the first token of a BERT-like layer.

    The first token attends to all others, so their keys and values are computed; their queries and their feed-forward
    network, five sixths of the layer's work, are not.

    Args:
        layer: The layer. Its parts are used as they are, under their own names, so that the parameters and their names
            in a saved model stay the same.
    """

    def __init__(self, layer: Any):
        super().__init__()
        self.attention = layer.attention
        self.intermediate = layer.intermediate
        self.output = layer.output
        self.train(layer.training)

    def forward(self, hidden_states: Tensor, attention_mask: Tensor | None = None, *_: Any, **__: Any) -> Tensor:
        """Computes the first token.

        Args:
            hidden_states: ``(u, T, D)``.
            attention_mask: ``(u, 1, 1 or T, T)``, bool, true where there is a token, or float, added to the products.

        Returns:
            ``(u, 1, D)``.
        """
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


def use_first_token_layer(encoder: Any) -> bool:
    """Replaces the last layer of a BERT-like encoder by a :class:`FirstTokenLayer`.

    Args:
        encoder: The encoder; its ``last_hidden_state`` then is ``(u, 1, D)``. One of another kind keeps its layers.

    Returns:
        Whether it is BERT-like: BERT, RoBERTa, XLM-RoBERTa, CamemBERT or ELECTRA, and not a decoder.
    """
    config = encoder.config
    if (
        config.model_type not in _MODEL_TYPES
        or getattr(config, "is_decoder", False)
        or config._attn_implementation not in _ATTENTION
    ):
        return False
    layers = encoder.encoder.layer
    if not isinstance(layers[-1], FirstTokenLayer):
        layers[-1] = FirstTokenLayer(layers[-1])
    return True
