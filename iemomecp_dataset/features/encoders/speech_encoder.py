"""Extracts audio vectors with a speech encoder of transformers; a vector does not depend on the rest of its batch."""

from __future__ import annotations

import math
import threading
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
    autocast,
    concatenated_layers,
    hidden_layers,
    load_encoder,
    load_pretrained,
    model_revision,
)
from iemomecp_dataset.features.extraction_options import ExtractionOptions
from iemomecp_dataset.features.store.store_rows import FeatureProblem, StoreRow
from iemomecp_dataset.features.work_items import WorkItem

__all__ = ["LengthAwareGroupNorm", "SpeechEncoder", "SpeechInput"]


@dataclass(frozen=True)
class SpeechInput:
    """Decoded audio of an utterance: ``(n,)`` samples per chunk."""

    utterance_id: str
    chunks: tuple[NDArray[np.float32], ...]
    seconds: float
    note: str | None


class LengthAwareGroupNorm(nn.Module):
    r"""Group norm over the valid frames of each sequence only.

    The first convolution of WavLM Base and wav2vec 2.0 Base is normalized over time including padding, so that a vector
    would depend on the longest sequence of its batch. With the statistics of the valid frames, padded batches give the
    same result as one sequence at a time. With :math:`T_b` valid frames of sequence b and channel c:

    .. math:: y_{bct} = \gamma_c \frac{x_{bct} - \mu_{bc}}{\sqrt{\sigma^2_{bc} + \epsilon}} + \beta_c, \quad
        \mu_{bc} = \frac{1}{T_b} \sum_{t < T_b} x_{bct}, \quad
        \sigma^2_{bc} = \frac{1}{T_b} \sum_{t < T_b} (x_{bct} - \mu_{bc})^2

    Args:
        norm: Group norm to replace, with one channel per group.
        kernel: Kernel size of the convolution before it, in samples.
        stride: Stride of that convolution, in samples.
    """

    def __init__(self, norm: nn.GroupNorm, kernel: int, stride: int):
        super().__init__()
        self.norm, self.kernel, self.stride = norm, kernel, stride
        # Threads encode different batches with one model.
        self._of_thread = threading.local()

    @property
    def lengths(self) -> torch.Tensor | None:
        """Number of samples of each sequence of the batch that this thread encodes, ``(B,)``."""
        found: torch.Tensor | None = getattr(self._of_thread, "lengths", None)
        return found

    @lengths.setter
    def lengths(self, lengths: torch.Tensor | None) -> None:
        self._of_thread.lengths = lengths

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """Normalizes each channel of each sequence.

        Args:
            states: ``(B, C, T)``. ``self.lengths``, ``(B,)``, must be set to the number of samples of each sequence.

        Returns:
            ``(B, C, T)``; padded frames are arbitrary.
        """
        lengths = self.lengths
        if lengths is None or bool((lengths == lengths[0]).all()):
            plain: torch.Tensor = self.norm(states)
            return plain
        frames = torch.div(lengths - self.kernel, self.stride, rounding_mode="floor") + 1
        valid = (torch.arange(states.shape[-1], device=states.device) < frames[:, None]).unsqueeze(1)
        exact = states.float()
        mean = (exact * valid).sum(-1, keepdim=True) / frames[:, None, None]
        variance = ((exact - mean).square() * valid).sum(-1, keepdim=True) / frames[:, None, None]
        normed = (exact - mean) * torch.rsqrt(variance + self.norm.eps)
        if self.norm.affine:
            normed = normed * self.norm.weight[:, None].float() + self.norm.bias[:, None].float()
        return normed.to(states.dtype)


