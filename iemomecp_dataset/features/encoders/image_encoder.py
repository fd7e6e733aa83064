"""Extracts video vectors with a CLIP-like image encoder: one vector per frame, pooled over an utterance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.features.decoding.speaker_crop import speaker_side
from iemomecp_dataset.features.decoding.video_decoding import decode_video, require_video
from iemomecp_dataset.features.encoders.frame_pooling import pool_frames
from iemomecp_dataset.features.encoders.image_processor import load_image_processor
from iemomecp_dataset.features.encoders.model_loading import (
    autocast,
    concatenated_layers,
    hidden_layers,
    load_encoder,
    model_revision,
)
from iemomecp_dataset.features.extraction_options import ExtractionOptions
from iemomecp_dataset.features.store.store_rows import StoreRow
from iemomecp_dataset.features.work_items import WorkItem

__all__ = ["ImageEncoder", "ImageInput"]


@dataclass(frozen=True)
class ImageInput:
    """Preprocessed frames of an utterance: ``(frames, 3, height, width)``."""

    utterance_id: str
    pixels: NDArray[np.float32]
    seconds: float
    note: str | None


class ImageEncoder:
    """Image encoder with its processor.

    The vector of a frame is the projected image embedding of CLIP-like models, else the pooled output, else the first
    token; with ``layers`` the first token of these hidden layers.

    Args:
        options: Model and settings.
        device: Device to compute on.
        crop: Whether to apply the speaker crop.

    Raises:
        MissingModelError: The model is neither on disk nor reachable.
        MissingDependencyError: PyAV, Pillow, or a package that the image processor needs, is not installed.
        UsageError: The model is not an image encoder.
    """

    def __init__(self, options: ExtractionOptions, device: torch.device, *, crop: bool):
        require_video()
        name = options.model_name
        self._options, self._device = options, device
        self._side = speaker_side(options.left_actor) if crop else None
        self._processor = load_image_processor(name, options.revision, "video encoder")
        self._model, config = load_encoder(name, options.revision, "video encoder", device)
        self.revision = model_revision(name, config)
        vision = getattr(config, "vision_config", config)
        layers = None
        if options.layers != "last":
            layers = hidden_layers(options.layers, int(vision.num_hidden_layers) + 1)
        self._layers = layers
        self.size = self._find_size()

    def decode(self, item: WorkItem) -> ImageInput:
        """Decodes and preprocesses the frames of an utterance; thread-safe."""
        side = self._side(item) if self._side is not None else None
        found = decode_video(item, self._options.frames, self._options.frame_strategy, side)
        pixels = self._processor(images=list(found.frames), return_tensors="np")["pixel_values"]
        return ImageInput(item.utterance_id, np.asarray(pixels, dtype=np.float32), found.seconds, found.note)

    def encode(self, batch: Sequence[ImageInput]) -> list[StoreRow]:
        """Encodes decoded utterances in one batch."""
        pixels = torch.from_numpy(np.concatenate([utterance.pixels for utterance in batch]))
        with torch.inference_mode():
            vectors = self._embed(pixels)
        rows, at = [], 0
        for utterance in batch:
            n = len(utterance.pixels)
            these = vectors[at : at + n][None]
            at += n
            mask = torch.ones(these.shape[:2], dtype=torch.bool, device=these.device)
            vector = pool_frames(these, mask, self._options.pooling)[0].cpu().numpy()
            rows.append(StoreRow(utterance.utterance_id, "ok", vector, n, utterance.seconds, note=utterance.note))
        return rows

    def _embed(self, pixels: torch.Tensor) -> torch.Tensor:
        """Embeds ``(n, 3, height, width)`` to ``(n, size)`` float32."""
        pixels = pixels.to(self._device)
        with autocast(self._device, self._options.precision):
            if self._layers is not None:
                tower = getattr(self._model, "vision_model", self._model)
                states = tower(pixel_values=pixels, output_hidden_states=True).hidden_states
                first_tokens: torch.Tensor = concatenated_layers([state[:, :1] for state in states], self._layers)[:, 0]
                return first_tokens
            if hasattr(self._model, "get_image_features"):
                output = self._model.get_image_features(pixel_values=pixels)
                if isinstance(output, torch.Tensor):
                    return output.float()
            else:
                output = self._model(pixel_values=pixels)
        pooled = getattr(output, "pooler_output", None)
        vectors: torch.Tensor = (pooled if pooled is not None else output.last_hidden_state[:, 0]).float()
        return vectors

    def _find_size(self) -> int:
        """Measures the width of a vector on a blank image, as configurations name it differently."""
        image = np.zeros((64, 64, 3), dtype=np.uint8)
        try:
            pixels = self._processor(images=[image], return_tensors="np")["pixel_values"]
            with torch.inference_mode():
                return int(self._embed(torch.from_numpy(np.asarray(pixels, dtype=np.float32))).shape[-1])
        except (TypeError, ValueError, AttributeError, KeyError) as error:
            raise UsageError(
                f"{self._options.model_name} cannot be used as an image encoder ({str(error)[:120]}). Choose another "
                "--model."
            ) from None
