"""Options of emotion recognition: the recipe of a corpus and a protocol, and what cannot work."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.trainers.cli import options_of, parse_options
from iemomecp_dataset.trainers.emotions.options import EmotionTrainingOptions
from iemomecp_dataset.trainers.emotions.recipes import RELEASED_WEIGHTS
from iemomecp_dataset.trainers.options import TrainingOptions, circumstances
from iemomecp_dataset.trainers.scorers import scorer_names

REQUIRED = ["--data_dir=data", "--output_dir=run"]


def parsed(*arguments: str, trainer: str = "ecerc") -> dict[str, Any]:
    kind, defaults = options_of(trainer)
    return parse_options([*REQUIRED, *arguments], description="", defaults=defaults, kind=kind).flat()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        # ACL 2025, long 102, on MELD and on IEMOCAP.
        (
            ["--config_name=meld"],
            {"learning_rate": 1e-5, "batch_size": 32, "epochs": 40, "patience": 20, "dropout_evidence": 0.0,
             "dropout_features": 0.2, "dropout": 0.1, "focal_gamma": 1.0, "class_weights": "none",
             "validation": None, "weight_decay": 2e-4, "optimizer": "adam", "max_grad_norm": None,
             "schedule": "constant", "stop_on": "score_and_loss", "weight_averaging": 0.0, "empty_rows": "zero",
             "meld_slots": "correct", "round_selection": False},
        ),
        (
            ["--config_name=iemocap"],
            {"learning_rate": 1e-4, "batch_size": 64, "epochs": 200, "patience": 50, "dropout_evidence": 0.5,
             "dropout_features": 0.5, "focal_gamma": 0.0, "class_weights": "train", "validation": "every_tenth"},
        ),
        (
            ["--config_name=iemocap", "--protocol=released"],
            {"class_weights": "released", "validation": "first_tenth", "empty_rows": "uniform",
             "meld_slots": "correct", "round_selection": True},
        ),
        (
            ["--config_name=meld", "--protocol=released", "--modalities=tav"],
            {"class_weights": "none", "validation": None, "empty_rows": "uniform", "meld_slots": "released"},
        ),
        (["--config_name=meld", "--protocol=released", "--modalities=ta"], {"meld_slots": "correct"}),
        # Each may be given on its own.
        (
            ["--config_name=iemocap", "--protocol=released", "--empty_rows=zero", "--class_weights=train"],
            {"class_weights": "train", "validation": "first_tenth", "empty_rows": "zero"},
        ),
        (["--config_name=3class"], {"batch_size": 64, "class_weights": "train", "validation": None}),
        (["--config_name=ecf", "--batch_size=4"], {"batch_size": 4, "epochs": 40, "class_weights": "none"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_the_recipe_follows_from_corpus_and_protocol(arguments: list[str], expected: dict[str, Any]) -> None:
    assert parsed(*arguments).items() >= expected.items()


def test_the_transformer_is_built_as_the_scorer_of_pairs_and_optimised_by_its_own_recipe() -> None:
    found, pairs = parsed("--config_name=ecf", trainer="emotion"), TrainingOptions().flat()
    same = ("hidden_size", "num_layers", "num_heads", "dropout", "patience", "encoder_learning_rate", "max_grad_norm",
            "text_layers")  # fmt: skip
    assert {name: found[name] for name in same} == {name: pairs[name] for name in same}
    own = {"optimizer": "adamw", "schedule": "linear", "stop_on": "score", "class_weights": "sqrt", "epochs": 10,
           "learning_rate": 5e-4, "weight_decay": 0.05, "weight_averaging": 0.98, "batch_size": 32}  # fmt: skip
    assert {name: found[name] for name in own} == own


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scorer": "dialogue"}, "--scorer dialogue is not a model of this command. It has ecerc, emotion_transformer"),
        ({"validation": "every_tenth"}, "--validation every_tenth divides the train split of --config_name iemocap"),
        ({"event_features": "f"}, "--event_features stands beside --text_features"),
        ({"text_features": "f"}, "--text_features needs --event_features beside it"),
        ({"text_features": "f", "event_features": "f", "modalities": "a"}, "--text_features has no effect"),
        ({"encoder_mode": "trained"}, "--scorer ecerc takes frozen text features"),
        ({"meld_slots": "released"}, "--meld_slots released exchanges parts of audio and video"),
        ({"context": "full"}, "--context full belongs to --scorer emotion_transformer"),
        ({"train_folds": 1}, "--train_folds must be 0, or at least 2, but is 1"),
        ({"ablation": "no_gate"}, "--ablation has no value 'no_gate'"),
        ({"focal_gamma": -1.0}, "--focal_gamma must be at least 0"),
        ({"scorer": "emotion_transformer", "protocol": "released"}, "--protocol released belongs to --scorer ecerc"),
        ({"scorer": "emotion_transformer", "query": "context"}, "--query context belongs to --scorer ecerc"),
        ({"scorer": "emotion_transformer", "hidden_size": 10}, "--hidden_size 10 is not divisible by --num_heads 4"),
        (
            {"scorer": "emotion_transformer", "encoder_mode": "trained", "text_features": "f"},
            "--encoder_mode trained trains the encoder, which --text_features replaces",
        ),
        ({"scorer": "emotion_transformer", "encoder_mode": "frozen", "frozen_layers": 2}, "--frozen_layers 2 applies"),
    ],
    ids=lambda value: " ".join(map(str, value.items())) if isinstance(value, dict) else "",
)
def test_refused(options: dict[str, Any], message: str) -> None:
    given = {"data_dir": "data", "output_dir": "run", "config_name": "ecf", **options}
    with pytest.raises(UsageError, match=message):
        EmotionTrainingOptions.from_flat(given).check()


def test_a_pair_scorer_is_no_model_of_emotions_and_the_other_way_round() -> None:
    with pytest.raises(UsageError, match=r"--scorer ecerc is not a model of this command\. It has dialogue, isolated"):
        parse_options([*REQUIRED, "--scorer=ecerc"], description="")
    with pytest.raises(UsageError, match="no option '--objective'"):
        parsed("--objective=rpcl")
    assert not set(scorer_names()) & set(scorer_names("erc"))


def test_every_number_has_a_bound() -> None:
    for section in EmotionTrainingOptions.sections().values():
        for field in fields(section):
            if str(field.type).split(" ")[0] in ("int", "float"):
                assert {field.metadata[bound] for bound in ("minimum", "above")} != {None}, field.name


def test_circumstances_are_those_of_pairs_and_the_folds() -> None:
    assert circumstances(EmotionTrainingOptions) - circumstances() == {"train_folds"}


@pytest.mark.parametrize(
    ("names", "weights"),
    [
        (("hap", "sad", "neu", "ang", "exc", "fru"), (11.471, 6.857, 4.352, 6.739, 7.140, 4.020)),
        (("neutral", "fear"), (0.756, 3.645)),  # ln(13708 / 6436) and so on
    ],
)
def test_released_weights_are_those_of_all_splits(names: tuple[str, ...], weights: tuple[float, ...]) -> None:
    released = next(of for emotions, of in RELEASED_WEIGHTS.items() if emotions >= set(names))
    assert tuple(round(released[name], 3) for name in names) == weights
