"""Audio vectors by any speech encoder of transformers, the same whatever a sound is batched with."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.features.decoding.audio_decoding import decode_audio, require_audio
from iemomecp_dataset.features.encoders.frame_pooling import pool_frames
from iemomecp_dataset.features.encoders.model_loading import (
    hidden_layers,
    load_model,
    load_pretrained,
    model_revision,
)
from iemomecp_dataset.features.extraction_options import ExtractionOptions
from iemomecp_dataset.features.store.store_rows import FeatureProblem, StoreRow
from iemomecp_dataset.features.work_items import WorkItem

__all__ = ["LengthAwareGroupNorm", "SpeechEncoder", "SpeechInput"]


@dataclass(frozen=True)
class SpeechInput:
    """A decoded utterance: ``(n,)`` samples a chunk."""

    utterance_id: str
    chunks: tuple[NDArray[np.float32], ...]
    seconds: float
    note: str | None


class LengthAwareGroupNorm(nn.Module):
    """Group norm over the valid frames of each sound alone.

    The first convolution of WavLM Base and wav2vec 2.0 Base is normalised over time, padding included, so that a vector
    would depend on the longest sound of its batch. With the statistics of the valid frames it does not, and padded
    batches give what one sound at a time gives.
    """

    def __init__(self, norm: nn.GroupNorm, kernel: int, stride: int):
        super().__init__()
        self.norm, self.kernel, self.stride = norm, kernel, stride
        self.lengths: torch.Tensor | None = None

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """Normalises.

        Args:
            states: ``(B, C, T)``; ``self.lengths`` ``(B,)`` holds the samples of each sound.
        """
        if self.lengths is None or bool((self.lengths == self.lengths[0]).all()):
            plain: torch.Tensor = self.norm(states)
            return plain
        frames = torch.div(self.lengths - self.kernel, self.stride, rounding_mode="floor") + 1
        valid = (torch.arange(states.shape[-1], device=states.device) < frames[:, None]).unsqueeze(1)
        exact = states.float()
        mean = (exact * valid).sum(-1, keepdim=True) / frames[:, None, None]
        variance = ((exact - mean).square() * valid).sum(-1, keepdim=True) / frames[:, None, None]
        normed = (exact - mean) * torch.rsqrt(variance + self.norm.eps)
        if self.norm.affine:
            normed = normed * self.norm.weight[:, None].float() + self.norm.bias[:, None].float()
        return normed.to(states.dtype)


class SpeechEncoder:
    """A speech encoder with its feature extractor.

    Encoders of raw sound (WavLM, wav2vec 2.0, HuBERT, data2vec, UniSpeech …) are run in padded batches; those of
    spectrograms (Whisper, w2v-BERT) one chunk at a time.

    Args:
        options: Model and settings.
        device: Where to compute.

    Raises:
        MissingModelError: The model is neither on disk nor reachable.
        UsageError: It is no speech encoder, or wants another sampling rate.
    """

    def __init__(self, options: ExtractionOptions, device: torch.device):
        from transformers import AutoFeatureExtractor

        require_audio()
        name = options.model_name
        self._options, self._device = options, device
        self._extractor = load_pretrained(AutoFeatureExtractor.from_pretrained, name, options.revision, "audio encoder")
        model = load_model(name, options.revision, "audio encoder")
        self._model = (model.get_encoder() if model.config.is_encoder_decoder else model).to(device).eval()
        self.revision = model_revision(name, model.config)
        self.rate = self._sampling_rate()
        config = model.config
        n_states = int(getattr(config, "encoder_layers", None) or config.num_hidden_layers) + 1
        self._layers = hidden_layers(options.layers, n_states)
        self.size = int(config.hidden_size) * len(self._layers)
        self._lengths_of: Any = getattr(self._model, "_get_feat_extract_output_lengths", None)
        self._takes_sound = self._extractor.model_input_names[0] == "input_values" and self._lengths_of is not None
        self._group_norm = self._make_length_aware()
        longest = getattr(self._extractor, "chunk_length", None)
        self._max_samples = int(min(options.max_seconds, float(longest or math.inf)) * self.rate)

    def decode(self, item: WorkItem) -> SpeechInput:
        """Decodes an utterance and cuts what is too long into equal chunks; called in threads."""
        sound = decode_audio(item, self.rate)
        n_chunks = -(-len(sound.samples) // self._max_samples)
        shortest = len(sound.samples) // n_chunks
        if self._takes_sound and int(self._n_frames(torch.tensor([shortest]))[0]) < 1:
            raise FeatureProblem("too_short", f"{sound.seconds * 1000:.0f} ms, less than one frame of the encoder")
        notes = [sound.note] if sound.note else []
        if n_chunks > 1:
            notes.append(f"in {n_chunks} chunks")
        chunks = tuple(np.array_split(sound.samples, n_chunks))
        return SpeechInput(item.utterance_id, chunks, sound.seconds, "; ".join(notes) or None)

    def encode(self, batch: Sequence[SpeechInput]) -> list[StoreRow]:
        """Encodes decoded utterances together."""
        chunks = [chunk for sound in batch for chunk in sound.chunks]
        with torch.inference_mode():
            if self._takes_sound:
                states, valid = self._encode_sounds(chunks)
            else:
                one_by_one = [self._encode_spectrogram(chunk) for chunk in chunks]
                states, valid = (list(part) for part in zip(*one_by_one, strict=True))
        rows, at = [], 0
        for sound in batch:
            these = range(at, at + len(sound.chunks))
            at += len(sound.chunks)
            # The chunks of an utterance are one sequence of frames again, so that each frame weighs the same.
            joined = torch.cat([states[i][valid[i]] for i in these])[None]
            mask = torch.ones(joined.shape[:2], dtype=torch.bool, device=joined.device)
            vector = pool_frames(joined, mask, self._options.pooling)[0].cpu().numpy()
            rows.append(StoreRow(sound.utterance_id, "ok", vector, joined.shape[1], sound.seconds, note=sound.note))
        return rows

    def _encode_sounds(self, chunks: Sequence[NDArray[np.float32]]) -> tuple[list[Any], list[Any]]:
        inputs = self._extractor(
            list(chunks), sampling_rate=self.rate, padding=True, return_attention_mask=True, return_tensors="pt"
        )
        lengths = torch.tensor([len(chunk) for chunk in chunks], device=self._device)
        mask = inputs["attention_mask"].to(self._device)
        if self._group_norm is not None:
            self._group_norm.lengths = lengths
        with _autocast(self._device, self._options.precision), warnings.catch_warnings():
            # WavLM mixes kinds of masks, which torch calls deprecated; the result is the same.
            warnings.filterwarnings("ignore", message="Support for mismatched key_padding_mask")
            output = self._model(
                inputs["input_values"].to(self._device), attention_mask=mask, output_hidden_states=True
            )
        states = torch.cat([output.hidden_states[layer].float() for layer in self._layers], dim=-1)
        frames = self._n_frames(lengths)
        valid = torch.arange(states.shape[1], device=self._device) < frames[:, None]
        return list(states), list(valid)

    def _encode_spectrogram(self, chunk: NDArray[np.float32]) -> tuple[torch.Tensor, torch.Tensor]:
        inputs = self._extractor([chunk], sampling_rate=self.rate, return_attention_mask=True, return_tensors="pt")
        features = inputs[self._extractor.model_input_names[0]].to(self._device)
        with _autocast(self._device, self._options.precision):
            output = self._model(features, output_hidden_states=True)
        states = torch.cat([output.hidden_states[layer].float() for layer in self._layers], dim=-1)[0]
        n_frames = len(states)
        mask = inputs.get("attention_mask")
        if mask is None:
            return states, torch.ones(n_frames, dtype=torch.bool, device=self._device)
        # The encoder's frames are some whole number of the spectrogram's; one counts when its first does.
        step = max(1, mask.shape[-1] // n_frames)
        valid = mask[0, ::step][:n_frames].bool().to(self._device)
        if not valid.any():
            valid[0] = True
        return states, valid

    def _n_frames(self, lengths: torch.Tensor) -> torch.Tensor:
        try:
            frames: torch.Tensor = self._lengths_of(lengths, add_adapter=False)
        except TypeError:  # Encoders that have no adapter.
            frames = self._lengths_of(lengths)
        return frames

    def _sampling_rate(self) -> int:
        name, wanted = self._options.model_name, self._options.sampling_rate
        rate = getattr(self._extractor, "sampling_rate", None)
        if rate is None:
            raise UsageError(
                f"{name} is no speech encoder: its preprocessor has no sampling rate. Choose another --model."
            )
        if wanted is not None and wanted != rate:
            raise UsageError(
                f"--sampling_rate {wanted}: {name} was trained at {rate} Hz, and every file is resampled to that. "
                "Leave the option out."
            )
        return int(rate)

    def _make_length_aware(self) -> LengthAwareGroupNorm | None:
        layers = getattr(getattr(self._model, "feature_extractor", None), "conv_layers", None)
        norm = getattr(layers[0], "layer_norm", None) if layers is not None and len(layers) else None
        if not self._takes_sound or not isinstance(norm, nn.GroupNorm) or norm.num_groups != norm.num_channels:
            return None
        conv = layers[0].conv  # type: ignore[index]
        layers[0].layer_norm = LengthAwareGroupNorm(norm, conv.kernel_size[0], conv.stride[0])  # type: ignore[index]
        found: LengthAwareGroupNorm = layers[0].layer_norm  # type: ignore[index]
        return found


def _autocast(device: torch.device, precision: str) -> torch.autocast:
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision, torch.float32)
    return torch.autocast(device.type, dtype=dtype, enabled=precision != "fp32")
