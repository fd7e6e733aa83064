"""What the strategy of a dialogue scorer makes of a model's output: which entry is which pair, and which loss."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from two_dialogues import EMOTIONS, two_dialogues

from iemomecp_dataset.trainers.dialogue import task as dialogue_task
from iemomecp_dataset.trainers.dialogue.data import Collator, UtteranceInputs, dialogue_examples
from iemomecp_dataset.trainers.dialogue.modeling import Corruption, DialogueScores
from iemomecp_dataset.trainers.dialogue.task import DialogueStrategy, forward_inputs
from iemomecp_dataset.trainers.objectives import OBJECTIVES, ObjectiveWeights, mean_cross_entropy

COLLATOR = Collator(UtteranceInputs())
EXAMPLES = dialogue_examples(two_dialogues()["test"], EMOTIONS)


class Turns(nn.Module):
    """Its logits say which target, cause and class they are of."""

    def __init__(self) -> None:
        super().__init__()
        self.corruptions: list[Corruption | None] = []

    def forward(
        self, mask: Tensor, valid: Tensor, gold: Tensor | None = None, corruption: Corruption | None = None
    ) -> DialogueScores:
        self.corruptions.append(corruption)
        b, n = mask.shape
        target, cause = torch.arange(n).view(1, n, 1, 1), torch.arange(n).view(1, 1, n, 1)
        logits = (target / 2 - cause / 3 + torch.arange(3) * target / 5).expand(b, n, n, 3).clone()
        utterances = torch.stack([torch.arange(n) / 2, torch.arange(n) / 3], dim=-1).expand(b, n, 2)
        return DialogueScores(
            pair_logits=logits,
            emotion_logits=utterances,
            cause_logits=-utterances,
            corrupted_pair_logits=None if corruption is None else logits / 2,
        )


TAKEN = forward_inputs(Turns)


def batch() -> dict[str, Any]:
    return COLLATOR(list(enumerate(EXAMPLES)))


def test_probabilities_are_of_the_rows_pairs_as_target_and_cause() -> None:
    found, _ = DialogueStrategy(COLLATOR, inputs=TAKEN).probabilities(Turns(), batch(), EXAMPLES)
    assert [position for position, _ in found] == [0, 1]
    for (_, probabilities), row in zip(found, two_dialogues()["test"], strict=True):
        for values, pair in zip(probabilities, row["pairs"], strict=True):
            target, cause = pair["target_turn"] - 1, pair["cause_turn"] - 1
            expected = np.exp([target / 2 - cause / 3 + c * target / 5 for c in range(3)])
            np.testing.assert_allclose(values, expected / expected.sum(), rtol=1e-5)


def test_the_loss_of_scoring_is_that_of_the_three_heads_without_class_weights() -> None:
    strategy = DialogueStrategy(COLLATOR, class_weights=torch.tensor([9.0, 1.0, 1.0]), inputs=TAKEN)
    given, model = batch(), Turns()
    scores = model(given["mask"], given["valid"])
    expected = sum(
        mean_cross_entropy(getattr(scores, f"{head}_logits"), given[labels], given[kept]).item()
        for head, labels, kept in (
            ("emotion", "emotion_labels", "mask"), ("cause", "cause_labels", "mask"), ("pair", "labels", "valid")
        )
    )  # fmt: skip
    _, found = strategy.probabilities(model, given, EXAMPLES)
    assert found == pytest.approx(expected)
    assert model.corruptions == [None, None], "scoring sees the dialogue as it is"


def test_the_terms_get_labels_weights_and_the_reduction(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[dict[str, Any]] = []
    compute = dialogue_task.objective_terms

    def record(objective: Any, weights: Any, **given: Any) -> Any:
        calls.append({"objective": objective, "weights": weights, **given})
        return compute(objective, weights, **given)

    monkeypatch.setattr(dialogue_task, "objective_terms", record)
    weights, class_weights = ObjectiveWeights(top_k=3), torch.tensor([2.0, 3.0, 4.0])
    corruption = Corruption(0.4, False, "dialogue_input")
    strategy = DialogueStrategy(COLLATOR, OBJECTIVES["rpcl"], weights, corruption, class_weights, inputs=TAKEN)
    pooled: list[tuple[float, float]] = []

    def pool(total: Tensor, count: Tensor) -> Tensor:
        pooled.append((float(total), float(count)))
        return total

    given, model = batch(), Turns()
    terms = strategy.terms(model, given, pool)
    assert list(terms) == ["supervised", "ranking", "corrupted_supervision", "alignment"]
    assert model.corruptions == [corruption]
    (call,) = calls
    expected = {
        "objective": OBJECTIVES["rpcl"], "weights": weights, "pool": pool, "pair_class_weights": class_weights,
        "emotion_labels": given["emotion_labels"], "cause_labels": given["cause_labels"],
        "pair_labels": given["labels"], "mask": given["mask"], "valid": given["valid"],
    }  # fmt: skip
    assert [name for name, value in expected.items() if call[name] is not value] == []
    # Three means of the supervised term, one of each other: every one is pooled by what was given.
    assert len(pooled) == 6
    assert float(terms["supervised"]) == pytest.approx(sum(total for total, _ in pooled[:3]))
