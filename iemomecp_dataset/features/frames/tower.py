"""Computes the frame tokens of clips with a vision tower of ``transformers``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.features.decoding.speaker_crop import speaker_side
from iemomecp_dataset.features.decoding.video_decoding import decode_positions, require_video
from iemomecp_dataset.features.encoders.image_processor import load_image_processor
from iemomecp_dataset.features.encoders.model_loading import autocast, hidden_layers, load_encoder, model_revision
from iemomecp_dataset.features.extraction_options import ExtractionOptions
from iemomecp_dataset.features.frames.pooling import pool_frames, sample_positions
from iemomecp_dataset.features.store.store_rows import StoreRow
from iemomecp_dataset.features.work_items import WorkItem

__all__ = ["FrameInput", "FrameTower"]


@dataclass(frozen=True)
class FrameInput:
    """Preprocessed frames of a clip: ``(T, 3, height, width)``."""

    utterance_id: str
    pixels: NDArray[np.float32]
    seconds: float
    note: str | None


class FrameTower:
    """Vision tower with its image processor: the patches of one hidden layer, pooled over space and time.

    Tokens before the patches (the class token, registers) are left out; their number is that of the states beyond
    the grid of patches. Frames go through the image processor as they are decoded, without any resizing before.

    Args:
        options: Model and settings.
        device: Device to compute on.
        crop: Whether to apply the speaker crop.

    Raises:
        MissingModelError: The model is neither on disk nor reachable.
        MissingDependencyError: PyAV, Pillow, or a package that the image processor needs, is not installed.
        UsageError: The model has no grid of patches, or no such layer.
    """

    def __init__(self, options: ExtractionOptions, device: torch.device, *, crop: bool = False):
        require_video()
        name = options.model_name
        self._options, self._device = options, device
        self._side = speaker_side(options.left_actor) if crop else None
        self._processor = load_image_processor(name, options.revision, "vision tower")
        model, config = load_encoder(name, options.revision, "vision tower", device)
        self.revision = model_revision(name, config)
        vision = getattr(config, "vision_config", config)
        self._tower = getattr(model, "vision_model", model)
        self._patch = _patch_size(vision, name)
        n_layers = int(getattr(vision, "num_hidden_layers", 0))
        (self._layer,) = hidden_layers(str(options.frame_layer), n_layers + 1, option="--frame_layer")
        self.size, self.n_patches = self._measure()

    def decode(self, item: WorkItem) -> FrameInput:
        """Decodes and preprocesses the sampled frames of a clip; thread-safe."""
        side = self._side(item) if self._side is not None else None
        found = decode_positions(item, partial(sample_positions, limit=self._options.max_frames), side)
        pixels = self._processor(images=list(found.frames), return_tensors="np")["pixel_values"]
        return FrameInput(item.utterance_id, np.asarray(pixels, dtype=np.float32), found.seconds, found.note)

    def encode(self, batch: Sequence[FrameInput]) -> list[StoreRow]:
        """Encodes decoded clips, one at a time, so that its tokens do not depend on other clips."""
        rows = []
        for clip in batch:
            with torch.inference_mode():
                tokens = pool_frames(self._patches(clip.pixels)).cpu().numpy()
            rows.append(
                StoreRow(clip.utterance_id, "ok", tokens, len(clip.pixels), seconds=clip.seconds, note=clip.note)
            )
        return rows

    def _patches(self, pixels: NDArray[np.float32]) -> torch.Tensor:
        """States ``(T, P, d)`` float32 of the patches of ``(T, 3, height, width)``."""
        expected = (pixels.shape[-2] // self._patch[0]) * (pixels.shape[-1] // self._patch[1])
        parts = []
        for first in range(0, len(pixels), self._options.batch_size):
            part = torch.from_numpy(pixels[first : first + self._options.batch_size]).to(self._device)
            with autocast(self._device, self._options.precision):
                states = self._tower(pixel_values=part, output_hidden_states=True).hidden_states
            state = states[self._layer].float()
            if state.ndim != 3 or state.shape[1] < expected:
                raise UsageError(
                    f"{self._options.model_name} has hidden states of shape {tuple(state.shape)}, but its images have "
                    f"{expected} patches: frames need a tower whose layers keep the grid of patches, such as CLIP's."
                )
            parts.append(state[:, state.shape[1] - expected :])
        return torch.cat(parts)

    def _measure(self) -> tuple[int, int]:
        """Width and number of patches, on a blank image."""
        image = np.zeros((64, 64, 3), dtype=np.uint8)
        try:
            pixels = self._processor(images=[image], return_tensors="np")["pixel_values"]
            with torch.inference_mode():
                shape = self._patches(np.asarray(pixels, dtype=np.float32)).shape
        except UsageError:
            raise
        except (TypeError, ValueError, AttributeError, KeyError, RuntimeError) as error:
            raise UsageError(
                f"{self._options.model_name} cannot be used as a vision tower ({str(error)[:120]}). Choose another "
                "--model."
            ) from None
        return int(shape[2]), int(shape[1])


def _patch_size(vision: Any, name: str) -> tuple[int, int]:
    size = getattr(vision, "patch_size", None)
    if isinstance(size, int):
        return size, size
    if isinstance(size, list | tuple) and len(size) == 2:
        return int(size[0]), int(size[1])
    raise UsageError(
        f"{name} states no patch_size: frames need a vision transformer, such as CLIP's. Choose another --model."
    )
