"""Conversations a second of ``predict``, against the same models on one conversation at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.benchmark.speed.conversations import spoken_conversations, write_scorer
from iemomecp_dataset.benchmark.speed.gpu.clock import repeated_seconds
from iemomecp_dataset.benchmark.speed.gpu.parts import Part, Row
from iemomecp_dataset.benchmark.speed.gpu.workload import Workload
from iemomecp_dataset.errors import TrainingError

__all__ = ["prediction_parts"]

_TOLERANCE = 1e-3
"""Largest difference of a pair's probability from that of the loop."""


def prediction_parts(work: Workload) -> Iterator[Part]:
    """Conversations a second with frozen text encoders."""
    for name, folder in work.encoders.items():
        yield Part("predict", name, _against_loop(work, name, folder))


def _against_loop(work: Workload, name: str, folder: Callable[[], Path]) -> Callable[[], Iterator[Row]]:
    def rows() -> Iterator[Row]:
        from transformers import AutoConfig

        from iemomecp_dataset.trainers import EmotionCausePipeline

        encoder = folder()
        config = AutoConfig.from_pretrained(encoder)
        model = work.folder / f"scorer-{name}"
        width, layers = config.hidden_size, config.num_hidden_layers
        write_scorer(encoder, model, width=width, layers=layers, hidden_size=work.sizes.hidden_size)
        conversations = list(spoken_conversations(work.sizes.conversations))
        pipeline = EmotionCausePipeline(model, device=work.device)
        found: list[Any] = []

        def ours() -> None:
            found[:] = pipeline(conversations)

        _, seconds = repeated_seconds(ours, work.device, repeats=work.sizes.repeats)
        loop = _plain_loop(work, encoder, model)
        plain: list[NDArray[Any]] = []

        def theirs() -> None:
            plain[:] = [loop(conversation) for conversation in conversations]

        _, plain_seconds = repeated_seconds(theirs, work.device, repeats=work.sizes.repeats)
        apart = max(_apart(one, other) for one, other in zip(found, plain, strict=True))
        if not apart <= _TOLERANCE:
            raise TrainingError(f"predict and the loop give probabilities {apart:.2g} apart, more than {_TOLERANCE}.")
        turns = sum(map(len, conversations))
        yield Row(
            f"predict, frozen {name}, fp32, {len(conversations)} conversations of {turns} utterances",
            len(conversations) / seconds,
            "conversations/s",
            "the same models in plain PyTorch, one conversation at a time",
            len(conversations) / plain_seconds,
            note=f"probabilities at most {apart:.0e} apart",
        )

    return rows


def _apart(predicted: Any, matrix: NDArray[Any]) -> float:
    differences = [pair.probability - matrix[pair.target_turn - 1, pair.cause_turn - 1] for pair in predicted.pairs]
    return float(np.abs(differences).max())


def _plain_loop(work: Workload, encoder_dir: Path, model_dir: Path) -> Callable[[list[dict[str, str]]], NDArray[Any]]:
    import torch
    from transformers import AutoModel, AutoTokenizer

    from iemomecp_dataset.trainers import DialogueScorer

    encoder = AutoModel.from_pretrained(encoder_dir).to(work.device).eval()
    tokenizer = AutoTokenizer.from_pretrained(encoder_dir)
    scorer = DialogueScorer.from_pretrained(model_dir).to(work.device).eval()
    layers = scorer.config.text_layers

    @torch.inference_mode()
    def loop(conversation: list[dict[str, str]]) -> NDArray[Any]:
        tokens = tokenizer(
            [spoken["text"] for spoken in conversation],
            padding=True,
            truncation=True,
            max_length=scorer.config.max_tokens,
            return_tensors="pt",
        ).to(work.device)
        mask = tokens["attention_mask"]
        states = encoder(input_ids=tokens["input_ids"], attention_mask=mask, output_hidden_states=True).hidden_states
        weights = (mask / mask.sum(1, keepdim=True)).unsqueeze(-1)
        text = torch.cat([(states[layer] * weights).sum(1) for layer in layers], dim=-1)
        names = list(dict.fromkeys(spoken["speaker"] for spoken in conversation))
        speakers = torch.tensor([[names.index(spoken["speaker"]) for spoken in conversation]], device=work.device)
        scores = scorer(mask=torch.ones_like(speakers, dtype=torch.bool), speakers=speakers, text=text[None])
        return np.asarray(scores.pair_logits[0].softmax(-1)[..., 0].cpu().numpy())

    return loop
