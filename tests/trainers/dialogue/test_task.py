"""What the strategy of a dialogue scorer makes of a model's output: which entry is which pair, and which loss."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from two_dialogues import EMOTIONS, two_dialogues

from iemomecp_dataset.trainers.dialogue import task as dialogue_task
from iemomecp_dataset.trainers.dialogue.data import Collator, UtteranceInputs, dialogue_examples
from iemomecp_dataset.trainers.dialogue.modeling import Corruption, DialogueScorer, DialogueScorerConfig, DialogueScores
from iemomecp_dataset.trainers.dialogue.task import DialogueStrategy, forward_inputs
from iemomecp_dataset.trainers.encoders.context import TextContext, with_text_context
from iemomecp_dataset.trainers.encoders.text import load_text_encoder, tokenize_texts, tokenize_texts_in_context
from iemomecp_dataset.trainers.objectives import (
    OBJECTIVES,
    ObjectiveWeights,
    mean_cross_entropy,
    pooled_here,
    symmetric_divergence,
)

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


class Dropping(Turns):
    """The same, but that its second pass over a dialogue has other logits."""

    def forward(self, mask: Tensor, valid: Tensor) -> DialogueScores:
        scores = super().forward(mask, valid)
        factor = torch.where(torch.arange(len(mask)) < len(mask) // 2, 1.0, 0.5)
        return DialogueScores(
            pair_logits=scores.pair_logits * factor.view(-1, 1, 1, 1),
            emotion_logits=scores.emotion_logits * factor.view(-1, 1, 1),
            cause_logits=scores.cause_logits * factor.view(-1, 1, 1),
        )


def test_r_drop_trains_on_both_passes_and_on_what_they_differ_by() -> None:
    inputs = forward_inputs(Dropping)
    given = batch()
    (plain,) = DialogueStrategy(COLLATOR, inputs=TAKEN).terms(Turns(), given, pooled_here).values()
    alike = DialogueStrategy(COLLATOR, r_drop_weight=2.0, inputs=TAKEN).terms(Turns(), given, pooled_here)
    torch.testing.assert_close(alike["supervised"], plain)
    assert alike["r_drop"] == 0
    found = DialogueStrategy(COLLATOR, r_drop_weight=2.0, inputs=inputs).terms(Dropping(), given, pooled_here)
    scores = Turns()(given["mask"], given["valid"])
    parts = (
        (scores.pair_logits, given["valid"]), (scores.emotion_logits, given["mask"]),
        (scores.cause_logits, given["mask"]),
    )  # fmt: skip
    expected = sum(symmetric_divergence(logits, logits / 2, keep) for logits, keep in parts)
    torch.testing.assert_close(found["r_drop"], 2.0 * expected)
    assert found["supervised"] != plain


@pytest.mark.parametrize("in_context", [False, True])
def test_a_second_pass_reads_the_texts_of_its_own_dialogues(in_context: bool, tiny_encoder: Path) -> None:
    encoder = load_text_encoder(str(tiny_encoder))
    rows = two_dialogues()["test"]
    if in_context:
        rows = with_text_context(rows, TextContext(before=1, block=2), encoder.tokenizer, 32)
    examples = dialogue_examples(rows, EMOTIONS)
    texts = [text for example in examples for text in example.encoded_texts]
    tokenized = tokenize_texts_in_context if in_context else tokenize_texts
    collator = Collator(UtteranceInputs(text_tokens=tokenized(texts, encoder.tokenizer, 32)), chunk_tokens=24)
    config = DialogueScorerConfig(
        class_names=["pair", "non_pair"], text_size=16, text_layers=[2], hidden_size=8, num_heads=2,
        text_encoder=encoder.model.config.to_dict(), dropout=0.0,
    )  # fmt: skip
    model = DialogueScorer(config)
    model.use_text_encoder(encoder.model)
    strategy = DialogueStrategy(collator, r_drop_weight=1.0)
    given = collator(list(enumerate(examples)))
    labels = given["labels"].clamp(max=1)
    given |= {"labels": labels, "valid": given["valid"] & (labels >= 0)}
    assert model.eval() is model
    terms = strategy.terms(model, given, pooled_here)
    assert terms["r_drop"].abs() < 1e-8, "without dropout both passes are alike"
    torch.testing.assert_close(
        terms["supervised"], DialogueStrategy(collator).terms(model, given, pooled_here)["supervised"]
    )
    found = strategy.terms(model.train(), given, pooled_here)["r_drop"]
    assert found > 1e-5, "the encoder, which alone has dropout here, reads the texts twice"
