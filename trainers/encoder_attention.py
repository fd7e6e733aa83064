"""Attention of a BERT-like encoder, with a dropout of attention weights that is fast on a CPU."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["attend", "bert_like", "tokens_attending", "use_fast_attention"]

# Encoders whose layers are BERT's; others look the same from outside but attend in another way (RoFormer, BigBird).
_MODEL_TYPES = frozenset({"bert", "roberta", "xlm-roberta", "camembert", "electra"})


def bert_like(encoder: Any) -> bool:
    """Whether an encoder is BERT, RoBERTa, XLM-RoBERTa, CamemBERT or ELECTRA, and not a decoder."""
    return encoder.config.model_type in _MODEL_TYPES and not getattr(encoder.config, "is_decoder", False)


def attend(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, dropout: nn.Dropout, scaling: float
) -> Tensor:
    """Scaled dot-product attention (Vaswani et al. 2017, arXiv 1706.03762, Eq. 1) with dropout of the weights.

    On a CPU torch's own draws one Bernoulli number for each weight, a tenth of a training step; here ``dropout`` drops
    them, which :func:`~iemomecp_dataset.trainers.dropout.use_fast_dropout` makes fast.

    Args:
        query: ``(B, heads, Q, D)``.
        key: ``(B, heads, T, D)``.
        value: ``(B, heads, T, D)``.
        mask: ``(B, 1 or heads, 1 or Q, T)``, bool, true where there is something to attend to, or float, added.
        dropout: Of the weights.
        scaling: Factor of the products.

    Returns:
        ``(B, heads, Q, D)``.
    """
    dropped = dropout.p if dropout.training else 0.0
    if not dropped or query.device.type != "cpu":
        return F.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropped, scale=scaling)
    products = (query * scaling) @ key.transpose(-1, -2)
    if mask is not None:
        products = products + mask if mask.is_floating_point() else products.masked_fill(~mask, float("-inf"))
    attended: Tensor = dropout(products.softmax(dim=-1)) @ value
    return attended


def tokens_attending(attention: Any, tokens: Tensor, to: Tensor, mask: Tensor | None) -> Tensor:
    """What a BERT-like layer's self-attention gives for some of the tokens.

    Args:
        attention: The layer's self-attention.
        tokens: ``(u, Q, D)``.
        to: ``(u, T, D)``, all tokens.
        mask: As of :func:`attend`.

    Returns:
        ``(u, Q, D)``.
    """

    def heads(projected: Tensor) -> Tensor:
        return projected.view(*projected.shape[:2], attention.num_attention_heads, -1).transpose(1, 2)

    query, key, value = heads(attention.query(tokens)), heads(attention.key(to)), heads(attention.value(to))
    return attend(query, key, value, mask, attention.dropout, attention.scaling).transpose(1, 2).flatten(2)


def use_fast_attention(encoder: Any) -> bool:
    """Lets every layer of a BERT-like encoder attend by :func:`attend`; one of another kind stays as it is.

    Args:
        encoder: The encoder. Parameters keep their names.

    Returns:
        Whether its layers now do: it is BERT-like, and attended by torch's function before.
    """
    if not bert_like(encoder) or encoder.config._attn_implementation != "sdpa":
        return False
    for layer in encoder.encoder.layer:
        attention = layer.attention.self
        if not isinstance(attention, _FastAttention):
            attention.__class__ = type(f"Fast{type(attention).__name__}", (_FastAttention, type(attention)), {})
    return True


class _FastAttention(nn.Module):
    def forward(
        self, hidden_states: Tensor, attention_mask: Tensor | None = None, *_: Any, **__: Any
    ) -> tuple[Tensor, None]:
        """``(u, T, D)`` to ``(u, T, D)``; there are no weights to look at."""
        return tokens_attending(self, hidden_states, hidden_states, attention_mask), None
