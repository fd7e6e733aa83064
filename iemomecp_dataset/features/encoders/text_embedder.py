"""Extracts text vectors with a frozen text encoder, for runs that do not train one."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from iemomecp_dataset.errors import UsageError
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

__all__ = ["TextEmbedder", "TextInput"]


@dataclass(frozen=True)
class TextInput:
    """Token ids of an utterance."""

    utterance_id: str
    ids: tuple[int, ...]
    note: str | None


class TextEmbedder:
    """Text encoder with its tokenizer.

    Args:
        options: Model and settings.
        device: Device to compute on.

    Raises:
        MissingModelError: The model is neither on disk nor reachable.
        UsageError: The model is not a text encoder, or lacks a requested layer.
    """

    def __init__(self, options: ExtractionOptions, device: torch.device):
        from transformers import AutoTokenizer

        name = options.model_name
        self._options, self._device = options, device
        self._tokenizer = load_pretrained(AutoTokenizer.from_pretrained, name, options.revision, "text encoder")
        self._model, config = load_encoder(name, options.revision, "text encoder", device, unused=("pooler.",))
        self.revision = model_revision(name, config)
        if getattr(config, "num_hidden_layers", None) is None or not callable(self._tokenizer):
            raise UsageError(f"{name} is not a text encoder. Choose another --model.")
        self._layers = hidden_layers(options.layers, int(config.num_hidden_layers) + 1)
        self.size = int(config.hidden_size) * len(self._layers)
        # Fast tokenizers keep their truncation settings as state, which threads cannot share.
        self._lock = threading.Lock()
        self._max_tokens = min(options.max_tokens, int(self._tokenizer.model_max_length))

    def decode(self, item: WorkItem) -> TextInput:
        """Tokenizes the text of an utterance; thread-safe."""
        if not item.text.strip():
            raise FeatureProblem("empty", "the corpus has no text for the utterance")
        with self._lock:
            full = self._tokenizer(item.text, truncation=False, verbose=False)["input_ids"]
            if len(full) <= self._max_tokens:
                return TextInput(item.utterance_id, tuple(full), None)
            # Truncation by the tokenizer keeps the special tokens at both ends.
            cut = self._tokenizer(item.text, truncation=True, max_length=self._max_tokens)["input_ids"]
        return TextInput(item.utterance_id, tuple(cut), f"cut from {len(full)} to {len(cut)} tokens")

    def encode(self, batch: Sequence[TextInput]) -> list[StoreRow]:
        """Encodes tokenized utterances in one batch."""
        longest = max(len(text.ids) for text in batch)
        ids = torch.full((len(batch), longest), self._tokenizer.pad_token_id or 0, dtype=torch.long)
        mask = torch.zeros((len(batch), longest), dtype=torch.long)
        for row, text in enumerate(batch):
            ids[row, : len(text.ids)] = torch.tensor(text.ids)
            mask[row, : len(text.ids)] = 1
        ids, mask = ids.to(self._device), mask.to(self._device)
        with torch.inference_mode():
            with autocast(self._device, self._options.precision):
                output = self._model(input_ids=ids, attention_mask=mask, output_hidden_states=True)
            states = concatenated_layers(output.hidden_states, self._layers)
            vectors = pool_frames(states, mask.bool(), self._options.pooling).cpu().numpy()
        return [
            StoreRow(text.utterance_id, "ok", vectors[row], len(text.ids), note=text.note)
            for row, text in enumerate(batch)
        ]
