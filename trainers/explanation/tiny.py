"""A tiny language model with random weights, for trying the software without a download; not for results."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from iemomecp_dataset.features.encoders.tiny_models import write_random_model
from iemomecp_dataset.trainers.encoders.tiny import byte_level_bpe

__all__ = ["CHAT_TEMPLATE", "write_tiny_language_model"]

CHAT_TEMPLATE = (
    "{% for message in messages %}<|start|>{{ message.role }}\n{{ message.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant\n{% endif %}"
)
"""Layout of a conversation: each message between a start and an end token, with its role."""


def write_tiny_language_model(
    texts: Iterable[str],
    output_dir: str | Path,
    *,
    hidden_size: int = 96,
    num_layers: int = 3,
    vocab_size: int = 1500,
    seed: int = 0,
) -> Path:
    """Writes a Llama with random weights, and a byte-level BPE tokenizer with a chat template, trained on some texts.

    Args:
        texts: Texts to train the tokenizer on; those of the train split.
        output_dir: Folder that ``AutoModelForCausalLM.from_pretrained`` and ``AutoTokenizer.from_pretrained`` then
            read.
        hidden_size: Width.
        num_layers: Depth.
        vocab_size: Largest size of the vocabulary.
        seed: Seed of the weights.

    Returns:
        The folder.

    Raises:
        UsageError: There are no texts, or the folder cannot be written to.
    """
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    bpe = byte_level_bpe(texts, ["<pad>", "<|start|>", "<|end|>"], vocab_size=vocab_size, prefix_space=False)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        pad_token="<pad>",
        bos_token="<|start|>",
        eos_token="<|end|>",
        additional_special_tokens=["<|start|>", "<|end|>"],
        model_max_length=1024,
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden_size,
        num_hidden_layers=num_layers,
        num_attention_heads=4,
        intermediate_size=2 * hidden_size,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    return write_random_model(LlamaForCausalLM, config, tokenizer, output_dir, seed)
