"""Which parameters of an encoder stay as they are."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from transformers import BertConfig, BertModel, ModernBertConfig, ModernBertModel, RobertaConfig, RobertaModel

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.trainers.encoders.weights import freeze_lowest

SHAPE = {"vocab_size": 50, "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 16, "num_hidden_layers": 3}


def encoders() -> dict[str, nn.Module]:
    return {
        "bert": BertModel(BertConfig(**SHAPE), add_pooling_layer=False),
        "roberta": RobertaModel(RobertaConfig(**SHAPE), add_pooling_layer=False),
        "modernbert": ModernBertModel(ModernBertConfig(**SHAPE, pad_token_id=0)),
    }


@pytest.mark.parametrize("name", ["bert", "roberta", "modernbert"])
@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_a_step_changes_the_upper_layers_alone(name: str, count: int) -> None:
    torch.manual_seed(0)
    encoder = encoders()[name].eval()
    freeze_lowest(encoder, count)
    ids = torch.randint(5, 50, (4, 7))
    before = [h.detach().clone() for h in encoder(ids, output_hidden_states=True).hidden_states]
    trained = [p for p in encoder.parameters() if p.requires_grad]
    if trained:
        encoder(ids).last_hidden_state.pow(4).sum().backward()
        torch.optim.SGD(trained, lr=0.1).step()
    after = encoder(ids, output_hidden_states=True).hidden_states
    # Entry 0 is the embedding layer's; a last norm above the layers is trained with any of them.
    same = [torch.equal(one, two) for one, two in zip(before[:-1], after[:-1], strict=True)]
    assert same == ([True] * (count + 1))[:3] + [False] * (2 - count) if count else not any(same)
    assert all(p.grad is not None for p in trained)


def test_too_many_or_nowhere() -> None:
    with pytest.raises(UsageError, match=r"--frozen_layers 4 is more than the encoder's 3 layers"):
        freeze_lowest(encoders()["bert"], 4)
    strange = encoders()["bert"]
    strange.encoder.layer = nn.Sequential(*strange.encoder.layer)
    with pytest.raises(UsageError, match="does not know where BertModel keeps its 3 layers"):
        freeze_lowest(strange, 1)
