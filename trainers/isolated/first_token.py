"""The last layer of an encoder of which only the first token is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from iemomecp_dataset.trainers.encoder_attention import bert_like, tokens_attending

__all__ = ["use_first_token_layer"]


def use_first_token_layer(encoder: Any) -> bool:
    """Makes the last layer of a BERT-like encoder compute its first token alone, the others' being thrown away.

    The first token attends to all others, so keys and values are still theirs; queries and the feed-forward network,
    five sixths of the layer's work, are not. Parameters keep their names.

    Args:
        encoder: The encoder; its ``last_hidden_state`` then is ``(u, 1, D)``. One of another kind stays as it is.

    Returns:
        Whether it is BERT-like: BERT, RoBERTa, XLM-RoBERTa, CamemBERT or ELECTRA.
    """
    # Other implementations of attention take another kind of mask.
    if not bert_like(encoder) or encoder.config._attn_implementation not in ("sdpa", "eager"):
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
        first = hidden_states[:, :1]
        mask = None if attention_mask is None else attention_mask[:, :, :1]
        mixed = self.attention.output(tokens_attending(self.attention.self, first, hidden_states, mask), first)
        result: Tensor = self.output(self.intermediate(mixed), mixed)
        return result
