"""Our linear layers compute what torch's do."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from iemomecp_dataset.trainers import linear
from iemomecp_dataset.trainers.linear import Linear, use_fast_linear


def both(layer: nn.Linear, inputs: Tensor, gradient: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Output and gradients of our layer beside those of torch's, computed in double precision."""
    ours, exact = copy.deepcopy(layer), copy.deepcopy(layer).double()
    use_fast_linear(holder := nn.Sequential(ours))
    assert type(holder[0]) is Linear
    pairs = []
    x, y = inputs.detach().clone().requires_grad_(), inputs.detach().double().requires_grad_()
    found, expected = ours(x), exact(y)
    found.backward(gradient)
    expected.backward(gradient.double())
    pairs = [(found, expected), (x.grad, y.grad), (ours.weight.grad, exact.weight.grad)]
    return pairs if layer.bias is None else [*pairs, (ours.bias.grad, exact.bias.grad)]


@pytest.fixture
def everything_is_worthwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "_WORTHWHILE", 0)


@settings(max_examples=40, deadline=None)
@given(
    leading=st.lists(st.integers(1, 9), min_size=1, max_size=3),
    sizes=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    bias=st.booleans(),
    seed=st.integers(0, 9),
)
def test_values_and_gradients_are_torchs(leading: list[int], sizes: tuple[int, int], bias: bool, seed: int) -> None:
    torch.manual_seed(seed)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(linear, "_WORTHWHILE", 0)
        layer = nn.Linear(*sizes, bias=bias)
        for found, expected in both(layer, torch.randn(*leading, sizes[0]), torch.randn(*leading, sizes[1])):
            torch.testing.assert_close(found.double(), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.usefixtures("everything_is_worthwhile")
def test_any_layout() -> None:
    torch.manual_seed(0)
    layer = nn.Linear(48, 32)
    gradient = torch.randn(6, 5, 32)
    layouts = {
        "transposed": torch.randn(48, 5, 6).permute(2, 1, 0),
        "every other": torch.randn(12, 5, 48)[::2],
        "repeated": torch.randn(1, 1, 48).expand(6, 5, 48),
        "first tokens": torch.randn(6, 9, 48)[:, :5],
    }
    for name, inputs in layouts.items():
        for found, expected in both(layer, inputs, gradient):
            torch.testing.assert_close(found.double(), expected, atol=1e-4, rtol=1e-4, msg=name)
    same = torch.ones(()).expand(6, 5, 32)
    for found, expected in both(layer, layouts["transposed"], same):
        torch.testing.assert_close(found.double(), expected, atol=1e-4, rtol=1e-4)


def test_what_is_not_needed_gets_no_gradient() -> None:
    layer = Linear(256, 256)
    layer.weight.requires_grad_(False)
    layer(torch.randn(64, 256)).sum().backward()
    assert layer.weight.grad is None
    torch.testing.assert_close(layer.bias.grad, torch.full((256,), 64.0))


def test_large_products_go_to_onednn_and_small_ones_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[tuple[int, ...]] = []

    def product(left: Tensor, right: Tensor, bias: Tensor | None = None) -> Tensor:
        taken.append(tuple(left.shape))
        return nn.functional.linear(left, right, bias)

    monkeypatch.setattr(linear, "_product", product)
    monkeypatch.setattr(linear, "_available", lambda: True)
    layer = Linear(256, 256)
    with torch.inference_mode():
        layer(torch.randn(3, 256))
        assert not taken
        layer(torch.randn(8, 16, 256))
        assert taken == [(128, 256)]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert layer(torch.randn(128, 256)).dtype == torch.bfloat16
        layer.double()(torch.randn(128, 256, dtype=torch.float64))
    monkeypatch.setattr(linear, "_available", lambda: False)
    layer.float()(torch.randn(128, 256))
    assert taken == [(128, 256)]


def test_parameters_stay_who_they_are() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.ModuleDict({"one": nn.Sequential(nn.Linear(4, 2, bias=False))}))
    before, names = dict(model.named_parameters()), set(model.state_dict())
    use_fast_linear(model)
    assert all(parameter is before[name] for name, parameter in model.named_parameters())
    assert set(model.state_dict()) == names
    assert sum(type(module) is Linear for module in model.modules()) == 2


def test_the_same_inputs_give_the_same_bits() -> None:
    torch.manual_seed(0)
    layer, inputs = Linear(384, 512), torch.randn(300, 384)
    results = []
    for _ in range(2):
        layer.zero_grad()
        output = layer(inputs)
        output.square().sum().backward()
        results.append((output, layer.weight.grad, layer.bias.grad))
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))
