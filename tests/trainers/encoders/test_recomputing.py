"""Recomputed activations: the same losses and gradients, from fewer tensors that are kept."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from two_dialogues import two_dialogue_corpus, write_vectors

from iemomecp_dataset.benchmark.runs.identity import system_of
from iemomecp_dataset.benchmark.runs.results import RunResults
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.trainers.emotions.options import EmotionTrainingOptions
from iemomecp_dataset.trainers.encoders.recomputing import recompute_activations
from iemomecp_dataset.trainers.encoders.text import length_chunks, load_text_encoder, pooled_chunks
from iemomecp_dataset.trainers.encoders.weights import freeze_lowest
from iemomecp_dataset.trainers.explanation.options import ExplanationTrainingOptions
from iemomecp_dataset.trainers.options import RunSettings, TrainingOptions
from iemomecp_dataset.trainers.run import run


class Scorer(nn.Module):
    """Pools three layers of an encoder, and sums them."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.text_encoder = encoder

    def forward(self, chunks: list[dict[str, Tensor]], order: Tensor) -> Tensor:
        return pooled_chunks(self.text_encoder, chunks, order, (0, 1, 2)).square().sum()


@pytest.mark.parametrize("frozen_layers", [0, 1])
def test_losses_and_gradients_are_the_same_and_less_is_kept(tiny_encoder: Path, frozen_layers: int) -> None:
    encoder = load_text_encoder(str(tiny_encoder)).model
    freeze_lowest(encoder, frozen_layers)
    chunks, order = length_chunks(
        [torch.arange(5, 5 + n).numpy() for n in (3, 9, 9)], pad_id=1, max_tokens_per_chunk=20
    )
    losses, gradients, kept = [], [], []
    for recompute in (False, True):
        scorer = Scorer(deepcopy(encoder)).train()  # with its dropout
        if recompute:
            recompute_activations(scorer)
        sizes: list[int] = []
        torch.manual_seed(3)
        with torch.autograd.graph.saved_tensors_hooks(
            lambda t, seen=sizes: (seen.append(t.numel()), t)[1], lambda t: t
        ):
            loss = scorer(chunks, order)
        loss.backward()
        losses.append(loss)
        kept.append(sum(sizes))
        gradients.append({name: p.grad for name, p in scorer.named_parameters() if p.grad is not None})
    assert losses[0] == losses[1]
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, msg=name)
    assert kept[1] < 0.6 * kept[0]


def test_a_model_without_a_pretrained_part_is_refused() -> None:
    with pytest.raises(UsageError, match="recomputes the layers of a pretrained encoder, and Linear trains none"):
        recompute_activations(nn.Linear(2, 2))


def test_an_encoder_that_cannot_recompute_is_refused(tiny_encoder: Path) -> None:
    encoder = load_text_encoder(str(tiny_encoder)).model
    encoder.supports_gradient_checkpointing = False
    with pytest.raises(UsageError, match="RobertaModel of transformers cannot recompute its layers"):
        recompute_activations(Scorer(encoder))


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (TrainingOptions, {"encoder_mode": "frozen"}, "--encoder_mode frozen trains none of its layers"),
        (TrainingOptions, {"modalities": "av"}, "this run encodes no text"),
        (EmotionTrainingOptions, {}, "--encoder_mode frozen trains none"),
        (
            ExplanationTrainingOptions,
            {"tuning": "none", "language_model": "x"},
            "--tuning none trains nothing, so --gradient_checkpointing True has no effect",
        ),
    ],
)
def test_where_nothing_is_computed_back_through_it_is_refused(
    kind: type[RunSettings], options: dict[str, object], message: str
) -> None:
    flat = {**kind.defaults_for(options), **options, "data_dir": "data", "output_dir": "run"}
    asked = kind.from_flat({**flat, "gradient_checkpointing": True})
    with pytest.raises(UsageError, match=message):
        asked.check()


def test_a_run_that_recomputes_is_the_same_system_and_ends_with_the_same_weights(
    tiny_encoder: Path, tmp_path: Path
) -> None:
    from safetensors.torch import load_file

    data = write_vectors(tmp_path / "data")
    found: list[RunResults] = []
    for recompute in (False, True):
        options = TrainingOptions.from_flat({
            "data_dir": str(data), "output_dir": str(tmp_path / str(recompute)),
            "text_encoder": str(tiny_encoder), "config_name": "ecf", "epochs": 2, "hidden_size": 8, "num_heads": 2,
            "quiet": True, "encoder_learning_rate": 0.01, "gradient_checkpointing": recompute,
        })  # fmt: skip
        results = run(options, two_dialogue_corpus(2))
        assert results is not None
        found.append(results)
    assert system_of(found[0]) == system_of(found[1])
    one, other = (load_file(tmp_path / str(recompute) / "model" / "model.safetensors") for recompute in (False, True))
    for name, tensor in one.items():
        torch.testing.assert_close(other[name], tensor, msg=name)
