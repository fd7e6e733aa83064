"""Writes a text encoder of MiniLM's size with random weights, which do not affect the speed of training."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

__all__ = ["write_random_minilm"]


def write_random_minilm(
    texts: Iterable[str],
    output_dir: str | Path,
    *,
    width: int = 384,
    layers: int = 6,
    vocabulary: int = 30_522,
    heads: int | None = None,
) -> Path:
    """Writes a BERT model with the heads, feed-forward size and vocabulary size of MiniLM (6 layers, 384 wide).

    Args:
        texts: Texts to train the tokenizer on; its vocabulary is smaller than that of the encoder.
        output_dir: Folder for ``AutoModel.from_pretrained`` and ``AutoTokenizer.from_pretrained``.
        width: Hidden size; smaller values are for trials.
        layers: Number of layers.
        vocabulary: Number of token embeddings.
        heads: Number of attention heads; by default of MiniLM's width, 32.

    Returns:
        The folder.
    """
    import torch
    from transformers import AutoTokenizer, BertConfig, BertModel

    from iemomecp_dataset.trainers.encoders.tiny import write_tiny_encoder

    folder = write_tiny_encoder(texts, output_dir, hidden_size=16, num_layers=1)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.model_max_length = 512
    tokenizer.save_pretrained(folder)
    config = BertConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads or max(1, width // 32),
        intermediate_size=4 * width,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        BertModel(config).save_pretrained(folder)
    return folder
