"""Emotion recognition in conversation: ECERC (ACL 2025, long 102), and the dialogue transformer with such a head."""

from __future__ import annotations

__all__ = ["EMOTION_MODELS"]

EMOTION_MODELS = {
    "ecerc": ("iemomecp_dataset.trainers.emotions.modeling_ecerc", "EcercModel"),
    "emotion_transformer": ("iemomecp_dataset.trainers.emotions.modeling_transformer", "EmotionTransformer"),
}
"""Module and class of every model of emotions by its name; their ``config_class`` is registered with ``AutoConfig``."""
