"""Attention of ECERC among the utterances of dialogues: which turn may look at which, on buckets of like length.

Notation: a padded batch has ``B`` dialogues of at most ``L`` turns, and ``U`` computed rows: its utterances or, where
padding matters, all its places. What concerns one utterance is computed on ``(U, D)``; attention pads the dialogues of
a bucket to the longest of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.trainers.dialogue.layers import Ragged
from iemomecp_dataset.trainers.emotions.variants import EmptyRows

__all__ = ["Bucket", "Context", "DialogueBuckets", "attend", "attend_itself", "attention_weights",
           "check_turns", "context_mask"]  # fmt: skip

Context = Literal["history", "own", "other", "itself"]
"""The turns that a turn looks at: all up to itself; the earlier ones of its speaker; those of others; itself alone."""

_DIALOGUES_OF_A_BUCKET = 8


def context_mask(context: Context, utterances: Tensor, speakers: Tensor) -> Tensor:
    """Says which turn may look at which.

    Args:
        context: Which turns.
        utterances: ``(B, L)`` bool, false for padding.
        speakers: ``(B, L)`` int, ids of the speakers within the dialogue.

    Returns:
        ``(B, L, L)`` bool; row: the turn that looks, column: a turn that it sees.

    Example:
        >>> utterances, speakers = torch.ones(1, 3, dtype=torch.bool), torch.tensor([[0, 1, 0]])
        >>> context_mask("own", utterances, speakers).int().tolist()
        [[[0, 0, 0], [0, 0, 0], [1, 0, 0]]]
        >>> context_mask("other", utterances, speakers).int().tolist()
        [[[0, 0, 0], [1, 0, 0], [0, 1, 0]]]
    """
    turns = utterances.shape[1]
    square = torch.ones(turns, turns, dtype=torch.bool, device=utterances.device)
    if context == "itself":
        return torch.eye(turns, dtype=torch.bool, device=utterances.device).expand(len(utterances), -1, -1)
    history = square.tril() & utterances[:, None]
    if context == "history":
        return history
    same = speakers[:, :, None] == speakers[:, None]
    # A turn is not in its own past; others' turns are earlier anyway.
    return history & (same & square.tril(-1) if context == "own" else ~same)


@dataclass(frozen=True)
class Bucket:
    """Dialogues of like length.

    Attributes:
        dialogues: ``(b,)`` int, their places in the batch.
        ragged: Their computed rows, padded to ``l`` turns.
        utterances: ``(b, l)`` bool.
        speakers: ``(b, l)`` int.
    """

    dialogues: Tensor
    ragged: Ragged
    utterances: Tensor
    speakers: Tensor

    @cached_property
    def _masks(self) -> dict[Context, tuple[Tensor, Tensor]]:
        return {}

    def masks(self, context: Context) -> tuple[Tensor, Tensor]:
        """The mask of a context, and the rows that it leaves empty.

        Returns:
            ``(b, 1, l, l)`` bool, in which empty rows see everything, so that no softmax is undefined; and
            ``(b, 1, l, 1)`` bool, true for these rows.
        """
        if context not in self._masks:
            allowed = context_mask(context, self.utterances, self.speakers).unsqueeze(1)
            empty = ~allowed.any(dim=-1, keepdim=True)
            self._masks[context] = (allowed | empty, empty)
        return self._masks[context]

    def heads(self, rows: Tensor, n_heads: int) -> Tensor:
        """Splits rows into heads: ``(u, H * d)`` to ``(b, H, l, d)``."""
        padded = self.ragged.padded(rows)
        return padded.view(*padded.shape[:2], n_heads, -1).transpose(1, 2)


@dataclass(frozen=True)
class DialogueBuckets:
    """The computed rows of a padded batch, bucket by bucket, longest dialogues first.

    Attributes:
        places: ``(U,)`` int, their places in the flattened batch.
        buckets: The buckets.
        shape: ``B`` and ``L``.
    """

    places: Tensor
    buckets: list[Bucket]
    shape: tuple[int, int]

    @classmethod
    def of(cls, utterances: Tensor, speakers: Tensor, *, with_padding: bool = False) -> DialogueBuckets:
        """Sorts dialogues into buckets.

        Args:
            utterances: ``(B, L)`` bool, false for padding.
            speakers: ``(B, L)`` int.
            with_padding: Whether padding is computed too: one bucket of the width ``L``.

        Example:
            >>> mask = torch.tensor([[True, False, False], [True, True, False]])
            >>> buckets = DialogueBuckets.of(mask, torch.zeros(2, 3, dtype=torch.long))
            >>> buckets.places.tolist(), buckets.turns.tolist(), buckets.buckets[0].utterances.tolist()
            ([3, 4, 0], [0, 1, 0], [[True, True], [True, False]])
        """
        dialogues, turns = utterances.shape
        if with_padding:
            groups = [torch.arange(dialogues, device=utterances.device)]
            widths = [turns]
        else:
            positions = torch.arange(1, turns + 1, device=utterances.device)
            lengths = (utterances * positions).amax(dim=1)
            order = lengths.argsort(descending=True, stable=True)
            # Buckets save work on a CPU; an accelerator is better off with few large operations.
            size = _DIALOGUES_OF_A_BUCKET if utterances.device.type == "cpu" else dialogues
            groups = list(torch.split(order, size))
            widths = [max(1, width) for width in lengths[order[::size]].tolist()]
        buckets, places = [], []
        for group, width in zip(groups, widths, strict=True):
            mask = utterances[group, :width]
            ragged = Ragged.of(torch.ones_like(mask) if with_padding else mask)
            buckets.append(Bucket(group, ragged, mask, speakers[group, :width]))
            places.append(group[ragged.places // width] * turns + ragged.places % width)
        return cls(torch.cat(places), buckets, (dialogues, turns))

    @property
    def turns(self) -> Tensor:
        """``(U,)`` int, 0-based turns of the rows."""
        return self.places % self.shape[1]

    @property
    def sizes(self) -> list[int]:
        """Computed rows of each bucket."""
        return [len(bucket.ragged.places) for bucket in self.buckets]

    def flat(self, padded: Tensor) -> Tensor:
        """Selects the computed rows: ``(B, L, ...)`` to ``(U, ...)``."""
        return padded.flatten(0, 1).index_select(0, self.places)

    def padded(self, flat: Tensor) -> Tensor:
        """Lays rows out as a batch, zeros elsewhere: ``(U, D)`` to ``(B, L, D)``."""
        zeros = flat.new_zeros(self.shape[0] * self.shape[1], flat.shape[-1])
        return zeros.index_copy(0, self.places, flat).view(*self.shape, flat.shape[-1])

    def split(self, *rows: Tensor) -> Iterator[tuple[Bucket, *tuple[Tensor, ...]]]:
        """Each bucket with its share of some ``(U, D)``."""
        return zip(self.buckets, *(torch.split(values, self.sizes) for values in rows), strict=True)


def check_turns(mask: Tensor, given: Mapping[str, Tensor | None]) -> None:
    """Refuses inputs of other dialogues or turns than the mask: rows of one dialogue would be read as another's.

    Args:
        mask: ``(B, L)``.
        given: By name ``(B, L, ...)``, or None for an input that is not given.

    Raises:
        UsageError: Names the input, and both shapes.

    Example:
        >>> check_turns(torch.ones(2, 4), {"audio": torch.ones(2, 5, 6)})
        Traceback (most recent call last):
        iemomecp_dataset.errors.UsageError: audio has the shape (2, 5, 6), but the mask has (2, 4), dialogues and \
