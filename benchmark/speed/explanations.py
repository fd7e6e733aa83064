"""Speed of the model of explanations: training against the same language model alone, and batched generation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iemomecp_dataset.benchmark.speed.measurement import SpeedRow, best_seconds
from iemomecp_dataset.errors import TrainingError

if TYPE_CHECKING:
    from torch import Tensor

    from iemomecp_dataset.trainers.explanation.modeling_explanation import ExplanationModel

__all__ = ["run"]

_VOCABULARY, _WIDTH, _LAYERS = 8_000, 256, 4
_FRAME_SIZE, _FRAMES = 1024, 64
_TEXT, _ANSWER, _BATCH = 96, 20, 4
_PROMPTS, _NEW_TOKENS = 32, 24


def run(*, passes: int = 3) -> list[SpeedRow]:
    """Measures a small model with random weights on one thread; the best of several passes counts.

    Args:
        passes: How often each is measured.

    Returns:
        One row per comparison. Training is a forward and a backward pass over as many tokens, frames included, with the
        language model frozen; alone, it reads as many text tokens, and the gradient goes to its token vectors.

    Raises:
        TrainingError: Batched generation gives other tokens than single items.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        model = _model()
        batch = _batch()
        length = batch["input_ids"].shape[1]
        tokens = length * _BATCH
        ours = best_seconds(lambda: model(**batch).loss.backward(), passes)
        alone = best_seconds(lambda: _alone(model, batch), passes)
        together = best_seconds(lambda: _generated(model, _PROMPTS), passes)
        single = best_seconds(lambda: _generated(model, 1), 1)
        if not torch.equal(_generated(model, _PROMPTS), _generated(model, 1)):
            raise TrainingError("Batched generation gives other tokens than single items.")
    finally:
        torch.set_num_threads(threads)
    size = f"{model.num_parameters():,} parameters"
    return [
        SpeedRow(
            f"explanations, training on {tokens} tokens, projector, {size}",
            ours,
            f"the language model alone on {tokens} tokens",
            alone,
        ),
        SpeedRow(
            f"explanations, {_PROMPTS} of {_NEW_TOKENS} tokens in a batch", together, "generated one by one", single
        ),
    ]


def _model() -> ExplanationModel:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from iemomecp_dataset.trainers.explanation.modeling_explanation import ExplanationModel

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=_VOCABULARY,
        hidden_size=_WIDTH,
        intermediate_size=3 * _WIDTH,
        num_hidden_layers=_LAYERS,
        num_attention_heads=4,
        max_position_embeddings=1024,
        eos_token_id=None,
        bos_token_id=None,
        pad_token_id=0,
        # Far apart, so that no two tokens are as probable up to rounding.
        initializer_range=0.2,
    )
    return ExplanationModel.from_parts(LlamaForCausalLM(config), tuning="projector", frame_size=_FRAME_SIZE)


def _batch() -> dict[str, Tensor]:
    """Prompts of equal length with frames in them, and answers."""
    import torch

    from iemomecp_dataset.trainers.explanation.encoding import IGNORED, Placeholder

    generator = torch.Generator().manual_seed(0)
    text = torch.randint(1, _VOCABULARY, (_BATCH, _TEXT), generator=generator)
    answer = torch.randint(1, _VOCABULARY, (_BATCH, _ANSWER), generator=generator)
    block = torch.tensor([Placeholder.START, *[Placeholder.FRAME] * _FRAMES, Placeholder.END]).expand(_BATCH, -1)
    ids = torch.cat([block, text, answer], dim=1)
    labels = torch.cat([torch.full((_BATCH, ids.shape[1] - _ANSWER), IGNORED), answer], dim=1)
    frames = torch.randn(_BATCH, _FRAMES, _FRAME_SIZE, generator=generator)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels, "frames": frames}


def _alone(model: Any, batch: dict[str, Tensor]) -> None:
    language_model = model.language_model
    vectors = language_model.get_input_embeddings()(batch["input_ids"].clamp(min=0)).detach().requires_grad_()
    language_model(
        inputs_embeds=vectors, attention_mask=batch["attention_mask"], labels=batch["labels"], use_cache=False
    ).loss.backward()


def _generated(model: Any, batch_size: int) -> Tensor:
    """New tokens after prompts of text, of equal length."""
    import torch

    ids = torch.randint(1, _VOCABULARY, (_PROMPTS, _TEXT), generator=torch.Generator().manual_seed(1))
    found = []
    for first in range(0, _PROMPTS, batch_size):
        part = ids[first : first + batch_size]
        batch = {"input_ids": part, "attention_mask": torch.ones_like(part)}
        found.append(model.generate_tokens(batch, max_new_tokens=_NEW_TOKENS))
    return torch.cat(found)
