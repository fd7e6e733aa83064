"""Tiny pair models with random weights, saved as a run leaves them, and conversations for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from iemomecp_dataset.conversations.conversation import Conversation, ConversationUtterance
from iemomecp_dataset.trainers.dialogue.modeling import DialogueScorer, DialogueScorerConfig
from iemomecp_dataset.trainers.emotions.modeling_transformer import EmotionTransformer, EmotionTransformerConfig
from iemomecp_dataset.trainers.encoders.text import load_text_encoder
from iemomecp_dataset.trainers.isolated.modeling import IsolatedScorer, IsolatedScorerConfig

WORDS = ("train", "late", "angry", "match", "lost", "again", "what", "happened", "so", "I", "am", "it")


def conversation(turns: int, name: str = "talk", *, seed: int = 0) -> Conversation:
    """A conversation of two to three speakers in which no text occurs twice."""
    return Conversation(
        name,
        tuple(
            ConversationUtterance(
                f"Speaker {(turn * (seed + 3)) % 3}",
                " ".join(WORDS[(turn * 7 + place * (seed + 2)) % len(WORDS)] for place in range(2 + turn % 4))
                + f" {seed}.{turn}",
            )
            for turn in range(turns)
        ),
    )


def _randomised(model: Any) -> Any:
    """Adds random numbers: parameters that start at zero would hide what is behind them."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.2 * torch.randn(parameter.shape, generator=generator)
    return model.eval()


def save_dialogue_model(folder: Path, encoder_dir: Path, *, mode: str = "trained", **shape: Any) -> Path:
    """Saves a dialogue scorer on a text encoder of 16 numbers, trained with it or frozen; returns its folder."""
    encoder = load_text_encoder(str(encoder_dir))
    trained = mode == "trained"
    fields: dict[str, Any] = {
        "class_names": ["pair", "non_pair"], "hidden_size": 16, "num_heads": 2, "num_layers": 1, "pair_size": 8,
        "bilinear_size": 4, "max_tokens": 24, "longest_dialogue": 20, "candidates": "all", "synthetic": True,
    }  # fmt: skip
    model = DialogueScorer(
        DialogueScorerConfig(**{
            **fields, "text_size": 32, "text_layers": [1, 2], "text_encoder_name": str(encoder_dir),
            "text_encoder": encoder.model.config.to_dict() if trained else None, **shape,
        })
    )  # fmt: skip
    _randomised(model)
    if trained:
        model.use_text_encoder(encoder.model)
        encoder.tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)
    return folder


def save_isolated_model(folder: Path, encoder_dir: Path, **shape: Any) -> Path:
    """Saves an isolated scorer of three classes; returns its folder."""
    encoder = load_text_encoder(str(encoder_dir))
    model = IsolatedScorer(
        IsolatedScorerConfig(**{
            "class_names": ["emo_cause", "emo_context", "non_pair"], "hidden_size": 8, "segment_pooling": "mean",
            "max_tokens": 100, "text_encoder": encoder.model.config.to_dict(), "text_encoder_name": str(encoder_dir),
            "longest_dialogue": 20, "candidates": "all", "synthetic": False, **shape,
        })
    )  # fmt: skip
    _randomised(model.output)
    model.use_text_encoder(encoder.model)
    encoder.tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)
    return folder


def save_emotion_model(
    folder: Path, encoder_dir: Path, names: tuple[str, ...] = ("neutral", "joy", "fear"), **shape: Any
) -> Path:
    """Saves a model of emotions on frozen text features; returns its folder."""
    config = EmotionTransformerConfig(
        **{
            "class_names": list(names), "text_size": 16, "text_layers": [2], "text_encoder_name": str(encoder_dir),
            "hidden_size": 16, "num_heads": 2, "num_layers": 1, "max_tokens": 24, **shape,
        }
    )  # fmt: skip
    _randomised(EmotionTransformer(config)).save_pretrained(folder)
    return folder
