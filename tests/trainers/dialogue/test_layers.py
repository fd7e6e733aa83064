"""The layer without padding computes what torch's padded one does."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from iemomecp_dataset.trainers.dialogue.layers import DialogueLayer, Ragged


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 7), min_size=1, max_size=4), st.integers(0, 2**31))
def test_equals_the_padded_layer_of_torch(sizes: list[int], seed: int) -> None:
    torch.manual_seed(seed)
    reference = nn.TransformerEncoderLayer(
        8, 2, 16, dropout=0.3, activation="gelu", batch_first=True, norm_first=True
    ).eval()
    for parameter in reference.parameters():
        nn.init.normal_(parameter, std=0.3)
    layer = DialogueLayer(8, 2, 16, 0.3).eval()
    with torch.no_grad():
        for ours, theirs in (
            (layer.attention_norm, reference.norm1),
            (layer.attention_output, reference.self_attn.out_proj),
            (layer.feed_forward[0], reference.norm2),
            (layer.feed_forward[1], reference.linear1),
            (layer.feed_forward[4], reference.linear2),
        ):
            ours.load_state_dict(theirs.state_dict())
        layer.query_key_value.weight.copy_(reference.self_attn.in_proj_weight)
        layer.query_key_value.bias.copy_(reference.self_attn.in_proj_bias)
    mask = torch.arange(max(sizes)) < torch.tensor(sizes)[:, None]
    padded = torch.randn(*mask.shape, 8)
    ragged = Ragged.of(mask)
    expected = reference(padded, src_key_padding_mask=~mask)[mask]
    torch.testing.assert_close(layer(ragged.flat(padded), ragged), expected, atol=1e-5, rtol=1e-4)


@given(st.lists(st.integers(1, 6), min_size=1, max_size=5), st.integers(0, 2**31))
def test_there_and_back(sizes: list[int], seed: int) -> None:
    torch.manual_seed(seed)
    mask = torch.arange(max(sizes) + 1) < torch.tensor(sizes)[:, None]
    ragged = Ragged.of(mask)
    values = torch.randn(sum(sizes), 3)
    padded = ragged.padded(values)
    assert torch.equal(ragged.flat(padded), values)
    assert torch.equal(padded[~mask], torch.zeros((~mask).sum(), 3))
    assert torch.equal(values[ragged.rows[mask]], padded[mask])


def test_begins_as_the_layer_of_torch_does() -> None:
    torch.manual_seed(0)
    reference, layer = nn.TransformerEncoderLayer(64, 4, 128), DialogueLayer(64, 4, 128, 0.1)
    assert sum(p.numel() for p in layer.parameters()) == sum(p.numel() for p in reference.parameters())
    ours, theirs = layer.query_key_value.weight, reference.self_attn.in_proj_weight
    assert abs(ours.std() / theirs.std() - 1) < 0.05
    assert layer.query_key_value.bias.abs().max() == layer.attention_output.bias.abs().max() == 0
