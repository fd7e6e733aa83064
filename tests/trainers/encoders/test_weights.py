"""A run can begin with the weights of another."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.trainers.dialogue.modeling import DialogueScorer, DialogueScorerConfig
from iemomecp_dataset.trainers.encoders.text import load_text_encoder
from iemomecp_dataset.trainers.encoders.weights import load_initial_weights


def scorer(seed: int, encoder: Path | None = None, **shape: object) -> DialogueScorer:
    torch.manual_seed(seed)
    loaded = None if encoder is None else load_text_encoder(str(encoder))
    config = DialogueScorerConfig(
        **{
            "class_names": ["pair", "non_pair"], "text_size": 32, "text_layers": [2], "hidden_size": 16, "num_heads": 2,
            "text_encoder": loaded and loaded.model.config.to_dict(), **shape,
        }
    )  # fmt: skip
    model = DialogueScorer(config)
    if loaded is not None:
        model.use_text_encoder(loaded.model)
    return model


@pytest.mark.parametrize("inside", ["", "model"])
def test_a_frozen_runs_head_with_the_pretrained_encoder(inside: str, tiny_encoder: Path, tmp_path: Path) -> None:
    head = scorer(1)
    head.save_pretrained(tmp_path / inside)
    model = scorer(2, tiny_encoder)
    pretrained = {name: t.clone() for name, t in model.text_encoder.state_dict().items()}
    load_initial_weights(model, tmp_path)
    for name, tensor in head.state_dict().items():
        assert torch.equal(model.state_dict()[name], tensor), name
    for name, tensor in model.text_encoder.state_dict().items():
        assert torch.equal(pretrained[name], tensor), name


def test_a_trained_runs_encoder_too(tiny_encoder: Path, tmp_path: Path) -> None:
    before = scorer(1, tiny_encoder)
    with torch.no_grad():
        for parameter in before.text_encoder.parameters():
            parameter.add_(1.0)
    before.save_pretrained(tmp_path)
    model = scorer(2, tiny_encoder)
    load_initial_weights(model, tmp_path)
    assert all(torch.equal(model.state_dict()[name], tensor) for name, tensor in before.state_dict().items())


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ({"hidden_size": 8}, "has in another shape"),
        ({"num_layers": 3}, "it lacks dialogue.2"),
        ({"num_layers": 1}, "it has besides dialogue.1"),
        ({"audio_size": 4}, "it lacks projections.audio"),
        ({"pair_scorer": "biaffine"}, "it lacks pair_scorer"),
    ],
)
def test_another_shape_is_refused_and_nothing_changes(shape: dict[str, object], message: str, tmp_path: Path) -> None:
    scorer(1).save_pretrained(tmp_path)
    model = scorer(2, **shape)
    before = {name: t.clone() for name, t in model.state_dict().items()}
    with pytest.raises(UsageError, match=message):
        load_initial_weights(model, tmp_path)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_no_weights_or_broken_ones(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no weights"):
        load_initial_weights(scorer(1), tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(UsageError, match="cannot be read"):
        load_initial_weights(scorer(1), tmp_path)
