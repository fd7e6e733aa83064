"""The published isolated-pair protocol written plainly, as what our implementation is measured against.

Written from the paper's description (arXiv 2605.25208): every pair carries its own text and its own copies of the
features; each mini-batch of 16 random pairs is tokenised when it is needed and padded to its longest; the model is a
transformers encoder with its pooler and torch's layers, as they come.
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
    """One dictionary a pair, with everything in it.

    Args:
        rows: Dialogues as :func:`iemomecp_dataset.load` gives them.
        features: By modality, vectors by utterance id.

    Returns:
        ``text``, ``label`` and by modality the ``(2, D)`` vectors of target and candidate, copied.
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
    """Tokenises and pads some pairs.

    Args:
        pairs: What :func:`plain_pairs` gave.
        tokenizer: A fast tokeniser.
        max_tokens: Tokens per segment.

    Returns:
        What the encoder takes; by modality ``(B, 2, D)`` vectors; ``(B,)`` labels.
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
    """What an :class:`~iemomecp_dataset.trainers.isolated.modeling.IsolatedScorer` computes, all features present.

    Args:
        encoder: A transformers encoder with a pooler.
        classes: How many pair classes.
        sizes: Width of the vectors by modality.
        hidden_size: Width of a branch.
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
        """``(B, C)`` logits."""
        parts = [self.encoder(**tokens).pooler_output]
        parts += [branch(features[name].flatten(start_dim=1)) for name, branch in self.branches.items()]
        logits: Tensor = self.output(torch.cat(parts, dim=-1))
        return logits
