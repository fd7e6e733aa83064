"""Our dropout is torch's, drawn faster."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from iemomecp_dataset.trainers.dialogue.modeling import DialogueScorer, DialogueScorerConfig
from iemomecp_dataset.trainers.dropout import Dropout, use_fast_dropout


@pytest.mark.parametrize("p", [0.1, 0.4, 0.9])
def test_share_and_scale_are_those_of_torch(p: float) -> None:
    torch.manual_seed(0)
    dropped = Dropout(p)(torch.ones(2000, 500))
    share = (dropped == 0).double().mean().item()
    # Four standard errors of a million independent draws.
    assert share == pytest.approx(p, abs=4 * (p * (1 - p) / 1e6) ** 0.5 + 2**-16)
    assert dropped.unique().numel() == 2
    assert dropped.max().item() == pytest.approx(1 / (1 - p), rel=1e-3)


def test_neighbours_are_independent() -> None:
    torch.manual_seed(0)
    kept = (Dropout(0.5)(torch.ones(1_000_000)) > 0).double() - 0.5
    for lag in (1, 2, 3, 4, 5):
        assert abs((kept[lag:] * kept[:-lag]).mean().item()) < 4 * 0.25 / 1e6**0.5


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.lists(st.integers(0, 7), min_size=0, max_size=3), st.floats(0.0, 1.0))
def test_every_shape_and_probability(seed: int, shape: list[int], p: float) -> None:
    torch.manual_seed(seed)
    values = torch.randn(shape, requires_grad=True)
    dropped = Dropout(p)(values)
    dropped.sum().backward()
    assert dropped.shape == values.shape
    assert dropped.isfinite().all()
    assert values.grad is not None
    # The gradient is dropped and scaled as the value was.
    assert torch.allclose(values.grad * values, dropped)


def test_nothing_is_dropped_in_evaluation_and_draws_repeat_with_the_seed() -> None:
    layer, values = Dropout(0.5), torch.randn(5, 7)
    assert torch.equal(layer.eval()(values), values)
    layer.train()
    torch.manual_seed(3)
    first = layer(values)
    torch.manual_seed(3)
    assert torch.equal(layer(values), first)
    assert not torch.equal(layer(values), first)


def test_bfloat16_stays_bfloat16() -> None:
    assert Dropout(0.5)(torch.ones(8, dtype=torch.bfloat16)).dtype == torch.bfloat16


def test_a_module_keeps_its_probabilities() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.3), nn.TransformerEncoderLayer(4, 2, 8, dropout=0.2))
    use_fast_dropout(model)
    found = [module.p for module in model.modules() if isinstance(module, nn.Dropout)]
    assert found == [0.3, 0.2, 0.2, 0.2]
    assert all(type(module) is Dropout for module in model.modules() if isinstance(module, nn.Dropout))


def test_the_dialogue_scorer_uses_it_everywhere() -> None:
    model = DialogueScorer(DialogueScorerConfig(class_names=["pair", "non_pair"], text_size=4, hidden_size=8))
    assert {type(module) for module in model.modules() if isinstance(module, nn.Dropout)} == {Dropout}


def test_a_module_keeps_its_mode() -> None:
    model = nn.Sequential(nn.Dropout(0.5)).eval()
    use_fast_dropout(model)
    assert torch.equal(model(torch.ones(100)), torch.ones(100))
