"""What every scorer must do, whatever it computes from a pair."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import AutoModel
from transformers.utils import ModelOutput

from iemomecp_dataset.trainers.dialogue.data import Collator, UtteranceInputs, dialogue_examples
from iemomecp_dataset.trainers.dialogue.task import DialogueStrategy, forward_inputs, model_inputs
from iemomecp_dataset.trainers.encoders.text import TextEncoder, tokenize_texts
from iemomecp_dataset.trainers.objectives import pooled_here
from iemomecp_dataset.trainers.pairs.config import PairScorerConfig, set_decision
from iemomecp_dataset.trainers.scorers import find_scorer, scorer_of_model_type
from iemomecp_dataset.trainers.training.task import Batch, TrainingTask


class ScorerCase:
    """A subclass names the scorer, makes the task of a tiny one, and passes batches and labels to its ``forward``.

    Attributes:
        name: Value of ``--scorer``.
        positions: Examples of the split ``train`` that are scored; they differ in length.
        has_loss: Whether ``forward`` takes labels.
        without_gradient: Parameters that the loss does not depend on.
    """

    name: ClassVar[str]
    positions: ClassVar[tuple[int, ...]] = (0, 1, 2)
    has_loss: ClassVar[bool] = True
    without_gradient: ClassVar[frozenset[str]] = frozenset()

    @pytest.fixture
    def task(self) -> TrainingTask:
        """A tiny model, its strategy and its examples."""
        raise NotImplementedError

    def inputs(self, batch: Batch) -> dict[str, Any]:
        """What ``forward`` takes of a batch."""
        return model_inputs(batch)

    def labels(self, batch: Batch) -> dict[str, Tensor]:
        """What it takes besides, to give the loss."""
        return {name: batch[name] for name in ("labels", "emotion_labels", "cause_labels")}

    @pytest.fixture
    def model(self, task: TrainingTask) -> Any:
        """The model with random numbers added: parameters that start at zero would hide what is behind them."""
        model = copy.deepcopy(task.model).eval()
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter += 0.1 * torch.randn(parameter.shape, generator=generator)
        return model

    @pytest.fixture
    def batch(self, task: TrainingTask) -> Batch:
        """All examples of the case in one mini-batch."""
        return _batch(task, self.positions)

    def test_composition_and_padding_of_a_batch_change_no_score(self, task: TrainingTask, model: Any) -> None:
        alone = [_scores(task, model, [position])[position] for position in self.positions]
        assert len(np.unique(np.concatenate(alone).round(4), axis=0)) > 1, "pairs differ"
        for order in (self.positions, self.positions[::-1]):
            together = _scores(task, model, order)
            for position, expected in zip(self.positions, alone, strict=True):
                np.testing.assert_allclose(together[position], expected, atol=1e-5)

    def test_with_labels_comes_the_loss_that_training_has(self, task: TrainingTask, model: Any, batch: Batch) -> None:
        without = model(**self.inputs(batch))
        assert without.loss is None
        assert "loss" not in without
        if self.has_loss:
            found = model(**self.inputs(batch), **self.labels(batch))
            assert torch.equal(found.loss, _training_loss(task, model, batch))
            assert list(found) == ["loss", *without]
            assert all(torch.equal(found[name], without[name]) for name in without)

    def test_an_output_is_read_by_name_and_by_place(self, model: Any, batch: Batch) -> None:
        output = model(**self.inputs(batch), **(self.labels(batch) if self.has_loss else {}))
        assert isinstance(output, ModelOutput)
        assert len(output) > self.has_loss
        for place, name in enumerate(output):
            assert output[name] is getattr(output, name) is output[place], name

    def test_finite_gradient_reaches_every_parameter(self, task: TrainingTask, model: Any, batch: Batch) -> None:
        model = copy.deepcopy(model).train()
        torch.manual_seed(0)
        _training_loss(task, model, batch).backward()
        gradients = {name: parameter.grad for name, parameter in model.named_parameters() if parameter.requires_grad}
        assert {name for name, gradient in gradients.items() if gradient is None} == self.without_gradient
        for name, gradient in gradients.items():
            if name not in self.without_gradient:
                assert gradient.isfinite().all(), name
                assert gradient.any(), name

    def test_evaluation_draws_no_random_numbers(self, task: TrainingTask, model: Any) -> None:
        before = torch.get_rng_state()
        first, second = (_scores(task, model, self.positions) for _ in range(2))
        assert torch.equal(torch.get_rng_state(), before)
        assert all(np.array_equal(first[position], second[position]) for position in self.positions)

    @pytest.mark.parametrize("threshold", [0.25, None])
    def test_what_is_saved_is_the_same_scorer_again(
        self, task: TrainingTask, model: Any, threshold: float | None, tmp_path: Path
    ) -> None:
        saved = copy.deepcopy(model)
        set_decision(saved.config, 0.9)
        set_decision(saved.config, threshold)
        saved.save_pretrained(tmp_path)
        expected = _scores(task, model, self.positions)
        entry = find_scorer(self.name)
        assert scorer_of_model_type(model.config.model_type) is entry
        for loader in (entry.load_model_class(), AutoModel):
            again = loader.from_pretrained(tmp_path)
            assert type(again) is type(model) is entry.load_model_class()
            found = _scores(task, again, self.positions)
            assert all(np.array_equal(found[position], expected[position]) for position in self.positions)
            assert again.config.class_names == model.config.class_names
            rule = ("argmax" if threshold is None else "threshold", threshold)
            assert (again.config.decision, again.config.threshold) == rule

    @pytest.mark.parametrize("saved", ["new", "without", "placeholders"])
    def test_label_maps_follow_the_class_names(self, model: Any, saved: str, tmp_path: Path) -> None:
        if not isinstance(model.config, PairScorerConfig):
            return  # the base class is what derives them
        names = model.config.class_names
        model.config.save_pretrained(tmp_path)
        path = tmp_path / "config.json"
        written = json.loads(path.read_text())
        if saved == "new":
            assert written["id2label"] == {str(i): name for i, name in enumerate(names)}
            assert written["label2id"] == {name: i for i, name in enumerate(names)}
        else:  # as saved by earlier versions
            for name in ("id2label", "label2id", "decision", "threshold"):
                written.pop(name, None)
            if saved == "placeholders":
                written |= {"id2label": {"0": "LABEL_0", "1": "LABEL_1"}, "label2id": {"LABEL_0": 0, "LABEL_1": 1}}
            path.write_text(json.dumps(written))
        config = type(model.config).from_pretrained(tmp_path)
        assert config.class_names == names
        assert config.id2label == model.config.id2label == dict(enumerate(names))
        assert config.label2id == model.config.label2id == {name: i for i, name in enumerate(names)}
        assert config.num_labels == len(names)
        assert (config.decision, config.threshold) == ("argmax", None)


def _batch(task: TrainingTask, positions: Any) -> Batch:
    examples = task.examples["train"]
    return task.strategy.collate([(position, examples[position]) for position in positions])


def _scores(task: TrainingTask, model: Any, positions: Any) -> dict[int, Any]:
    with torch.inference_mode():
        found, _ = task.strategy.probabilities(model, _batch(task, positions), task.examples["train"])
    return dict(found)


def _training_loss(task: TrainingTask, model: Any, batch: Batch) -> Tensor:
    (loss,) = task.strategy.terms(model, batch, pooled_here).values()
    return loss


TEXT_SIZE, AUDIO_SIZE = 6, 4


def dialogue_task(model: Any, encoder: TextEncoder | None = None) -> TrainingTask:
    """The task of a scorer of dialogues, on three made-up ones whose second utterance has no sound.

    Args:
        model: The scorer.
        encoder: The text encoder that is trained with it, or None for random text features.
    """
    rng = np.random.default_rng(0)
    rows = [
        {
            "dialogue_id": f"d{dialogue}",
            "utterances": [
                {"utterance_id": f"d{dialogue}u{turn}", "text": "We lost a match. " * int(rng.integers(4)) + str(turn),
                 "speaker": "AB"[rng.integers(2)], "emotion": int(rng.integers(2))}
                for turn in range(size)
            ],
            "pairs": [
                {"target_turn": target, "cause_turn": cause, "label": int(rng.integers(2))}
                for target in range(1, size + 1)
                for cause in range(1, target + 1)
            ],
        }
        for dialogue, size in enumerate((3, 9, 1))
    ]  # fmt: skip
    texts = [utterance["text"] for row in rows for utterance in row["utterances"]]
    ids = [utterance["utterance_id"] for row in rows for utterance in row["utterances"]]
    audio = {key: rng.normal(size=AUDIO_SIZE).astype(np.float32) for key in ids if not key.endswith("u1")}
    if encoder is None:
        features = {text: rng.normal(size=TEXT_SIZE).astype(np.float32) for text in texts}
        inputs = UtteranceInputs(text_features=features, features={"audio": audio}, feature_sizes={"audio": AUDIO_SIZE})
    else:
        inputs = UtteranceInputs(text_tokens=tokenize_texts(texts, encoder.tokenizer, 64))
    strategy = DialogueStrategy(Collator(inputs, chunk_tokens=16), inputs=forward_inputs(type(model)))
    return TrainingTask(model, strategy, {"train": dialogue_examples(rows, ("neutral", "joy"))})
