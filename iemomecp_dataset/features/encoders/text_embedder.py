"""Text vectors by any text encoder, frozen: for light runs without one in the loop."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from iemomecp_dataset.errors import UsageError
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

__all__ = ["TextEmbedder", "TextInput"]


@dataclass(frozen=True)
class TextInput:
    """A tokenised utterance."""

    utterance_id: str
    ids: tuple[int, ...]
    note: str | None


class TextEmbedder:
    """A text encoder with its tokeniser.

    Args:
        options: Model and settings.
        device: Where to compute.

    Raises:
        MissingModelError: The model is neither on disk nor reachable.
        UsageError: It has no such layer, or no tokeniser.
    """

    def __init__(self, options: ExtractionOptions, device: torch.device):
        from transformers import AutoTokenizer

        name = options.model_name
        self._options, self._device = options, device
        self._tokenizer = load_pretrained(AutoTokenizer.from_pretrained, name, options.revision, "text encoder")
        model = load_model(name, options.revision, "text encoder", unused=("pooler.",))
        self._model = (model.get_encoder() if model.config.is_encoder_decoder else model).to(device).eval()
        self.revision = model_revision(name, model.config)
        if getattr(model.config, "num_hidden_layers", None) is None or not callable(self._tokenizer):
            raise UsageError(f"{name} is no text encoder. Choose another --model.")
        self._layers = hidden_layers(options.layers, int(model.config.num_hidden_layers) + 1)
        self.size = int(model.config.hidden_size) * len(self._layers)
        # Fast tokenisers keep the way they cut as a state that threads cannot share.
        self._lock = threading.Lock()
        self._max_tokens = min(options.max_tokens, int(self._tokenizer.model_max_length))

    def decode(self, item: WorkItem) -> TextInput:
        """Tokenises an utterance; called in threads."""
        if not item.text.strip():
            raise FeatureProblem("empty", "the corpus has no text for it")
        with self._lock:
            full = self._tokenizer(item.text, truncation=False, verbose=False)["input_ids"]
            if len(full) <= self._max_tokens:
                return TextInput(item.utterance_id, tuple(full), None)
            # The tokeniser cuts, as it keeps the special tokens at both ends.
            cut = self._tokenizer(item.text, truncation=True, max_length=self._max_tokens)["input_ids"]
        return TextInput(item.utterance_id, tuple(cut), f"cut from {len(full)} to {len(cut)} tokens")

    def encode(self, batch: Sequence[TextInput]) -> list[StoreRow]:
        """Encodes tokenised utterances together."""
        longest = max(len(text.ids) for text in batch)
        ids = torch.full((len(batch), longest), self._tokenizer.pad_token_id or 0, dtype=torch.long)
        mask = torch.zeros((len(batch), longest), dtype=torch.long)
        for row, text in enumerate(batch):
            ids[row, : len(text.ids)] = torch.tensor(text.ids)
            mask[row, : len(text.ids)] = 1
        ids, mask = ids.to(self._device), mask.to(self._device)
        precision = self._options.precision
        dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision, torch.float32)
        with torch.inference_mode():
            with torch.autocast(self._device.type, dtype=dtype, enabled=precision != "fp32"):
                output = self._model(input_ids=ids, attention_mask=mask, output_hidden_states=True)
            states = torch.cat([output.hidden_states[layer].float() for layer in self._layers], dim=-1)
            vectors = pool_frames(states, mask.bool(), self._options.pooling).cpu().numpy()
        return [
            StoreRow(text.utterance_id, "ok", vectors[row], len(text.ids), note=text.note)
            for row, text in enumerate(batch)
        ]
