"""Layers of ECERC (ACL 2025, long 102): positions, the evidence gate, and the encoder of context and interaction.

``U`` are the computed rows of a batch, see :class:`~iemomecp_dataset.trainers.emotions.attention.DialogueBuckets`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from iemomecp_dataset.trainers.emotions.attention import (
    Context,
    DialogueBuckets,
    attend,
    attend_itself,
    attention_weights,
)
from iemomecp_dataset.trainers.emotions.variants import EmptyRows

__all__ = ["ContextEncoder", "EvidenceGate", "Stream", "position_table", "project"]

_HEADS, _HEAD_SIZE = 8, 64
_NORM_EPSILON = 1e-6


def position_table(turns: int, columns: int, width: int) -> Tensor:
    r"""Sinusoid positions, float32.

    .. math::

        \mathrm{angle}(p, j) = p / 10000^{2 \lfloor j/2 \rfloor / w}, \quad \sin \text{ in even columns, } \cos
        \text{ in odd ones}

    Args:
        turns: Number of rows :math:`p`.
        columns: Number of columns :math:`j`.
        width: :math:`w`, of all evidence together.

    Returns:
        ``(turns, columns)``.

    Example:
        >>> [round(value, 3) for value in position_table(3, 4, 4)[1].tolist()]
        [0.841, 0.54, 0.01, 1.0]
    """
    return torch.from_numpy(_sinusoids(turns, columns, width))


# The array is kept, not the tensor, which could not be trained with if it were made in inference mode.
@lru_cache(maxsize=8)
def _sinusoids(turns: int, columns: int, width: int) -> NDArray[np.float32]:
    column = np.arange(columns)
    angles = np.arange(turns)[:, None] / np.power(10000.0, 2 * (column // 2) / width)
    return np.where(column % 2, np.cos(angles), np.sin(angles)).astype(np.float32)


@dataclass(frozen=True)
class Stream:
    """Vectors of one kind, of all computed rows.

    Attributes:
        vectors: ``(U, d)``.
        turns: ``(U,)`` int, their turns.
        positions: ``(L, d)``, added to the vectors by turn; None for none.
    """

    vectors: Tensor
    turns: Tensor
    positions: Tensor | None = None


def project(layer: nn.Module, stream: Stream) -> Tensor:
    """Projects vectors and positions; positions once per turn, not once per row.

    Args:
        layer: A linear layer.
        stream: ``(U, d)``.

    Returns:
        ``(U, h)``.
    """
    projected: Tensor = layer(stream.vectors)
    if stream.positions is None:
        return projected
    weight: Tensor = layer.weight  # type: ignore[assignment]
    return projected + F.linear(stream.positions, weight).index_select(0, stream.turns)


class EvidenceGate(nn.Module):
    r"""Weighs the modalities of an utterance by each other.

    .. math::

        w_m = \sigma(Q m + \sum_{o \neq m} K o), \qquad E = [w_t t \mid w_a a \mid w_v v]

    with the projected modalities :math:`t, a, v`, of which any may be left out.

    Args:
        sizes: Width of each modality, in order.
        hidden: Width ``h`` of each projection.
        gate: ``all``; ``own``, without the other modalities; or ``none``, :math:`w_m = 1`.
    """

    def __init__(self, sizes: Mapping[str, int], hidden: int, gate: str = "all"):
        super().__init__()
        self.projections = nn.ModuleDict({name: nn.Linear(size, hidden) for name, size in sizes.items()})
        self.query = nn.Linear(hidden, hidden) if gate != "none" else None
        self.key = nn.Linear(hidden, hidden) if gate == "all" and len(sizes) > 1 else None

    def forward(self, streams: Mapping[str, Stream], present: Mapping[str, Tensor]) -> Tensor:
        """Gates the evidence.

        Args:
            streams: By modality.
            present: ``(U,)`` bool by modality where vectors may be absent; an absent one adds nothing anywhere.

        Returns:
            ``(U, h * modalities)``.
        """
        projected = []
        for name, projection in self.projections.items():
            evidence = project(projection, streams[name])
            if name in present:
                evidence = evidence.masked_fill(~present[name].unsqueeze(-1), 0.0)
            projected.append(evidence)
        if self.query is None:
            return torch.cat(projected, dim=-1)
        keys = None if self.key is None else [self.key(evidence) for evidence in projected]
        gated = []
        for place, evidence in enumerate(projected):
            score = self.query(evidence)
            if keys is not None:
                score = score + sum(key for other, key in enumerate(keys) if other != place)
            gated.append(torch.sigmoid(score) * evidence)
        return torch.cat(gated, dim=-1)


class ContextEncoder(nn.Module):
    """Layers of attention and feed-forward networks, each followed by residual and norm (post-norm).

    Attention has eight heads of 64, whatever the width; the feed-forward network is twice as wide as its input.

    Args:
        width: Width ``D``.
        layers: Number of layers.
        context: The turns that a turn looks at.
        dropout: Dropout probability, of attention weights too.
        empty_rows: What a turn gets that may look at none.
    """

    def __init__(self, width: int, layers: int, context: Context, dropout: float, empty_rows: EmptyRows):
        super().__init__()
        self.layers = nn.ModuleList(_EncoderLayer(width, context, dropout, empty_rows) for _ in range(layers))

    def forward(self, queries: Tensor, memory: Tensor | None, buckets: DialogueBuckets) -> Tensor:
        """Encodes.

        Args:
            queries: ``(U, D)``; they move through the layers.
            memory: ``(U, D)``, keys and values of every layer; None: those of each layer are its queries.
            buckets: The dialogues.

        Returns:
            ``(U, D)``.
        """
        for layer in self.layers:
            queries = layer(queries, queries if memory is None else memory, buckets)
        return queries

    def weights(self, queries: Tensor, memory: Tensor, buckets: DialogueBuckets) -> Tensor:
        """Attention weights of the last layer, ``(B, 8, L, L)``, of fixed keys; see :meth:`forward`."""
        *before, last = self.layers
        for layer in before:
            queries = layer(queries, memory, buckets)
        weights: Tensor = last.weights(queries, memory, buckets)  # type: ignore[operator]
        return weights


class _EncoderLayer(nn.Module):
    def __init__(self, width: int, context: Context, dropout: float, empty_rows: EmptyRows):
        super().__init__()
        self.context: Context = context
        self.empty_rows: EmptyRows = empty_rows
        inner = _HEADS * _HEAD_SIZE
        self.query = nn.Linear(width, inner, bias=False)
        self.key = nn.Linear(width, inner, bias=False)
        self.value = nn.Linear(width, inner, bias=False)
        self.output = nn.Linear(inner, width, bias=False)
        self.attention_norm = nn.LayerNorm(width, eps=_NORM_EPSILON)
        self.expand = nn.Linear(width, 2 * width)
        self.contract = nn.Linear(2 * width, width)
        self.feed_forward_norm = nn.LayerNorm(width, eps=_NORM_EPSILON)
        self.dropout = dropout

    def forward(self, queries: Tensor, memory: Tensor, buckets: DialogueBuckets) -> Tensor:
        dropout = self.dropout if self.training else 0.0
        value = self.value(memory)
        if self.context == "itself":
            seen = attend_itself(value, n_heads=_HEADS, dropout=dropout)
        else:
            seen = attend(
                self.query(queries),
                self.key(memory),
                value,
                buckets,
                self.context,
                n_heads=_HEADS,
                empty_rows=self.empty_rows,
                dropout=dropout,
            )
        mixed = self.output(seen)
        attended = self.attention_norm(queries + F.dropout(mixed, self.dropout, self.training))
        forwarded = self.contract(torch.relu(self.expand(attended)))
        result: Tensor = self.feed_forward_norm(attended + F.dropout(forwarded, self.dropout, self.training))
        return result

    def weights(self, queries: Tensor, memory: Tensor, buckets: DialogueBuckets) -> Tensor:
        return attention_weights(
            self.query(queries),
            self.key(memory),
            buckets,
            self.context,
            n_heads=_HEADS,
            empty_rows=self.empty_rows,
        )
