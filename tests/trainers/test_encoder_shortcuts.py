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
