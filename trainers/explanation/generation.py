"""Explanations for items, written in batches of similar length."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch

from iemomecp_dataset.trainers.explanation.encoding import ExplanationEncoder, Vectors
from iemomecp_dataset.trainers.explanation.prompts import ExplanationItem

__all__ = ["generate_explanations"]


def generate_explanations(
    model: Any,
    encoder: ExplanationEncoder,
    items: Sequence[ExplanationItem],
    *,
    frames: Vectors | None = None,
    faces: Vectors | None = None,
    batch_size: int = 8,
    max_new_tokens: int = 48,
    num_beams: int = 1,
    progress: bool = True,
    on_done: Callable[[list[int], list[str]], None] | None = None,
    unended: set[int] | None = None,
) -> list[str]:
    """Writes an explanation for each item, greedily or with beams.

    Prompts of similar length share a batch, the longest come first; a text does not depend on its batch, up to
    rounding.

    Args:
        model: An :class:`~iemomecp_dataset.trainers.explanation.modeling_explanation.ExplanationModel`.
        encoder: Of its tokenizer.
        items: What to explain; references are not read.
        frames: Frame tokens or frames of clips by utterance id.
        faces: Face vectors likewise.
        batch_size: Items that are written together.
        max_new_tokens: Most tokens of an explanation.
        num_beams: Beams; 1 for greedy decoding.
        progress: Show a progress bar.
        on_done: Called after each batch with positions and texts.
        unended: Receives the positions whose text has reached ``max_new_tokens`` without an end.

    Returns:
        Texts in the order of ``items``.
    """
    from tqdm.auto import tqdm

    encoded = [encoder.encode(replace(item, reference=None)) for item in items]
    order = sorted(range(len(items)), key=lambda i: (-encoded[i].prompt_length, i))
    ends = (encoder.end_id, *model.end_ids())
    texts = [""] * len(items)
    with tqdm(total=len(items), desc="Writing explanations", unit="item", disable=not progress) as bar:
        for first in range(0, len(order), batch_size):
            positions = order[first : first + batch_size]
            batch = encoder.collate([encoded[i] for i in positions], frames, faces, for_generation=True)
            batch = {name: tensor.to(model.device) for name, tensor in batch.items()}
            with torch.inference_mode():
                found = model.generate_tokens(
                    batch,
                    max_new_tokens=max_new_tokens,
                    num_beams=num_beams,
                    end_ids=[encoder.end_id],
                    pad_id=encoder.pad_id,
                )
            written = [encoder.decode(ids, ends) for ids in found.tolist()]
            for position, text, ids in zip(positions, written, found.tolist(), strict=True):
                texts[position] = text
                if unended is not None and not set(ends) & set(ids):
                    unended.add(position)
            bar.update(len(positions))
            if on_done is not None:
                on_done(positions, written)
    return texts
