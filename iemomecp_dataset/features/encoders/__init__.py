"""Pretrained speech, image and text encoders as feature extractors; imported on use, because they need torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iemomecp_dataset.lazy import attach

if TYPE_CHECKING:
    from iemomecp_dataset.features.encoders.frame_pooling import pool_frames
    from iemomecp_dataset.features.encoders.image_encoder import ImageEncoder
    from iemomecp_dataset.features.encoders.speech_encoder import SpeechEncoder
    from iemomecp_dataset.features.encoders.text_embedder import TextEmbedder

__all__ = ["ImageEncoder", "SpeechEncoder", "TextEmbedder", "pool_frames"]

attach(
    __name__,
    {
        "ImageEncoder": f"{__name__}.image_encoder",
        "SpeechEncoder": f"{__name__}.speech_encoder",
        "TextEmbedder": f"{__name__}.text_embedder",
        "pool_frames": f"{__name__}.frame_pooling",
    },
    extra="train",
)
