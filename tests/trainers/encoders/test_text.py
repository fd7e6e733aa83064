"""Texts to tokens and vectors: what spares work changes neither values nor gradients."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from iemomecp_dataset.trainers.encoders.text import encoded_chunks

KINDS = ["bert", "roberta", "xlm-roberta", "camembert", "electra", "mpnet", "distilbert"]


@pytest.mark.parametrize("kind", KINDS)
def test_tokens_are_looked_up_once_for_all_chunks(kind: str, random_encoder: Callable, token_chunk: Callable) -> None:
    apart = random_encoder(kind).eval()
    together = copy.deepcopy(apart)
    calls = []
    together.get_input_embeddings().register_forward_hook(lambda *_: calls.append(1))
    chunks = [token_chunk(2, 3), token_chunk(6), token_chunk(8, 7, 8)]
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
    for (name, ours), theirs in zip(together.named_parameters(), apart.parameters(), strict=True):
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in (ours, theirs)]
        torch.testing.assert_close(*gradients, atol=1e-5, rtol=1e-4, msg=name)


def test_an_encoder_without_embeddings_as_input_gets_tokens(token_chunk: Callable) -> None:
    class Plain(torch.nn.Module):
        def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
            return input_ids * attention_mask

    chunks = [token_chunk(2, 3), token_chunk(4)]
    for found, chunk in zip(encoded_chunks(Plain(), chunks), chunks, strict=True):
        assert torch.equal(found, chunk["input_ids"] * chunk["attention_mask"])
