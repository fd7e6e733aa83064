"""Scoring a split: in the order of the pair table, each example once, whatever the mini-batches are."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator, DistributedType
from torch import nn

from iemomecp_dataset.trainers.training.evaluation import score_split

EXAMPLES = [2, 1, 3]  # pairs of each


class Numbers:
    """A strategy whose probabilities name the example and the pair; the loss is the number of the batch."""

    def __init__(self) -> None:
        self.seen: list[tuple[bool, bool]] = []

    def probabilities(self, model: nn.Module, batch: list[int], examples: list[int]) -> Any:
        self.seen.append((model.training, torch.is_inference_mode_enabled()))
        found = [
            (p, np.array([[p if p >= 0 else 99.0, pair] for pair in range(examples[p if p >= 0 else ~p])]))
            for p in batch
        ]
        return found, float(len(self.seen))


@pytest.mark.parametrize(
    ("batches", "loss"),
    [
        ([[0, 1, 2]], 1.0),
        ([[2], [0, 1]], 1.5),
        ([[1], [2], [0]], 2.0),
        ([[2, 1], [0], [~0]], 1.5),  # a filler counts neither as example nor in the loss
    ],
)
def test_probabilities_stand_in_the_order_of_the_examples(batches: list[list[int]], loss: float) -> None:
    strategy, model = Numbers(), nn.Dropout().train()
    found = score_split(Accelerator(cpu=True), strategy, model, batches, EXAMPLES)  # type: ignore[arg-type]
    assert found.probabilities.tolist() == [[0, 0], [0, 1], [1, 0], [2, 0], [2, 1], [2, 2]]
    assert found.loss == loss
    assert set(strategy.seen) == {(False, True)}


def test_examples_of_all_processes_are_gathered(monkeypatch: pytest.MonkeyPatch) -> None:
    from iemomecp_dataset.trainers.training import evaluation

    of_other: list[Any] = [[False], [(1, np.array([[1.0, 0.0]]))], [3.0]]
    monkeypatch.setattr(evaluation, "gather_object", lambda own: [*own, *of_other.pop(0)])
    accelerator = SimpleNamespace(autocast=Accelerator(cpu=True).autocast, distributed_type=DistributedType.MULTI_CPU)
    found = score_split(accelerator, Numbers(), nn.Dropout(), [[2], [0], [~0]], EXAMPLES)  # type: ignore[arg-type]
    assert found.probabilities[:, 0].tolist() == [0, 0, 1, 2, 2, 2]
    assert found.loss == 2.0, "mean of the losses 1, 2 and 3; the filler's is left out"
