"""The weights that a run starts from, and those that stay frozen."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from transformers import BertConfig, BertModel, ModernBertConfig, ModernBertModel, RobertaConfig, RobertaModel

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.trainers.dialogue.modeling import DialogueScorer, DialogueScorerConfig
from iemomecp_dataset.trainers.encoders.text import load_text_encoder
from iemomecp_dataset.trainers.encoders.weights import depths, freeze_lowest, load_initial_weights
from iemomecp_dataset.trainers.ensemble.modeling import EnsembleConfig, EnsembleScorer


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


@pytest.mark.parametrize("inside", ["", "model"])
def test_an_ensemble_is_called_one_and_a_member_of_it_can_be_taken(inside: str, tmp_path: Path) -> None:
    members = [scorer(1), scorer(2)]
    config = EnsembleConfig(class_names=["pair", "non_pair"], weights=[0.5, 0.5])
    EnsembleScorer(config, members).save_pretrained(tmp_path / inside)
    model = scorer(3)
    with pytest.raises(UsageError, match=r"is an ensemble, the mean of several runs.* such as .*member_1\.$"):
        load_initial_weights(model, tmp_path)
    load_initial_weights(model, tmp_path / inside / "member_1")
    assert all(torch.equal(model.state_dict()[name], tensor) for name, tensor in members[0].state_dict().items())


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ({"hidden_size": 8}, "has in another shape"),
        ({"text_size": 64, "text_layers": [1, 2]}, r"projections.text.* \(its --text_layers: 2\)\."),
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


@pytest.mark.parametrize("stored", [None, ["neutral", "anger", "joy"], ["neutral", "joy", "anger", "fear"]])
def test_a_head_of_other_categories_begins_anew(stored: list[str] | None, tmp_path: Path) -> None:
    before = scorer(1, emotion_names=stored)
    before.save_pretrained(tmp_path)
    model = scorer(2, emotion_names=["neutral", "joy", "anger"])
    own = {name: t.clone() for name, t in model.state_dict().items() if "emotion_category" in name}
    load_initial_weights(model, tmp_path)
    assert own
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, own[name] if name in own else before.state_dict()[name]), name


def test_a_head_of_the_same_categories_is_taken_and_one_too_many_left_out(tmp_path: Path) -> None:
    before = scorer(1, emotion_names=["neutral", "joy"])
    before.save_pretrained(tmp_path)
    for names in (["neutral", "joy"], None):
        model = scorer(2, emotion_names=names)
        load_initial_weights(model, tmp_path)
        assert all(torch.equal(before.state_dict()[name], tensor) for name, tensor in model.state_dict().items())


def test_no_weights_or_broken_ones(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no weights"):
        load_initial_weights(scorer(1), tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(UsageError, match="cannot be read"):
        load_initial_weights(scorer(1), tmp_path)


SHAPE = {"vocab_size": 50, "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 16, "num_hidden_layers": 3}


def untrained_encoders() -> dict[str, nn.Module]:
    return {
        "bert": BertModel(BertConfig(**SHAPE), add_pooling_layer=False),
        "roberta": RobertaModel(RobertaConfig(**SHAPE), add_pooling_layer=False),
        "modernbert": ModernBertModel(ModernBertConfig(**SHAPE, pad_token_id=0)),
    }


@pytest.mark.parametrize("name", ["bert", "roberta", "modernbert"])
@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_a_step_changes_the_upper_layers_alone(name: str, count: int) -> None:
    torch.manual_seed(0)
    encoder = untrained_encoders()[name].eval()
    freeze_lowest(encoder, count)
    ids = torch.randint(5, 50, (4, 7))
    before = [h.detach().clone() for h in encoder(ids, output_hidden_states=True).hidden_states]
    trained = [p for p in encoder.parameters() if p.requires_grad]
    if trained:
        encoder(ids).last_hidden_state.pow(4).sum().backward()
        torch.optim.SGD(trained, lr=0.1).step()
    after = encoder(ids, output_hidden_states=True).hidden_states
    # Entry 0 is the embedding layer's; a last norm above the layers is trained with any of them.
    same = [torch.equal(one, two) for one, two in zip(before[:-1], after[:-1], strict=True)]
    assert same == ([True] * (count + 1))[:3] + [False] * (2 - count) if count else not any(same)
    assert all(p.grad is not None for p in trained)


def test_too_many_frozen_layers_or_an_unknown_place() -> None:
    with pytest.raises(UsageError, match=r"--frozen_layers 4 is more than the encoder's 3 layers"):
        freeze_lowest(untrained_encoders()["bert"], 4)
    strange = untrained_encoders()["bert"]
    strange.encoder.layer = nn.Sequential(*strange.encoder.layer)
    with pytest.raises(UsageError, match="does not know where BertModel keeps its 3 layers"):
        freeze_lowest(strange, 1)


def test_depths_count_from_the_top_down_to_the_embeddings() -> None:
    shape = {"hidden_size": 8, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 8}
    encoder = ModernBertModel(ModernBertConfig(vocab_size=9, pad_token_id=0, **shape))
    found = depths(encoder)
    named = {name: found[id(parameter)] for name, parameter in encoder.named_parameters()}
    for name, depth in named.items():
        layer = next((int(part) for part in name.split(".") if part.isdigit()), None)
        above = "final_norm" in name
        assert depth == (0 if above else 3 if layer is None else 2 - layer), name
    encoder.config.num_hidden_layers = 7
    with pytest.raises(UsageError, match="--layer_decay does not know where"):
        depths(encoder)
