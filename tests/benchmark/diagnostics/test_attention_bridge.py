"""The bridge from ECERC's attention to causes, beside its controls."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from iemomecp_dataset.benchmark.diagnostics.attention_bridge import attention_bridge
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.metrics.scoring import average_precision
from iemomecp_dataset.trainers.emotions.hints import attention_hints
from iemomecp_dataset.trainers.emotions.modeling_ecerc import EcercConfig, EcercModel


def dialogues(lengths: list[int], distance: int) -> dict[str, Any]:
    """The cause of every turn lies so many turns before it."""
    generator = torch.Generator().manual_seed(0)
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    turn = torch.arange(max(lengths))
    valid = mask[:, :, None] & mask[:, None] & (turn[:, None] >= turn)
    text = torch.randn(*mask.shape, 6, generator=generator)
    speakers = torch.randint(0, 2, mask.shape, generator=generator)
    gold = valid & (turn[:, None] - turn == distance)
    return {"mask": mask, "speakers": speakers, "text": text, "event": text, "valid": valid, "gold": gold}


@pytest.fixture(scope="module")
def model() -> EcercModel:
    torch.manual_seed(1)
    return EcercModel(
        EcercConfig(
            class_names=["neutral", "joy"], text_size=6, event_size=6, audio_size=0, video_size=0, hidden_size=4
        )
    ).eval()


def test_pairs_are_ranked_by_attention_and_by_each_control(model: EcercModel) -> None:
    batches = [dialogues([5, 3], 1), dialogues([6], 1)]
    found = attention_bridge(model, batches, neutral=0, fitted_on=batches)
    assert set(found) == {f"{p}{name}" for p in ("", "p_") for name in ("hint", "uniform", "untrained", "distance")} | {
        "p_distance_hint"
    }
    assert found["distance"] == 1.0, "the distance alone says it here"
    assert found["untrained"] != found["hint"]
    scores, gold = [], []
    for batch in batches:
        valid = batch["valid"]
        output = model(**{n: v for n, v in batch.items() if n not in ("valid", "gold")}, output_attentions=True)
        emotional = output.logits.softmax(dim=-1)[..., 1].unsqueeze(-1)
        scores.append((emotional * attention_hints(output.gates, output.attentions))[valid].detach().numpy())
        gold.append(batch["gold"][valid].numpy())
    expected = average_precision(np.concatenate(scores).astype(np.float64), np.concatenate(gold))
    assert found["p_hint"] == pytest.approx(expected)
    fewer = attention_bridge(model, batches, neutral=0, fitted_on=batches, missed_positives=11)
    assert fewer["distance"] == pytest.approx(0.5)


def test_the_distance_is_learned_elsewhere(model: EcercModel) -> None:
    found = attention_bridge(model, [dialogues([6], 1)], neutral=0, fitted_on=[dialogues([6], 2)])
    assert found["distance"] < 0.5


def test_nothing_to_rank_is_an_error(model: EcercModel) -> None:
    with pytest.raises(UsageError, match="no candidate pair"):
        attention_bridge(model, [], neutral=0, fitted_on=[])