turns. Pad all inputs to the same length.
    """
    for name, values in given.items():
        if values is not None and values.shape[:2] != mask.shape:
            raise UsageError(
                f"{name} has the shape {tuple(values.shape)}, but the mask has {tuple(mask.shape)}, dialogues and "
                "turns. Pad all inputs to the same length."
            )


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    buckets: DialogueBuckets,
    context: Context,
    *,
    n_heads: int,
    empty_rows: EmptyRows = "zero",
    dropout: float = 0.0,
) -> Tensor:
    """Scaled-dot-product attention within dialogues.

    Args:
        query: ``(U, H * d)``.
        key: ``(U, H * d)``.
        value: ``(U, H * d)``.
        buckets: Their dialogues.
        context: The turns that a turn looks at.
        n_heads: ``H``.
        empty_rows: What a turn gets that may look at none.
        dropout: Dropout probability of the attention weights.

    Returns:
        ``(U, H * d)``.
    """
    parts = []
    for bucket, *rows in buckets.split(query, key, value):
        queries, keys, values = (bucket.heads(share, n_heads) for share in rows)
        allowed, empty = bucket.masks(context)
        if empty_rows == "uniform":
            # Queries of empty rows are 0, so that all their scores are equal.
            queries = queries.masked_fill(empty, 0.0)
        seen = F.scaled_dot_product_attention(queries, keys, values, attn_mask=allowed, dropout_p=dropout)
        if empty_rows == "zero" and context != "history":
            seen = seen.masked_fill(empty, 0.0)
        parts.append(bucket.ragged.flat(seen.transpose(1, 2).flatten(2)))
    return torch.cat(parts)


def attend_itself(value: Tensor, *, n_heads: int, dropout: float = 0.0) -> Tensor:
    """:func:`attend` in the context ``itself``: the softmax over one score is 1.

    Args:
        value: ``(U, H * d)``.
        n_heads: ``H``.
        dropout: Dropout probability of the attention weights, one per head.
    """
    if not dropout:
        return value
    weights = F.dropout(value.new_ones(len(value), n_heads, 1), dropout)
    return (value.view(len(value), n_heads, -1) * weights).flatten(1)


@torch.no_grad()
def attention_weights(
    query: Tensor,
    key: Tensor,
    buckets: DialogueBuckets,
    context: Context,
    *,
    n_heads: int,
    empty_rows: EmptyRows = "zero",
) -> Tensor:
    """The weights of :func:`attend` without dropout.

    Returns:
        ``(B, H, L, L)``, rows of padding zero.
    """
    dialogues, turns = buckets.shape
    weights = query.new_zeros(dialogues, n_heads, turns, turns)
    for bucket, *rows in buckets.split(query, key):
        queries, keys = (bucket.heads(share, n_heads) for share in rows)
        allowed, empty = bucket.masks(context)
        scores = queries.masked_fill(empty, 0.0) @ keys.transpose(-1, -2) / queries.shape[-1] ** 0.5
        found = scores.masked_fill(~allowed, -torch.inf).softmax(dim=-1)
        outside = ~bucket.utterances[:, None, :, None]
        width = found.shape[-1]
        weights[bucket.dialogues, :, :width, :width] = found.masked_fill(
            outside | empty if empty_rows == "zero" else outside, 0.0
        )
    return weights
