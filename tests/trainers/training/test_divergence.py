"""A loss that is no number is blamed on what it comes from, and a diverged run is said to be one."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from iemomecp_dataset.errors import TrainingError
from iemomecp_dataset.trainers.training.divergence import LossWatch, check_scores, not_finite, run_warnings
from iemomecp_dataset.trainers.training.evaluation import ScoredSplit

NAN, INF = float("nan"), float("inf")


class Scorer(nn.Module):
    def __init__(self, damaged: str = "") -> None:
        super().__init__()
        self.text_encoder, self.head = nn.Linear(2, 2), nn.Linear(2, 2)
        self.config = SimpleNamespace(text_encoder_name="models/minilm")
        if damaged:
            with torch.no_grad():
                getattr(self, damaged).weight[0, 0] = NAN


def blamed(model: nn.Module, batches: int, precision: str = "no", **batch: Any) -> str:
    whole = {"position": torch.tensor([1]), "mask": torch.ones(1, 2, dtype=torch.bool), **batch}
    return str(not_finite(NAN, model, whole, ["a", "b"], batches=batches, precision=precision))


@pytest.mark.parametrize(
    ("batch", "name"),
    [
        ({"audio": torch.tensor([1.0, NAN])}, "audio"),
        ({"inputs": {"video": torch.tensor([INF])}}, "video"),
        ({"text_tokens": [{"inputs_embeds": torch.tensor([-INF])}]}, "inputs_embeds"),
    ],
)
def test_inputs_are_blamed_first(batch: dict[str, Any], name: str) -> None:
    for model in (Scorer(), Scorer("text_encoder")):
        said = blamed(model, 0, **batch)
        assert said.startswith(f"The loss is nan on the dialogues a, b: their input '{name}' holds NaN or infinite")
        assert "--learning_rate" not in said


def test_weights_are_blamed_on_the_encoder_the_run_before_or_the_steps() -> None:
    audio = torch.ones(2)
    assert "weights of the text encoder models/minilm hold NaN" in blamed(Scorer("text_encoder"), 0, audio=audio)
    assert "--init_from" in blamed(Scorer("head"), 0, audio=audio)
    for damaged in ("text_encoder", "head"):
        said = blamed(Scorer(damaged), 7, audio=audio)
        assert "the weights have become NaN or infinite in 7 mini-batches. Lower --learning_rate" in said


def test_what_is_finite_is_not_blamed() -> None:
    assert "'audio' has numbers up to 1e+30" in blamed(Scorer(), 0, audio=torch.tensor([-1e30]))
    said = blamed(Scorer(), 3, audio=torch.ones(2))
    assert "whose inputs are finite, as are the weights after 3 mini-batches. Lower --learning_rate, with" in said
    assert "--mixed_precision" not in said
    assert "or use --mixed_precision no in place of fp16" in blamed(Scorer(), 3, precision="fp16")


@pytest.mark.parametrize("batches", [0, 3])
def test_the_advice_to_change_an_option_names_another_folder(batches: int) -> None:
    for model in (Scorer(), Scorer("head"), Scorer("text_encoder")):
        for audio in (torch.ones(2), torch.tensor([NAN]), torch.tensor([1e30])):
            said = blamed(model, batches, audio=audio)
            assert ("another --output_dir" in said) == ("--init_from" not in said), said


def test_a_large_loss_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    watch = LossWatch()
    with caplog.at_level(logging.WARNING):
        for epoch, loss in ((1, 7.0), (2, 1e21), (3, 1e22)):
            watch.epoch_ended(epoch, loss)
    assert [record.getMessage() for record in caplog.records] == [
        "warning: the mean loss of epoch 2 is 1e+21: training diverges. Lower --learning_rate, with another "
        "--output_dir, as a run keeps its options."
    ]


def scored(*first: float) -> ScoredSplit:
    return ScoredSplit(np.array([[p, (1 - p) / 3, 2 * (1 - p) / 3] for p in first]), 0.5)


def log_of(path: Path, *losses: float) -> Path:
    events = [{"event": "epoch", "epoch": epoch, "train_loss": loss} for epoch, loss in enumerate(losses, start=1)]
    path.write_text("".join(json.dumps(event) + "\n" for event in [{"event": "other"}, *events]))
    return path


def test_the_record_states_a_diverged_run_and_one_class(tmp_path: Path) -> None:
    names = ("emo_cause", "emo_context", "non_pair")

    def warnings(splits: dict[str, ScoredSplit], threshold: float | None, *losses: float) -> list[str]:
        return run_warnings(log_of(tmp_path / "log.jsonl", *losses), splits, threshold, names, "pair")

    usual = {"validation": scored(0.2, 0.9), "test": scored(0.9, 0.1), "train": scored(0.1, 0.1)}
    assert warnings(usual, None, 9.0, 3.0) == []
    assert warnings(usual, 0.5, 9.0, 3.0) == []
    diverged = warnings(usual, None, 9.0, 1e21, 2e3)
    assert [one.split(".")[0] for one in diverged] == ["Training diverged: the mean loss of epoch 2 is 1e+21"]
    both = warnings({"validation": scored(0.1, 0.2), "test": scored(0.2, 0.1)}, None, 1.0)
    assert [one.split(",")[0] for one in both] == [
        f"It predicts non_pair for all 2 pairs of {split}" for split in ("validation", "test")
    ]
    (one,) = warnings({"test": scored(0.2, 0.3)}, 0.1, 1.0)
    assert one.startswith(
        "It predicts emo_cause for all 2 pairs of test, as a rule without a model would. Train longer,"
    )
    assert warnings({"test": ScoredSplit(scored(0.2, 0.3).probabilities, 0.1, texts=("a", "b"))}, None, 1.0) == []
    with pytest.raises(TrainingError, match="1 of the 2 predictions on test are NaN: training has diverged"):
        warnings({"test": scored(0.2, NAN)}, None, 1.0)
    assert run_warnings(tmp_path / "none.jsonl", usual, None, names, "pair") == []


def test_a_single_prediction_is_no_sign(tmp_path: Path) -> None:
    assert run_warnings(tmp_path / "none.jsonl", {"test": scored(0.1)}, None, ("a", "b", "c"), "pair") == []
    check_scores(np.zeros((0, 2)), "test")