class SpeechEncoder:
    """Speech encoder with its feature extractor.

    Encoders of raw waveforms (WavLM, wav2vec 2.0, HuBERT, data2vec, UniSpeech …) run in padded batches; those of
    spectrograms (Whisper, w2v-BERT) one chunk at a time.

    Args:
        options: Model and settings.
        device: Device to compute on.

    Raises:
        MissingModelError: The model is neither on disk nor reachable.
        MissingDependencyError: soundfile or PyAV is not installed.
        UsageError: The model is not a speech encoder, or has another sampling rate than the requested one.
    """

    def __init__(self, options: ExtractionOptions, device: torch.device):
        from transformers import AutoFeatureExtractor

        require_audio()
        # WavLM mixes boolean and float masks, which torch deprecates; the result is the same. Set once, as the filters
        # of warnings are those of all threads.
        warnings.filterwarnings("ignore", message="Support for mismatched key_padding_mask")
        name = options.model_name
        self._options, self._device = options, device
        self._extractor = load_pretrained(AutoFeatureExtractor.from_pretrained, name, options.revision, "audio encoder")
        self._model, config = load_encoder(name, options.revision, "audio encoder", device)
        self.revision = model_revision(name, config)
        self.rate = self._sampling_rate()
        n_states = int(getattr(config, "encoder_layers", None) or config.num_hidden_layers) + 1
        self._layers = hidden_layers(options.layers, n_states)
        self.size = int(config.hidden_size) * len(self._layers)
        self._lengths_of: Any = getattr(self._model, "_get_feat_extract_output_lengths", None)
        self._takes_waveforms = self._extractor.model_input_names[0] == "input_values" and self._lengths_of is not None
        self._group_norm = self._make_length_aware()
        longest = getattr(self._extractor, "chunk_length", None)
        self._max_samples = int(min(options.max_seconds, float(longest or math.inf)) * self.rate)

    def decode(self, item: WorkItem) -> SpeechInput:
        """Decodes the audio of an utterance and splits a long one into equal chunks; thread-safe."""
        waveform = decode_audio(item, self.rate)
        n_chunks = -(-len(waveform.samples) // self._max_samples)
        shortest = len(waveform.samples) // n_chunks
        if self._takes_waveforms and int(self._n_frames(torch.tensor([shortest]))[0]) < 1:
            raise FeatureProblem("too_short", f"{waveform.seconds * 1000:.0f} ms, less than one frame of the encoder")
        notes = [waveform.note] if waveform.note else []
        if n_chunks > 1:
            notes.append(f"in {n_chunks} chunks")
        chunks = tuple(np.array_split(waveform.samples, n_chunks))
        return SpeechInput(item.utterance_id, chunks, waveform.seconds, "; ".join(notes) or None)

    def encode(self, batch: Sequence[SpeechInput]) -> list[StoreRow]:
        """Encodes decoded utterances in one batch."""
        chunks = [chunk for utterance in batch for chunk in utterance.chunks]
        with torch.inference_mode():
            if self._takes_waveforms:
                states, valid = self._encode_waveforms(chunks)
            else:
                one_by_one = [self._encode_spectrogram(chunk) for chunk in chunks]
                states, valid = (list(part) for part in zip(*one_by_one, strict=True))
        rows, at = [], 0
        for utterance in batch:
            these = range(at, at + len(utterance.chunks))
            at += len(utterance.chunks)
            # The chunks of an utterance are joined again, so that all its frames have equal weight.
            joined = torch.cat([states[i][valid[i]] for i in these])[None]
            mask = torch.ones(joined.shape[:2], dtype=torch.bool, device=joined.device)
            vector = pool_frames(joined, mask, self._options.pooling)[0].cpu().numpy()
            n_frames, seconds, note = joined.shape[1], utterance.seconds, utterance.note
            rows.append(StoreRow(utterance.utterance_id, "ok", vector, n_frames, seconds, note=note))
        return rows

    def _encode_waveforms(self, chunks: Sequence[NDArray[np.float32]]) -> tuple[list[Any], list[Any]]:
        inputs = self._extractor(
            list(chunks), sampling_rate=self.rate, padding=True, return_attention_mask=True, return_tensors="pt"
        )
        lengths = torch.tensor([len(chunk) for chunk in chunks], device=self._device)
        mask = inputs["attention_mask"].to(self._device)
        if self._group_norm is not None:
            self._group_norm.lengths = lengths
        with autocast(self._device, self._options.precision):
            output = self._model(
                inputs["input_values"].to(self._device), attention_mask=mask, output_hidden_states=True
            )
        states = concatenated_layers(output.hidden_states, self._layers)
        frames = self._n_frames(lengths)
        valid = torch.arange(states.shape[1], device=self._device) < frames[:, None]
        return list(states), list(valid)

    def _encode_spectrogram(self, chunk: NDArray[np.float32]) -> tuple[torch.Tensor, torch.Tensor]:
        inputs = self._extractor([chunk], sampling_rate=self.rate, return_attention_mask=True, return_tensors="pt")
        features = inputs[self._extractor.model_input_names[0]].to(self._device)
        with autocast(self._device, self._options.precision):
            output = self._model(features, output_hidden_states=True)
        states = concatenated_layers(output.hidden_states, self._layers)[0]
        n_frames = len(states)
        mask = inputs.get("attention_mask")
        if mask is None:
            return states, torch.ones(n_frames, dtype=torch.bool, device=self._device)
        # An encoder frame spans several spectrogram frames, and is valid if the first of them is.
        step = max(1, mask.shape[-1] // n_frames)
        valid = mask[0, ::step][:n_frames].bool().to(self._device)
        if not valid.any():
            valid[0] = True
        return states, valid

    def _n_frames(self, lengths: torch.Tensor) -> torch.Tensor:
        try:
            frames: torch.Tensor = self._lengths_of(lengths, add_adapter=False)
        except TypeError:  # Encoders without an adapter.
            frames = self._lengths_of(lengths)
        return frames

    def _sampling_rate(self) -> int:
        name, wanted = self._options.model_name, self._options.sampling_rate
        rate = getattr(self._extractor, "sampling_rate", None)
        if rate is None:
            raise UsageError(
                f"{name} is not a speech encoder: its preprocessor has no sampling rate. Choose another --model."
            )
        if wanted is not None and wanted != rate:
            raise UsageError(
                f"--sampling_rate {wanted}: {name} was trained at {rate} Hz, and every file is resampled to that. "
                "Omit the option."
            )
        return int(rate)

    def _make_length_aware(self) -> LengthAwareGroupNorm | None:
        layers = getattr(getattr(self._model, "feature_extractor", None), "conv_layers", None)
        norm = getattr(layers[0], "layer_norm", None) if layers is not None and len(layers) else None
        if not self._takes_waveforms or not isinstance(norm, nn.GroupNorm) or norm.num_groups != norm.num_channels:
            return None
        conv = layers[0].conv  # type: ignore[index]
        layers[0].layer_norm = LengthAwareGroupNorm(norm, conv.kernel_size[0], conv.stride[0])  # type: ignore[index]
        found: LengthAwareGroupNorm = layers[0].layer_norm  # type: ignore[index]
        return found
