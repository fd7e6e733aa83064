"""Options that cannot work, alone or together, are refused before anything is loaded."""

from __future__ import annotations

import importlib.util
from dataclasses import fields
from typing import Any, get_args

import pytest

from iemomecp_dataset.errors import MissingDependencyError, UsageError
from iemomecp_dataset.trainers.options import (
    SECTIONS,
    PairScorerName,
    Tracker,
    TrainingOptions,
    circumstances,
)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pair_scorer": "bilinear"}, "--pair_scorer"),
        ({"scorer": "isolate"}, "--scorer has no value 'isolate'. Did you mean 'isolated'"),
        ({"frozen_layers": 2, "encoder_mode": "frozen"}, "--frozen_layers 2 applies to a trained encoder"),
        ({"frozen_layers": -1}, "--frozen_layers must be at least 0, but is -1"),
        ({"num_heads": 0}, "--num_heads must be at least 1, but is 0"),
        ({"learning_rate": -1.0}, "--learning_rate must be above 0, but is -1.0"),
        ({"encoder_learning_rate": 0.0}, "--encoder_learning_rate must be above 0, but is 0.0"),
        ({"max_grad_norm": 0.0}, "--max_grad_norm must be above 0"),
        ({"weight_decay": -0.1}, "--weight_decay must be at least 0"),
        ({"top_k": 0}, "--top_k must be at least 1"),
        ({"max_tokens": 1}, "--max_tokens must be at least 2"),
        ({"log_with": "tensorbord"}, "Did you mean 'tensorboard'"),
        ({"max_distance": 0}, "--max_distance must be at least 1"),
        ({"alignment_weight": float("nan")}, "--alignment_weight must be a finite number"),
        ({"seed": -1}, r"--seed must lie within \[0, 4294967295\], but is -1"),
        ({"threshold": 1.5}, r"--threshold must lie within \[0, 1\], but is 1.5"),
        ({"quiet": "no"}, "--quiet takes true or false, but is 'no'"),
        ({"emotion_category_weight": -0.1}, "--emotion_category_weight must be at least 0"),
        ({"emotion_category_weight": 0.1, "scorer": "isolated"}, "--emotion_category_weight belongs to the dialogue"),
        ({"text_context": 1, "scorer": "isolated"}, "--text_context belongs to the dialogue scorer"),
        ({"text_context_after": 1, "scorer": "isolated"}, "--text_context_after belongs to the dialogue scorer"),
        ({"text_block": 2, "scorer": "isolated"}, "--text_block belongs to the dialogue scorer"),
        ({"r_drop_weight": 1.0, "scorer": "isolated"}, "--r_drop_weight belongs to the dialogue scorer"),
        ({"text_block": 2, "modalities": "a"}, "this run encodes no text"),
        ({"text_alone": True}, "--text_alone encodes utterances alone beside those"),
        ({"text_alone": True, "scorer": "isolated"}, "--text_alone belongs to the dialogue scorer"),
        ({"text_block": 0}, "--text_block must be at least 1"),
        ({"text_context": -1}, "--text_context must be at least 0"),
        ({"layer_decay": 0.0}, "--layer_decay must lie within"),
        ({"layer_decay": 1.1}, "--layer_decay must lie within"),
        ({"layer_decay": 0.9, "encoder_mode": "frozen"}, "--layer_decay 0.9 applies to the layers of a trained"),
        ({"layer_decay": 0.9, "modalities": "a"}, "--layer_decay 0.9 applies to the layers of a trained"),
        ({"context_ranking_weight": 0.3}, "the objective 'base' has none"),
        ({"context_ranking_weight": 0.3, "objective": "rpcl", "config_name": "ecf"}, "ranks emo_context pairs"),
    ],
)
def test_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        TrainingOptions.from_flat({"data_dir": "data", "output_dir": "run", **options}).check()


def test_a_rule_that_calibrates_needs_its_package_before_training(monkeypatch: pytest.MonkeyPatch) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "sklearn" else find_spec(name))
    given = {"data_dir": "data", "output_dir": "run"}
    TrainingOptions.from_flat({**given, "threshold_rule": "expected_f1_uncalibrated"}).check()
    with pytest.raises(MissingDependencyError, match=r"'sklearn'"):
        TrainingOptions.from_flat({**given, "threshold_rule": "expected_f1"}).check()


@pytest.mark.parametrize(
    "options",
    [{"context_ranking_weight": 0.3, "objective": "rpcl"}, {"frozen_layers": 2}, {"pair_scorer": "biaffine"}],
)
def test_accepted(options: dict[str, Any]) -> None:
    TrainingOptions.from_flat({"data_dir": "data", "output_dir": "run", **options}).check()


def test_every_number_has_a_bound() -> None:
    for section in SECTIONS.values():
        for field in fields(section):
            if str(field.type).split(" ")[0] in ("int", "float"):
                assert {field.metadata[bound] for bound in ("minimum", "above")} != {None}, field.name


def test_circumstances_may_change_when_a_run_is_continued() -> None:
    assert circumstances() == {
        *("output_dir", "cache_dir", "log_with", "quiet", "run_name", "eval_batch_size"),
        *("max_hours", "checkpoint_steps", "deterministic", "evidence_removal", "gradient_checkpointing"),
    }


def test_choices_are_those_of_the_models() -> None:
    from accelerate.utils import LoggerType

    from iemomecp_dataset.trainers.dialogue.pair_heads import PAIR_SCORERS

    assert get_args(PairScorerName) == tuple(PAIR_SCORERS)
    assert set(get_args(Tracker)) == set(map(str, LoggerType)) - {"all"}
