"""The dialogue transformer's layer, and the index of a padded batch that spares it the padding.

Dialogues of a batch differ in length, so that often half of a padded batch is padding, and candidate pairs are a
fraction of its ``N * N`` cells. :class:`Ragged` holds the places of its utterances, :class:`CandidatePairs` those of
its pairs; what concerns a single utterance or pair, nearly all the work, is computed on ``(U, D)`` and ``(P, D)``.
Places are those of flattened tensors, because selecting along one dimension has a much faster backward pass than
indexing along three.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["CandidatePairs", "DialogueLayer", "ModalityProjection", "Ragged", "scoring_head"]


@dataclass(frozen=True)
class Ragged:
    """Places of the ``U`` utterances of a padded batch: ``B`` dialogues of at most ``N`` turns.

    Attributes:
        mask: ``(B, N)`` bool, true for utterances.
        places: ``(U,)`` int, their places in the flattened batch.
    """

    mask: Tensor
    places: Tensor

    @classmethod
    def of(cls, mask: Tensor) -> Ragged:
        """Finds the utterances of a mask.

        Example:
            >>> import torch
            >>> ragged = Ragged.of(torch.tensor([[True, True], [True, False]]))
            >>> ragged.flat(torch.tensor([[1, 2], [3, 0]])).tolist()
            [1, 2, 3]
            >>> ragged.padded(torch.tensor([[1.0], [2.0], [3.0]])).squeeze(-1).tolist()
            [[1.0, 2.0], [3.0, 0.0]]
            >>> ragged.rows.tolist()
            [[0, 1], [2, 2]]
        """
        return cls(mask, mask.flatten().nonzero().squeeze(-1))

    @property
    def rows(self) -> Tensor:
        """``(B, N)`` int: index among the ``U`` of each utterance; any valid index for padding."""
        return (self.mask.flatten().cumsum(0) - 1).view(self.mask.shape)

    def flat(self, padded: Tensor) -> Tensor:
        """Drops padding: ``(B, N, ...)`` to ``(U, ...)``."""
        return padded.flatten(0, 1).index_select(0, self.places)

    def padded(self, flat: Tensor) -> Tensor:
        """Restores padding, with zeros: ``(U, D)`` to ``(B, N, D)``."""
        zeros = flat.new_zeros(self.mask.numel(), flat.shape[-1])
        return zeros.index_copy(0, self.places, flat).view(*self.mask.shape, flat.shape[-1])


@dataclass(frozen=True)
class CandidatePairs:
    """Places of the ``P`` candidate pairs of a padded batch: ``B`` dialogues of at most ``N`` turns.

    Attributes:
        valid: ``(B, N, N)`` bool; row target, column candidate cause.
        cells: ``(P,)`` int, places among the ``B * N * N`` cells.
        targets: ``(P,)`` int, places of the targets among the ``B * N`` turns.
        causes: ``(P,)`` int, places of the candidate causes among them.
    """

    valid: Tensor
    cells: Tensor
    targets: Tensor
    causes: Tensor

    @classmethod
    def of(cls, valid: Tensor) -> CandidatePairs:
        """Finds the pairs.

        Args:
            valid: ``(B, N, N)`` bool; row target, column candidate cause.

        Example:
            >>> import torch
            >>> pairs = CandidatePairs.of(torch.tensor([[[True, False], [True, True]]]))
            >>> pairs.targets.tolist(), pairs.causes.tolist(), pairs.offsets(12).tolist()
            ([0, 1, 1], [0, 0, 1], [12, 13, 12])
        """
        turns = valid.shape[-1]
        cells = valid.flatten().nonzero().squeeze(-1)
        targets = cells // turns
        return cls(valid, cells, targets, targets // turns * turns + cells % turns)

    def offsets(self, max_distance: int) -> Tensor:
        """``(P,)`` int: target minus cause in turns, clipped to ``max_distance`` and shifted to count from 0."""
        return (self.targets - self.causes).clamp(-max_distance, max_distance) + max_distance

    def select(self, values: Tensor) -> Tensor:
        """Selects the pairs: ``(B, N, N, C)`` to ``(P, C)``."""
        return values.flatten(0, 2).index_select(0, self.cells)

    def matrices(self, values: Tensor) -> Tensor:
        """Lays pairs out as matrices: ``(P, C)`` to ``(B, N, N, C)``, zero in the other cells.

        Example:
            >>> import torch
            >>> pairs = CandidatePairs.of(torch.tensor([[[True, False], [True, True]]]))
            >>> pairs.matrices(torch.tensor([[1.0], [2.0], [3.0]])).squeeze(-1).tolist()
            [[[1.0, 0.0], [2.0, 3.0]]]
        """
        zeros = values.new_zeros(self.valid.numel(), values.shape[-1])
        return zeros.index_copy(0, self.cells, values).view(*self.valid.shape, values.shape[-1])


class DialogueLayer(nn.Module):
    """Self-attention among a dialogue's utterances, then a feed-forward network, each after a norm (pre-norm).

    Equal to :class:`torch.nn.TransformerEncoderLayer` with ``norm_first`` and GELU, its initialisation included, but
    for the padding.

    Args:
        hidden: Width ``D``.
        heads: Attention heads.
        feed_forward: Width of the feed-forward network.
        dropout: Dropout probability, of attention weights too.
    """

    def __init__(self, hidden: int, heads: int, feed_forward: int, dropout: float):
        super().__init__()
        self.heads = heads
        self.attention_dropout = dropout
        self.attention_norm = nn.LayerNorm(hidden)
        self.query_key_value = nn.Linear(hidden, 3 * hidden)
        self.attention_output = nn.Linear(hidden, hidden)
        self.dropout = nn.Dropout(dropout)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(hidden),
            nn.Linear(hidden, feed_forward),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(feed_forward, hidden),
            nn.Dropout(dropout),
        )
        nn.init.xavier_uniform_(self.query_key_value.weight)
        nn.init.zeros_(self.query_key_value.bias)
        nn.init.zeros_(self.attention_output.bias)

    def forward(self, utterances: Tensor, ragged: Ragged, bias: Tensor | None = None) -> Tensor:
        """Mixes the utterances of each dialogue.

        Args:
            utterances: ``(U, D)``.
            ragged: Their places.
            bias: ``(B, 1 or heads, N, N)``, added to the attention scores, row: the utterance that looks; minus
                infinity where it does not see another, but never in a whole row. By default all see all.

        Returns:
            ``(U, D)``.
        """
        batch, turns = ragged.mask.shape
        projected = ragged.padded(self.query_key_value(self.attention_norm(utterances)))
        query, key, value = projected.view(batch, turns, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=ragged.mask[:, None, None] if bias is None else bias.to(query.dtype),
            dropout_p=self.attention_dropout if self.training else 0.0,
        )
        mixed = self.attention_output(ragged.flat(attended.transpose(1, 2).flatten(2)))
        utterances = utterances + self.dropout(mixed)
        result: Tensor = utterances + self.feed_forward(utterances)
        return result


class ModalityProjection(nn.Module):
    """Projects features to the width of the dialogue transformer; absent ones are replaced by a learned vector.

    Args:
        size: Width of the features.
        hidden: Width of the dialogue transformer.
        dropout: Dropout probability of the features.
    """

    def __init__(self, size: int, hidden: int, dropout: float):
        super().__init__()
        self.project = nn.Sequential(nn.LayerNorm(size), nn.Dropout(dropout), nn.Linear(size, hidden))
        self.absent = nn.Parameter(torch.zeros(hidden))

    def forward(self, features: Tensor, present: Tensor | None) -> Tensor:
        """Projects ``(U, d)`` to ``(U, D)``; ``present`` ``(U,)`` bool, or None if all are."""
        projected: Tensor = self.project(features.to(self.absent.dtype))
        return projected if present is None else torch.where(present.unsqueeze(-1), projected, self.absent)


def scoring_head(hidden: int, dropout: float, classes: int = 2) -> nn.Sequential:
    """Scores utterances: ``(U, D)`` to ``(U, classes)``."""
    return nn.Sequential(nn.Linear(hidden, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, classes))
