"""The layer of the first token computes what the whole layer gives there: values, gradients, names."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
import torch

from iemomecp_dataset.trainers.isolated.first_token import use_first_token_layer
from iemomecp_dataset.trainers.isolated.modeling import IsolatedScorer, IsolatedScorerConfig
from iemomecp_dataset.trainers.options import SegmentPooling

BERT_LIKE = ["bert", "roberta", "xlm-roberta", "camembert", "electra"]


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("kind", BERT_LIKE)
@pytest.mark.parametrize("lengths", [(7, 3, 5), (4, 4)], ids=["padded", "even"])
def test_first_token_equals_that_of_the_whole_layer(
    kind: str, attention: str, lengths: tuple[int, ...], random_encoder: Callable, token_chunk: Callable
) -> None:
    whole = random_encoder(kind, attn_implementation=attention).eval()
    first = copy.deepcopy(whole)
    assert use_first_token_layer(first)
    assert use_first_token_layer(first), "twice is once"
    chunk = token_chunk(*lengths)
    expected, found = whole(**chunk), first(**chunk)
    assert found.last_hidden_state.shape == (len(lengths), 1, 16)
    torch.testing.assert_close(found.last_hidden_state[:, 0], expected.last_hidden_state[:, 0], atol=1e-6, rtol=1e-5)
    if kind != "electra":  # it has no pooler
        torch.testing.assert_close(found.pooler_output, expected.pooler_output, atol=1e-6, rtol=1e-5)
    weights = torch.randn(16)
    for states in (expected, found):
        (states.last_hidden_state[:, 0] @ weights).sum().backward()
    for (name, ours), (other, theirs) in zip(first.named_parameters(), whole.named_parameters(), strict=True):
        assert name == other
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in (ours, theirs)]
        torch.testing.assert_close(*gradients, atol=1e-5, rtol=1e-4, msg=name)


def test_it_drops_in_training(random_encoder: Callable, token_chunk: Callable) -> None:
    model = random_encoder("bert", attn_implementation="sdpa").train()
    use_first_token_layer(model)
    chunk = token_chunk(5, 5)
    assert not torch.equal(model(**chunk).last_hidden_state, model(**chunk).last_hidden_state)
    for layer in model.modules():
        if isinstance(layer, torch.nn.Dropout):
            layer.p = 0.0
    assert torch.equal(model(**chunk).last_hidden_state, model(**chunk).last_hidden_state)
    model.encoder.layer[-1].attention.self.dropout.p = 0.5
    assert not torch.equal(model(**chunk).last_hidden_state, model(**chunk).last_hidden_state)


def test_it_is_copied_with_its_model(random_encoder: Callable, token_chunk: Callable) -> None:
    model = random_encoder("roberta").eval()
    use_first_token_layer(model)
    chunk = token_chunk(5, 3)
    assert torch.equal(copy.deepcopy(model)(**chunk).pooler_output, model(**chunk).pooler_output)


@pytest.mark.parametrize("pooling", get_args(SegmentPooling))
def test_a_saved_scorer_has_the_names_of_the_whole_encoder(
    pooling: str, random_encoder: Callable, tmp_path: Path
) -> None:
    encoder = random_encoder("roberta")
    names = {f"text_encoder.{name}" for name in encoder.state_dict() if pooling == "pooler" or "pooler" not in name}
    config = IsolatedScorerConfig(
        class_names=["pair", "non_pair"], text_encoder=encoder.config.to_dict(), segment_pooling=pooling
    )
    scorer = IsolatedScorer(config)
    scorer.use_text_encoder(encoder)
    assert {name for name in scorer.state_dict() if name.startswith("text_encoder.")} == names
    scorer.save_pretrained(tmp_path)
    again = IsolatedScorer.from_pretrained(tmp_path)
    for name, tensor in scorer.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor), name


@pytest.mark.parametrize("kind", ["roformer", "mpnet"])
def test_other_encoders_stay_whole(kind: str, random_encoder: Callable, token_chunk: Callable) -> None:
    model = random_encoder(kind).eval()
    assert not use_first_token_layer(model)
    assert model(**token_chunk(5, 3)).last_hidden_state.shape == (2, 5, 16)


def test_a_decoder_stays_whole(random_encoder: Callable) -> None:
    model = random_encoder("bert")
    model.config.is_decoder = True
    assert not use_first_token_layer(model)
