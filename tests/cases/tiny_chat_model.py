"""A chat model of two layers with random weights, and a byte-level tokenizer that is trained on the spot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

CHAT_TEMPLATE = (
    "{% for m in messages %}<|start|>{{ m.role }}\n{{ m.content }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant\n{% endif %}"
)

TEXTS = [
    "system user assistant Conversation: 1. Ann: the train is late . 2. Bob: oh no !",
    '{"records": [{"target": 1, "emotion": "joy", "causes": [1, 2]}]} {"emotion": "neutral", "causes": []}',
    "Is turn 2 a cause of an emotion ? Answer with one letter. A: yes; B: no; C: neither.",
]


def chat_tokenizer() -> Any:
    """A tokenizer of at most 400 tokens, all bytes among them."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<pad>", "<|start|>", "<|end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    made = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<|end|>")
    made.chat_template = CHAT_TEMPLATE
    return made


def saved_chat_model(folder: Path, *, kind: str = "llama", **options: Any) -> Path:
    """A model with its tokenizer in a folder; equal calls give equal weights. Of gpt2, positions are learned."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    tokenizer = chat_tokenizer()
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        kind, vocab_size=len(tokenizer) + 7, hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=48, max_position_embeddings=4096, initializer_range=0.3, pad_token_id=0, eos_token_id=2,
        bos_token_id=1, **options,
    )  # fmt: skip
    AutoModelForCausalLM.from_config(config).eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
