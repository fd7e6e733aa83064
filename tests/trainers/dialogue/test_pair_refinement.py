"""The second look at pairs against a loop over pairs."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from iemomecp_dataset.trainers.dialogue.layers import CandidatePairs
from iemomecp_dataset.trainers.dialogue.modeling import Corruption, DialogueScorer, DialogueScorerConfig
from iemomecp_dataset.trainers.dialogue.pair_heads import PairRefinement

SIZES, TURNS = (5, 3), 5


def batch(classes: int) -> tuple[torch.Tensor, ...]:
    torch.manual_seed(1)
    mask = torch.arange(TURNS) < torch.tensor(SIZES)[:, None]
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


def gelu(x: np.ndarray) -> np.ndarray:
    return np.array([v * 0.5 * (1 + math.erf(v / math.sqrt(2))) for v in x])


@pytest.mark.parametrize("classes", [2, 3])
def test_equals_the_loop_over_pairs(classes: int) -> None:
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


def test_adds_nothing_before_it_has_learned() -> None:
    logits, emotion, cause, valid = batch(2)
    torch.testing.assert_close(looked_at_again(PairRefinement(2, 3), logits, emotion, cause, valid), logits)


def test_gradients_reach_everything() -> None:
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


def test_a_scorer_with_it_is_saved_and_loaded(tmp_path: object) -> None:
    torch.manual_seed(0)
    model = DialogueScorer(
        DialogueScorerConfig(class_names=["pair", "non_pair"], text_size=6, hidden_size=16, num_heads=2)
    ).eval()
    nn.init.normal_(model.pair_refinement.output[-1].weight)
    model.save_pretrained(tmp_path)
    again = DialogueScorer.from_pretrained(tmp_path).eval()
    mask, speakers, text = torch.ones(1, 4, dtype=torch.bool), torch.zeros(1, 4, dtype=torch.long), torch.randn(1, 4, 6)
    assert torch.equal(again(mask, speakers, text=text).pair_logits, model(mask, speakers, text=text).pair_logits)
