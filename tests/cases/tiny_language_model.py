"""Tiny language models with random weights, and a tokenizer of whole words with a chat template."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from iemomecp_dataset.trainers.explanation.prompts import ContextTurn, ExplanationItem

CHAT_TEMPLATE = (
    "{% for m in messages %}<|start|> {{ m.role }} {{ m.content }} <|end|> {% endfor %}"
    "{% if add_generation_prompt %}<|start|> assistant {% endif %}"
)

WORDS = re.findall(
    r"\S+",
    "the reason is that because Ann Bob Cy feels joy anger surprise lost won a game train late early now why when "
    "saying user assistant system Question Answer0 yes no well what conversation : . , ? ! [ ] ( ) cause",
)


def word_tokenizer(*, chat_template: str | None = CHAT_TEMPLATE, bos: bool = False, eos: bool = False) -> Any:
    """A fast tokenizer of words; with ``bos`` or ``eos`` it puts these tokens around a text of its own accord."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    special = ["<pad>", "<unk>", "<bos>", "</s>", "<|start|>", "<|end|>"]
    vocabulary = {word: i for i, word in enumerate([*special, *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    if bos or eos:
        layout = f"{'<bos> ' if bos else ''}$A{' </s>' if eos else ''}"
        tokenizer.post_processor = processors.TemplateProcessing(
            single=layout, special_tokens=[("<bos>", 2), ("</s>", 3)]
        )
    made = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", pad_token="<pad>", bos_token="<bos>", eos_token="</s>",
        additional_special_tokens=["<|start|>", "<|end|>"],
    )  # fmt: skip
    made.chat_template = chat_template
    return made


def vocabulary_size() -> int:
    return 6 + len(WORDS)


def language_model(kind: str = "llama", **options: Any) -> Any:
    """A model with random weights, two layers and 16 wide; equal calls give equal weights."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM

    torch.manual_seed(0)
    ids = {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 5, "vocab_size": vocabulary_size()}
    shapes: dict[str, dict[str, Any]] = {
        "llama": {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24,
                  "max_position_embeddings": 512, "initializer_range": 0.4},
        "gpt2": {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 256, "initializer_range": 0.4},
        "t5": {"d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 2, "num_heads": 2, "decoder_start_token_id": 0,
               "initializer_factor": 3.0, "dropout_rate": 0.0, "eos_token_id": 3},
        "bart": {"d_model": 16, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 2, "init_std": 0.4,
                 "decoder_attention_heads": 2, "encoder_ffn_dim": 24, "decoder_ffn_dim": 24, "dropout": 0.0,
                 "max_position_embeddings": 512, "decoder_start_token_id": 3, "eos_token_id": 3},
    }  # fmt: skip
    config = AutoConfig.for_model(kind, **{**ids, **shapes[kind], **options})
    auto = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    return auto.from_config(config).eval()


def saved_language_model(folder: Path, kind: str = "llama", **options: Any) -> Path:
    """The model and its tokenizer in a folder."""
    language_model(kind, **options).save_pretrained(folder)
    word_tokenizer().save_pretrained(folder)
    return folder


def vision_tower(hidden_size: int = 8) -> Any:
    """A CLIP tower of 4 patches per frame, with random weights."""
    import torch
    from transformers import CLIPVisionConfig, CLIPVisionModel

    torch.manual_seed(1)
    config = CLIPVisionConfig(hidden_size=hidden_size, intermediate_size=12, num_hidden_layers=3, num_attention_heads=2,
                              image_size=8, patch_size=4, initializer_range=0.4)  # fmt: skip
    return CLIPVisionModel(config).eval()


def item(target: int = 3, *, context: int = 2, reference: str | None = "Ann won .", **fields: Any) -> ExplanationItem:
    """Utterance ``target`` of an invented dialogue with turns before it."""
    said = ("the train is late .", "well , what now ?", "yes !", "no , a game", "why ?")
    turns = tuple(
        ContextTurn(turn, "Ann" if turn % 2 else "Bob", said[turn % len(said)])
        for turn in range(max(1, target - context), target)
    )
    default = {"emotion": "joy", "speaker": "Cy", "text": said[target % len(said)], "reference": reference}
    return ExplanationItem("d1", target, f"d1_{target}", context=turns, **{**default, **fields})
