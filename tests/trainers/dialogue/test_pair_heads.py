"""The two heads against loops over pairs."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from iemomecp_dataset.trainers.dialogue.layers import CandidatePairs, Ragged
from iemomecp_dataset.trainers.dialogue.pair_heads import PAIR_SCORERS, BiaffinePairScorer, MlpPairScorer, PairScorer

SIZES = (4, 2)


def head(name: str) -> PairScorer:
    torch.manual_seed(0)
    made = PAIR_SCORERS[name](6, 3, size=5, bilinear_size=4, max_distance=2, dropout=0.5).double().eval()
    for parameter in made.parameters():
        nn.init.normal_(parameter)
    return made


def gelu(x: np.ndarray) -> np.ndarray:
    return np.array([v * 0.5 * (1 + math.erf(v / math.sqrt(2))) for v in x])


def linear(layer: nn.Linear, x: np.ndarray) -> np.ndarray:
    bias = 0 if layer.bias is None else layer.bias.detach().numpy()
    return layer.weight.detach().numpy() @ x + bias


def slow_mlp(made: MlpPairScorer, target: np.ndarray, cause: np.ndarray, offset: int, same: int) -> np.ndarray:
    inner = linear(made.target, target) + linear(made.cause, cause)
    inner = inner + made.distance.weight.detach().numpy()[offset] + made.same_speaker.weight.detach().numpy()[same]
    product = linear(made.bilinear.target, target) * linear(made.bilinear.cause, cause)
    bias = made.distance_bias.weight.detach().numpy()[offset]
    return linear(made.output[2], gelu(inner)) + linear(made.bilinear.weight, product) + bias


def slow_biaffine(
    made: BiaffinePairScorer, target: np.ndarray, cause: np.ndarray, offset: int, same: int
) -> np.ndarray:
    r = np.append(gelu(linear(made.target[0], target)), 1.0)
    c = np.append(gelu(linear(made.cause[0], cause)), 1.0)
    matrices = made.matrices.weight.detach().numpy().reshape(3, 6, 6)
    scores = np.array([sum(r[q] * m[p, q] * c[p] for p in range(6) for q in range(6)) for m in matrices])
    return scores + made.distance_bias.weight.detach().numpy()[offset] + made.same_speaker.weight.detach().numpy()[same]


@pytest.mark.parametrize(("name", "slow"), [("mlp", slow_mlp), ("biaffine", slow_biaffine)])
def test_equals_the_loop_over_pairs(name: str, slow: object) -> None:
    made = head(name)
    mask = torch.arange(max(SIZES)) < torch.tensor(SIZES)[:, None]
    hidden = torch.randn(sum(SIZES), 6, dtype=torch.float64)
    speakers = torch.tensor([[0, 1, 0, 2], [1, 1, 0, 0]])
    valid = mask[:, :, None] & mask[:, None, :]
    valid[0, 1, 3] = False
    pairs = CandidatePairs.of(valid)
    logits = pairs.matrices(made(hidden, Ragged.of(mask), speakers, pairs)).detach().numpy()
    start = [0, 4]
    for d, size in enumerate(SIZES):
        for i in range(4):
            for j in range(4):
                if i >= size or j >= size or not valid[d, i, j]:
                    assert (logits[d, i, j] == 0).all()
                    continue
                offset = min(2, max(-2, i - j)) + 2
                same = int(speakers[d, i] == speakers[d, j])
                target, cause = hidden[start[d] + i].numpy(), hidden[start[d] + j].numpy()
                np.testing.assert_allclose(logits[d, i, j], slow(made, target, cause, offset, same), rtol=1e-5)


@pytest.mark.parametrize("name", list(PAIR_SCORERS))
def test_every_parameter_gets_a_gradient(name: str) -> None:
    made = head(name).train()
    mask = torch.ones(1, 6, dtype=torch.bool)
    made(
        torch.randn(6, 6, dtype=torch.float64),
        Ragged.of(mask),
        torch.tensor([[0, 0, 1, 1, 0, 1]]),
        CandidatePairs.of(mask[..., None] & mask),
    ).square().sum().backward()
    for parameter_name, parameter in made.named_parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().sum() > 0, parameter_name


@pytest.mark.parametrize("name", list(PAIR_SCORERS))
def test_begins_at_what_the_distance_says(name: str) -> None:
    made = head(name)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.zero_()
    rates = torch.tensor([[0.2, 0.3, 0.5], [0.1, 0.1, 0.8], [0.4, 0.5, 0.1], [0.3, 0.3, 0.4], [0.6, 0.2, 0.2]])
    made.begin_at(rates.log())
    mask = torch.ones(1, 5, dtype=torch.bool)
    pairs = CandidatePairs.of(mask[..., None] & mask)
    scores = made(torch.randn(5, 6, dtype=torch.float64), Ragged.of(mask), torch.zeros(1, 5, dtype=torch.long), pairs)
    said = pairs.matrices(scores).softmax(-1)[0]
    # Row target, column cause: the target comes one turn after the cause, three after it, and two before it.
    for place, row in (((2, 1), 3), ((4, 1), 4), ((0, 2), 0), ((3, 3), 2)):
        torch.testing.assert_close(said[place], rates[row].to(said.dtype), atol=1e-6, rtol=1e-5)
