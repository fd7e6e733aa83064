"""Video vectors by any CLIP-like image encoder: one vector a picture, pooled over the pictures of an utterance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.features.decoding.picture_halves import speaker_side
from iemomecp_dataset.features.decoding.video_decoding import decode_video, require_video
from iemomecp_dataset.features.encoders.frame_pooling import pool_frames
from iemomecp_dataset.features.encoders.model_loading import (
    hidden_layers,
    load_model,
    load_pretrained,
    model_revision,
)
from iemomecp_dataset.features.extraction_options import ExtractionOptions
from iemomecp_dataset.features.store.store_rows import StoreRow
from iemomecp_dataset.features.work_items import WorkItem

__all__ = ["ImageEncoder", "ImageInput"]


@dataclass(frozen=True)
class ImageInput:
    """A decoded utterance: ``(pictures, 3, height, width)`` as the encoder wants them."""

    utterance_id: str
    pixels: NDArray[np.float32]
    seconds: float
    note: str | None


class ImageEncoder:
    """An image encoder with its processor.

    A picture's vector is the projected image embedding of CLIP-like models, else the pooled output, else the first
    token; with ``layers`` the first token of these hidden layers.

    Args:
        options: Model and settings.
        device: Where to compute.
        crop: Whether to take the speaker's half.

    Raises:
        MissingModelError: The model is neither on disk nor reachable.
        UsageError: It is no image encoder.
    """

    def __init__(self, options: ExtractionOptions, device: torch.device, *, crop: bool):
        from transformers import AutoImageProcessor

        require_video()
        name = options.model_name
        self._options, self._device = options, device
        self._side = speaker_side(options.left_actor) if crop else None
        self._processor = load_pretrained(AutoImageProcessor.from_pretrained, name, options.revision, "video encoder")
        self._model = load_model(name, options.revision, "video encoder")
        self._model = self._model.to(device).eval()
        self.revision = model_revision(name, self._model.config)
        vision = getattr(self._model.config, "vision_config", self._model.config)
        layers = None
        if options.layers != "last":
            layers = hidden_layers(options.layers, int(vision.num_hidden_layers) + 1)
        self._layers = layers
        self.size = self._find_size()

    def decode(self, item: WorkItem) -> ImageInput:
        """Decodes the pictures of an utterance and prepares them; called in threads."""
        side = self._side(item) if self._side is not None else None
        found = decode_video(item, self._options.frames, self._options.frame_strategy, side)
        pixels = self._processor(images=list(found.frames), return_tensors="np")["pixel_values"]
        return ImageInput(item.utterance_id, np.asarray(pixels, dtype=np.float32), found.seconds, found.note)

    def encode(self, batch: Sequence[ImageInput]) -> list[StoreRow]:
        """Encodes decoded utterances together."""
        pixels = torch.from_numpy(np.concatenate([pictures.pixels for pictures in batch]))
        with torch.inference_mode():
            vectors = self._embed(pixels)
        rows, at = [], 0
        for pictures in batch:
            n = len(pictures.pixels)
            these = vectors[at : at + n][None]
            at += n
            mask = torch.ones(these.shape[:2], dtype=torch.bool, device=these.device)
            vector = pool_frames(these, mask, self._options.pooling)[0].cpu().numpy()
            rows.append(StoreRow(pictures.utterance_id, "ok", vector, n, pictures.seconds, note=pictures.note))
        return rows

    def _embed(self, pixels: torch.Tensor) -> torch.Tensor:
        """``(n, 3, height, width)`` to ``(n, size)``."""
        precision = self._options.precision
        dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision, torch.float32)
        pixels = pixels.to(self._device)
        with torch.autocast(self._device.type, dtype=dtype, enabled=precision != "fp32"):
            if self._layers is not None:
                tower = getattr(self._model, "vision_model", self._model)
                states = tower(pixel_values=pixels, output_hidden_states=True).hidden_states
                return torch.cat([states[layer][:, 0].float() for layer in self._layers], dim=-1)
            if hasattr(self._model, "get_image_features"):
                output: Any = self._model.get_image_features(pixel_values=pixels)
                if isinstance(output, torch.Tensor):
                    return output.float()
            else:
                output = self._model(pixel_values=pixels)
        pooled = getattr(output, "pooler_output", None)
        vectors: torch.Tensor = (pooled if pooled is not None else output.last_hidden_state[:, 0]).float()
        return vectors

    def _find_size(self) -> int:
        """Width of a vector, by trying: configurations spell it in many ways."""
        picture = np.zeros((64, 64, 3), dtype=np.uint8)
        try:
            pixels = self._processor(images=[picture], return_tensors="np")["pixel_values"]
            with torch.inference_mode():
                return int(self._embed(torch.from_numpy(np.asarray(pixels, dtype=np.float32))).shape[-1])
        except (TypeError, ValueError, AttributeError, KeyError) as error:
            raise UsageError(
                f"{self._options.model_name} is no image encoder that can be used ({str(error)[:120]}). Choose another "
                "--model."
            ) from None
