"""The pair heads, and the refinement of their scores, against loops over pairs."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from iemomecp_dataset.trainers.dialogue.layers import CandidatePairs, Ragged
from iemomecp_dataset.trainers.dialogue.modeling import Corruption, DialogueScorer, DialogueScorerConfig
from iemomecp_dataset.trainers.dialogue.pair_heads import (
    PAIR_SCORERS,
    BiaffinePairScorer,
    MlpPairScorer,
    PairRefinement,
    PairScorer,
)

SIZES = (4, 2)
TURNS = 5  # of the longest dialogue that is refined


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


def batch(classes: int) -> tuple[torch.Tensor, ...]:
    torch.manual_seed(1)
    mask = torch.arange(TURNS) < torch.tensor((5, 3))[:, None]
    valid = mask[:, :, None] & mask[:, None, :]
    valid[0, 2, 4] = False
    logits = torch.where(valid[..., None], 3 * torch.randn(2, TURNS, TURNS, classes), 0.0)
    return logits, torch.randn(2, TURNS, 2), torch.randn(2, TURNS, 2), valid


def refinement(classes: int) -> PairRefinement:
    torch.manual_seed(2)
    made = PairRefinement(classes, max_distance=2).eval()
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.4)
    return made


def looked_at_again(made: PairRefinement, logits: torch.Tensor, *rest: torch.Tensor) -> torch.Tensor:
    *heads, valid = rest
    pairs = CandidatePairs.of(valid)
    return pairs.matrices(made(pairs.select(logits), *heads, pairs))


@pytest.mark.parametrize("classes", [2, 3])
def test_refinement_equals_the_loop_over_pairs(classes: int) -> None:
    made = refinement(classes)
    logits, emotion, cause, valid = batch(classes)
    second = looked_at_again(made, logits, emotion, cause, valid).detach().numpy()
    weights = {name: p.detach().double().numpy() for name, p in made.named_parameters()}
    s, e, c = (t.double().numpy() for t in (logits, emotion, cause))
    for d in range(2):
        for i in range(TURNS):
            for j in range(TURNS):
                if not valid[d, i, j]:
                    assert (second[d, i, j] == 0).all()
                    continue

                def odds(t: int, k: int, d: int = d) -> np.ndarray:
                    return s[d, t, k, :-1] - s[d, t, k, -1]

                others = np.array([odds(i, k) for k in range(TURNS) if valid[d, i, k]])
                total = np.log(np.exp(others).sum(axis=0))
                known = np.concatenate(
                    [
                        odds(i, j), odds(i, j) - others.max(axis=0), total, odds(i, j) - total,
                        odds(i, i), [e[d, i, 1] - e[d, i, 0]], [c[d, i, 1] - c[d, i, 0]],
                        odds(j, j), [e[d, j, 1] - e[d, j, 0]], [c[d, j, 1] - c[d, j, 0]],
                    ]
                )  # fmt: skip
                hidden = weights["known.weight"] @ (known / 3) + weights["known.bias"]
                hidden = gelu(hidden + weights["distance"][min(2, max(-2, i - j)) + 2])
                hidden = gelu(weights["output.1.weight"] @ hidden + weights["output.1.bias"])
                added = weights["output.4.weight"] @ hidden + weights["output.4.bias"]
                np.testing.assert_allclose(second[d, i, j], s[d, i, j] + added, rtol=1e-4, atol=1e-4)


def test_refinement_adds_nothing_before_it_has_learned() -> None:
    logits, emotion, cause, valid = batch(2)
    torch.testing.assert_close(looked_at_again(PairRefinement(2, 3), logits, emotion, cause, valid), logits)


def test_refinement_passes_gradients_to_everything() -> None:
    made = refinement(3)
    inputs = [t.requires_grad_() for t in batch(3)[:3]]
    looked_at_again(made, *inputs, batch(3)[3]).square().sum().backward()
    for tensor in (*inputs, *made.parameters()):
        assert tensor.grad is not None
        assert tensor.grad.isfinite().all()
        assert tensor.grad.abs().sum() > 0


@pytest.mark.parametrize("refine", [True, False])
def test_a_zeroed_utterance_changes_gold_pairs_only_where_pairs_know_of_each_other(refine: bool) -> None:
    torch.manual_seed(0)
    model = DialogueScorer(
        DialogueScorerConfig(
            class_names=["pair", "non_pair"], text_size=6, hidden_size=16, num_heads=2, pair_refinement=refine
        )
    ).eval()
    if refine:
        nn.init.normal_(model.pair_refinement.output[-1].weight)
    gold = torch.zeros(1, 4, 4, dtype=torch.bool)
    gold[0, 2, 1] = True
    mask = torch.ones(1, 4, dtype=torch.bool)
    scores = model(
        mask, torch.zeros(1, 4, dtype=torch.long), text=torch.randn(1, 4, 6), gold=gold, corruption=Corruption(rate=1.0)
    )
    changed = (scores.pair_logits != scores.corrupted_pair_logits).any(-1)[0]
    assert changed[2, 1].item() is refine
    assert changed[0, 3]


def test_a_scorer_with_refinement_is_saved_and_loaded(tmp_path: object) -> None:
    torch.manual_seed(0)
    model = DialogueScorer(
        DialogueScorerConfig(class_names=["pair", "non_pair"], text_size=6, hidden_size=16, num_heads=2)
    ).eval()
    nn.init.normal_(model.pair_refinement.output[-1].weight)
    model.save_pretrained(tmp_path)
    again = DialogueScorer.from_pretrained(tmp_path).eval()
    mask, speakers, text = torch.ones(1, 4, dtype=torch.bool), torch.zeros(1, 4, dtype=torch.long), torch.randn(1, 4, 6)
    assert torch.equal(again(mask, speakers, text=text).pair_logits, model(mask, speakers, text=text).pair_logits)
