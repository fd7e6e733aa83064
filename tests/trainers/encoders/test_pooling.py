"""Layers are chosen as the option states, and pooled over tokens alone."""

from __future__ import annotations

import pytest
import torch

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.trainers.encoders.pooling import parse_layers, pool_layers, pool_spans


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_pooling_is_the_mean_over_tokens(dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    states = [torch.randn(3, 5, 4, generator=generator).to(dtype) for _ in range(3)]
    lengths = (5, 2, 1)
    mask = (torch.arange(5) < torch.tensor(lengths)[:, None]).long()
    for state in states:
        state[~mask.bool()] = torch.nan  # padding may hold anything
    found = pool_layers(states, mask, [2, 0])
    assert found.dtype == torch.float32
    for row, length in enumerate(lengths):
        expected = torch.cat([states[layer][row, :length].float().mean(0) for layer in (2, 0)])
        torch.testing.assert_close(found[row], expected)


def test_a_text_without_tokens_is_zero() -> None:
    assert pool_layers([torch.ones(1, 2, 3)], torch.zeros(1, 2), [0]).tolist() == [[0.0, 0.0, 0.0]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,7", "--text_layers names layer 7, but the encoder has layers 0 to 6"),
        ("-8", "--text_layers names layer -8"),
        ("top", "--text_layers takes 'auto' or comma-separated integers, but has 'top'"),
        ("last", "--text_layers takes 'auto' or comma-separated integers, but has 'last'"),
    ],
)
def test_layers_that_are_not_there(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_layers(text, 6)


def test_parts_of_sequences_are_means_over_their_own_tokens() -> None:
    states = [torch.randn(2, 5, 4, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1)]
    pooled = torch.zeros(2, 2, 5, dtype=torch.bool)
    pooled[0, 0, 1:3] = pooled[0, 1, 3:5] = pooled[1, 0, 0:3] = True
    states[0][1, 3:] = torch.nan  # padding may hold anything
    found = pool_spans(states, pooled, [1, 0])
    for row, part, tokens in ((0, 0, slice(1, 3)), (0, 1, slice(3, 5)), (1, 0, slice(0, 3))):
        expected = torch.cat([states[layer][row, tokens].mean(0) for layer in (1, 0)])
        torch.testing.assert_close(found[2 * row + part], expected)
    assert found[3].tolist() == [0.0] * 8, "a sequence with fewer parts"
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(pool_spans(states, pooled, [1, 0]), found), "in full precision"
