"""A plain implementation of the published isolated-pair protocol, the reference for speed measurements.

Follows the description in arXiv 2605.25208: every pair holds its own text and its own copies of the features; each
mini-batch of 16 random pairs is tokenised on demand and padded to its longest text; the model is an unmodified
transformers encoder with its pooler, followed by standard torch layers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from iemomecp_dataset.trainers.isolated.segments import segment_text

__all__ = ["PlainScorer", "plain_batch", "plain_pairs"]


def plain_pairs(
    rows: Sequence[Mapping[str, Any]], features: Mapping[str, Mapping[str, NDArray[np.float32]]]
) -> list[dict[str, Any]]:
    """Makes one self-contained dictionary per pair.

    Args:
        rows: Dialogues as :func:`iemomecp_dataset.load` returns them.
        features: Vectors by utterance id, by modality.

    Returns:
        For each pair ``text``, ``label`` and, by modality, copies of the ``(2, D)`` vectors of target and candidate.
    """
    pairs = []
    for row in rows:
        utterances = {utterance["turn"]: utterance for utterance in row["utterances"]}
        for pair in row["pairs"]:
            both = [utterances[pair["target_turn"]], utterances[pair["cause_turn"]]]
            text = segment_text(*((utterance["speaker"], utterance["text"]) for utterance in both))
            copies = {
                name: np.stack([vectors[utterance["utterance_id"]] for utterance in both])
                for name, vectors in features.items()
            }
            pairs.append({"text": text, "label": pair["label"], **copies})
    return pairs


def plain_batch(
    pairs: Sequence[Mapping[str, Any]], tokenizer: Any, max_tokens: int
) -> tuple[dict[str, Tensor], dict[str, Tensor], Tensor]:
    """Collates pairs: tokenises, truncates and pads their texts and stacks their features.

    Args:
        pairs: Pairs from :func:`plain_pairs`.
        tokenizer: A fast tokenizer.
        max_tokens: Most tokens per segment.

    Returns:
        Encoder inputs, ``(B, 2, D)`` vectors by modality, and ``(B,)`` labels.
    """
    tokens = tokenizer(
        [pair["text"] for pair in pairs], truncation=True, max_length=max_tokens, padding=True, return_tensors="pt"
    )
    features = {
        name: torch.from_numpy(np.stack([pair[name] for pair in pairs]))
        for name in ("audio", "video")
        if name in pairs[0]
    }
    encoder_inputs = {"input_ids": tokens["input_ids"], "attention_mask": tokens["attention_mask"]}
    return encoder_inputs, features, torch.tensor([pair["label"] for pair in pairs])


class PlainScorer(nn.Module):
    """Computes the same as :class:`~iemomecp_dataset.trainers.isolated.modeling.IsolatedScorer` with all features.

    Args:
        encoder: A transformers encoder with a pooler.
        classes: Number of pair classes.
        sizes: Width of the feature vectors by modality.
        hidden_size: Width of each modality branch.
        dropout: Dropout probability.
    """

    def __init__(
        self, encoder: nn.Module, classes: int, sizes: Mapping[str, int], hidden_size: int, dropout: float = 0.1
    ):
        super().__init__()
        self.encoder = encoder
        self.branches = nn.ModuleDict(
            {
                name: nn.Sequential(
                    nn.Linear(2 * size, hidden_size), nn.LayerNorm(hidden_size), nn.ReLU(), nn.Dropout(dropout)
                )
                for name, size in sizes.items()
            }
        )
        width = int(getattr(encoder, "config").hidden_size) + hidden_size * len(sizes)  # noqa: B009 - not declared
        self.output = nn.Sequential(nn.Dropout(dropout), nn.Linear(width, classes))

    def forward(self, tokens: Mapping[str, Tensor], features: Mapping[str, Tensor]) -> Tensor:
        """Returns ``(B, C)`` logits."""
        parts = [self.encoder(**tokens).pooler_output]
        parts += [branch(features[name].flatten(start_dim=1)) for name, branch in self.branches.items()]
        logits: Tensor = self.output(torch.cat(parts, dim=-1))
        return logits
