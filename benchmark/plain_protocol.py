"""The published isolated-pair protocol written plainly, as what our implementation is measured against.

Written from the paper's description (arXiv 2605.25208): every pair carries its own text and its own copies of the
features; each mini-batch of 16 random pairs is tokenised when it is needed and padded to its longest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from iemomecp_dataset.trainers.segments import segment_text

__all__ = ["plain_batch", "plain_pairs"]


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


def plain_batch(pairs: Sequence[Mapping[str, Any]], tokenizer: Any, max_tokens: int) -> dict[str, Any]:
    """Tokenises and pads some pairs.

    Args:
        pairs: What :func:`plain_pairs` gave.
        tokenizer: A fast tokeniser.
        max_tokens: Tokens per segment.

    Returns:
        ``labels``, and ``inputs`` of an :class:`~iemomecp_dataset.trainers.isolated_scorer.IsolatedScorer`.
    """
    tokens = tokenizer(
        [pair["text"] for pair in pairs], truncation=True, max_length=max_tokens, padding=True, return_tensors="pt"
    )
    chunk = {"input_ids": tokens["input_ids"], "attention_mask": tokens["attention_mask"]}
    inputs: dict[str, Any] = {"text_tokens": [chunk], "text_order": torch.arange(len(pairs))}
    for name in ("audio", "video"):
        if name in pairs[0]:
            inputs[name] = torch.from_numpy(np.stack([pair[name] for pair in pairs]))
            inputs[f"{name}_present"] = torch.ones(len(pairs), 2, dtype=torch.bool)
    return {"labels": torch.tensor([pair["label"] for pair in pairs]), "inputs": inputs}
