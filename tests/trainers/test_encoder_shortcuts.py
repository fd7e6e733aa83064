"""What spares work in a text encoder changes neither values nor gradients."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor
from transformers import AutoConfig, AutoModel

from iemomecp_dataset.trainers.dropout import Dropout
from iemomecp_dataset.trainers.encoder_attention import attend, bert_like, use_fast_attention
from iemomecp_dataset.trainers.encoders.text import encoded_chunks
from iemomecp_dataset.trainers.isolated.first_token import use_first_token_layer

SHAPE = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24,
         "vocab_size": 50, "pad_token_id": 1, "max_position_embeddings": 40}  # fmt: skip
BERT_LIKE = ["bert", "roberta", "xlm-roberta", "camembert", "electra"]


def encoder_of(kind: str, **options: object):
    torch.manual_seed(0)
    shape = {**SHAPE, "embedding_size": 16} if kind == "electra" else dict(SHAPE)
    if kind == "distilbert":
        shape = {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 24, "vocab_size": 50, "pad_token_id": 1}
    return AutoModel.from_config(AutoConfig.for_model(kind, **shape), **options)


def chunk_of(*lengths: int) -> dict[str, Tensor]:
    ids = torch.ones(len(lengths), max(lengths), dtype=torch.long)
    for row, length in enumerate(lengths):
        ids[row, :length] = torch.randint(5, 50, (length,), generator=torch.Generator().manual_seed(length))
    return {"input_ids": ids, "attention_mask": (ids != 1).long()}


def gradients(model) -> Iterator[tuple[str, Tensor]]:
    for name, parameter in model.named_parameters():
        yield name, torch.zeros_like(parameter) if parameter.grad is None else parameter.grad


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("kind", BERT_LIKE)
@pytest.mark.parametrize("lengths", [(7, 3, 5), (4, 4)], ids=["padded", "even"])
def test_the_first_token_of_the_last_layer_alone(kind: str, attention: str, lengths: tuple[int, ...]) -> None:
    whole = encoder_of(kind, attn_implementation=attention).eval()
    first = copy.deepcopy(whole)
    assert use_first_token_layer(first)
    assert use_first_token_layer(first), "twice is once"
    chunk = chunk_of(*lengths)
    expected, found = whole(**chunk), first(**chunk)
    assert found.last_hidden_state.shape == (len(lengths), 1, 16)
    torch.testing.assert_close(found.last_hidden_state[:, 0], expected.last_hidden_state[:, 0], atol=1e-6, rtol=1e-5)
    if kind != "electra":  # it has no pooler
        torch.testing.assert_close(found.pooler_output, expected.pooler_output, atol=1e-6, rtol=1e-5)
    weights = torch.randn(16)
    for states in (expected, found):
        (states.last_hidden_state[:, 0] @ weights).sum().backward()
    for (name, ours), (other, theirs) in zip(gradients(first), gradients(whole), strict=True):
        assert name == other
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4, msg=name)


# A weight in a million is dropped: training, in effect without dropout.
ALMOST_NEVER = 1e-6


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("kind", BERT_LIKE)
@pytest.mark.parametrize("lengths", [(7, 3, 5), (4, 4)], ids=["padded", "even"])
def test_attention_is_that_of_the_encoder(kind: str, training: bool, lengths: tuple[int, ...]) -> None:
    own = encoder_of(kind, attn_implementation="sdpa").eval()
    ours = copy.deepcopy(own)
    assert use_fast_attention(ours)
    assert use_fast_attention(ours), "twice is once"
    for layer in ours.encoder.layer:
        layer.attention.self.dropout.train(training).p = ALMOST_NEVER
    chunk = chunk_of(*lengths)
    known = chunk["attention_mask"].bool()
    states = [model(**chunk).last_hidden_state[known] for model in (ours, own)]
    torch.testing.assert_close(*states, atol=1e-5, rtol=1e-4)
    weights = torch.randn(16)
    for found in states:
        (found @ weights).square().sum().backward()
    for (name, found), (_, expected) in zip(gradients(ours), gradients(own), strict=True):
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-3, msg=name)
    assert set(ours.state_dict()) == set(own.state_dict())


def test_attention_weights_are_dropped_and_scaled_in_training() -> None:
    torch.manual_seed(0)
    query, key = torch.zeros(64, 2, 8, 4), torch.zeros(64, 2, 8, 4)
    mixed = attend(query, key, torch.ones(64, 2, 8, 4), None, Dropout(0.5).train(), 0.5)[..., 0] * 8
    # Eight equal weights, each dropped or doubled: twice a binomial number of eight.
    assert set(mixed.flatten().tolist()) <= {float(2 * n) for n in range(9)}
    assert mixed.mean().item() == pytest.approx(8, abs=0.4)
    assert mixed.std().item() == pytest.approx(8**0.5, rel=0.1)


@pytest.mark.parametrize(("kind", "attention"), [("roformer", "eager"), ("mpnet", "eager"), ("bert", "eager")])
def test_other_attention_is_left_to_the_encoder(kind: str, attention: str) -> None:
    model = encoder_of(kind, attn_implementation=attention).train()
    assert bert_like(model) is (kind == "bert")
    assert not use_fast_attention(model)
    assert model(**chunk_of(5, 3)).last_hidden_state.shape == (2, 5, 16)


def test_the_first_token_layer_drops_in_training() -> None:
    model = encoder_of("bert", attn_implementation="sdpa").train()
    use_first_token_layer(model)
    chunk = chunk_of(5, 5)
    assert not torch.equal(model(**chunk).last_hidden_state, model(**chunk).last_hidden_state)


def test_the_first_token_layer_is_copied_with_its_model() -> None:
    model = encoder_of("roberta").eval()
    use_first_token_layer(model)
    chunk = chunk_of(5, 3)
    assert torch.equal(copy.deepcopy(model)(**chunk).pooler_output, model(**chunk).pooler_output)
    assert set(model.state_dict()) == set(encoder_of("roberta").state_dict())


@pytest.mark.parametrize("kind", ["roformer", "mpnet"])
def test_other_encoders_stay_whole(kind: str) -> None:
    model = encoder_of(kind).eval()
    assert not use_first_token_layer(model)
    assert model(**chunk_of(5, 3)).last_hidden_state.shape == (2, 5, 16)


@pytest.mark.parametrize("kind", [*BERT_LIKE, "mpnet", "distilbert"])
def test_tokens_are_looked_up_once_for_all_chunks(kind: str) -> None:
    apart = encoder_of(kind).eval()
    together = copy.deepcopy(apart)
    calls = []
    together.get_input_embeddings().register_forward_hook(lambda *_: calls.append(1))
    chunks = [chunk_of(2, 3), chunk_of(6), chunk_of(8, 7, 8)]
    expected = [apart(**chunk).last_hidden_state for chunk in chunks]
    found = [states.last_hidden_state for states in encoded_chunks(together, chunks)]
    assert len(calls) == 1
    for ours, theirs, chunk in zip(found, expected, chunks, strict=True):
        known = chunk["attention_mask"].bool()
        torch.testing.assert_close(ours[known], theirs[known], atol=1e-6, rtol=1e-5)
    for outputs in (found, expected):
        sum(
            (states * chunk["attention_mask"].unsqueeze(-1)).square().sum()
            for states, chunk in zip(outputs, chunks, strict=True)
        ).backward()
    for (name, ours), (_, theirs) in zip(gradients(together), gradients(apart), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4, msg=name)


def test_an_encoder_without_embeddings_as_input_gets_tokens() -> None:
    class Plain(torch.nn.Module):
        def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
            return input_ids * attention_mask

    chunks = [chunk_of(2, 3), chunk_of(4)]
    for found, chunk in zip(encoded_chunks(Plain(), chunks), chunks, strict=True):
        assert torch.equal(found, chunk["input_ids"] * chunk["attention_mask"])
