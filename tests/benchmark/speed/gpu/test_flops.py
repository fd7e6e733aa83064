"""The count of operations against one by hand."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from iemomecp_dataset.benchmark.speed.gpu.flops import counted_flops, matmul_tflops

TEXTS, TOKENS, WIDTH, HEADS, INNER = 3, 10, 32, 2, 128


def layer_flops() -> int:
    """One layer of BERT, by hand: four square projections, two of the feed-forward network, two products of attention.

    A product of (m, k) and (k, n) has 2 m k n operations. Attention has, per text, (T, D)(D, T) for its scores and
    (T, T)(T, D) for its values, over all heads together.
    """
    of_rows = 2 * TEXTS * TOKENS * (4 * WIDTH * WIDTH + 2 * WIDTH * INNER)
    of_attention = 2 * (2 * TEXTS * TOKENS * TOKENS * WIDTH)
    return of_rows + of_attention


@pytest.mark.parametrize("padded", [False, True])  # two kernels of attention, both counted
def test_the_count_of_an_encoder_layer_is_that_by_hand(padded: bool) -> None:
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=50, hidden_size=WIDTH, num_hidden_layers=1, num_attention_heads=HEADS, intermediate_size=INNER
    )
    encoder = BertModel(config, add_pooling_layer=False).eval()
    mask = torch.ones(TEXTS, TOKENS, dtype=torch.long)
    mask[0, TOKENS // 2 :] = 0 if padded else 1
    ids = torch.zeros_like(mask)
    with torch.no_grad():
        assert counted_flops(lambda: encoder(input_ids=ids, attention_mask=mask)) == layer_flops()


def test_a_backward_pass_has_twice_the_products_of_the_rows() -> None:
    weight, rows = torch.zeros(4, 5, requires_grad=True), torch.zeros(3, 4, requires_grad=True)
    assert counted_flops(lambda: (rows @ weight).sum().backward()) == 3 * (2 * 3 * 4 * 5)


def test_attention_of_a_cpu_is_counted_with_its_backward_pass() -> None:
    query, key, value = (torch.zeros(1, HEADS, TOKENS, 8, requires_grad=True) for _ in range(3))
    product = 2 * HEADS * TOKENS * TOKENS * 8
    # Forwards scores and values; backwards the scores again, and two gradients of each product.
    flops = counted_flops(lambda: scaled_dot_product_attention(query, key, value).sum().backward())
    assert flops == (2 + 5) * product


def test_the_rate_of_products_is_a_positive_number() -> None:
    assert matmul_tflops(torch.device("cpu"), torch.bfloat16, size=32, repeats=2) > 0
