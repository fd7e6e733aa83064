"""A text encoder run over chunks of texts."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["encoded_chunks"]


def encoded_chunks(encoder: nn.Module, chunks: Sequence[Mapping[str, Tensor]], **options: Any) -> Iterator[Any]:
    """Encodes chunks one after the other.

    The tokens of all chunks are looked up together. The gradient of a vocabulary is as large as the vocabulary, and
    would be built and added once for each chunk.

    Args:
        encoder: A transformers encoder.
        chunks: Each with ``input_ids`` and ``attention_mask`` ``(u, T)``, padded on the right.
        options: Passed on to the encoder.

    Yields:
        What the encoder gives for each chunk.
    """
    if len(chunks) == 1 or "inputs_embeds" not in inspect.signature(encoder.forward).parameters:
        for chunk in chunks:
            yield encoder(**chunk, **options)
        return
    ids = torch.cat([chunk["input_ids"].flatten() for chunk in chunks])
    embedded = encoder.get_input_embeddings()(ids).split([chunk["input_ids"].numel() for chunk in chunks])  # type: ignore[operator]
    for chunk, vectors in zip(chunks, embedded, strict=True):
        mask = chunk["attention_mask"]
        yield encoder(inputs_embeds=vectors.view(*mask.shape, -1), attention_mask=mask, **options)
