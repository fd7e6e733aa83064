"""The registry of scorers: what an entry must have, and which objectives it takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from transformers import BertModel, PreTrainedConfig, PreTrainedModel

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.trainers import scorers
from iemomecp_dataset.trainers.options import TrainingOptions
from iemomecp_dataset.trainers.scorers import Scorer, find_scorer, register_scorer


@pytest.fixture(name="registry", autouse=True)
def fixture_registry(monkeypatch: pytest.MonkeyPatch) -> dict[str, Scorer]:
    """An empty registry of custom scorers."""
    registry: dict[str, Scorer] = {}
    monkeypatch.setattr(scorers, "_registered", registry)
    return registry


def _model(name: str = "Model", **attributes: object) -> Any:
    config = type(f"{name}Config", (PreTrainedConfig,), {"model_type": "a_model_of_ones_own"})
    return type(name, (PreTrainedModel,), {"config_class": config, **attributes})


@pytest.mark.parametrize(
    ("name", "model", "message"),
    [
        ("mine", lambda: type("Model", (PreTrainedModel,), {}), "needs a config_class"),
        ("mine", lambda: BertModel, "is one of transformers"),
        ("dialogue", lambda: BertModel, "is one of this package"),
        ("dialogue", _model, "is one of this package. Choose another name"),
    ],
)
def test_scorers_that_clash_are_refused(name: str, model: Callable[[], type], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        register_scorer(Scorer(name, "a scorer", model()))


def test_only_the_same_class_defined_again_replaces_an_entry() -> None:
    register_scorer(Scorer("mine", "first", _model()))
    again = _model()
    register_scorer(Scorer("mine", "second", again))
    assert find_scorer("mine").model_class is again
    for other in (_model("Other"), _model(__module__="elsewhere")):
        with pytest.raises(UsageError, match=r"belongs to the scorer of \S+\.Model\. Choose another name for"):
            register_scorer(Scorer("mine", "third", other))
    assert find_scorer("mine").model_class is again


def test_objectives_of_an_own_scorer_are_those_that_its_entry_names() -> None:
    register_scorer(Scorer("plain", "without a cause head", _model()))
    asked = {"scorer": "plain", "data_dir": "d", "output_dir": "o"}
    TrainingOptions.from_flat(asked).check()
    message = "--scorer plain cannot be trained with --objective cdmr; the objectives that it takes: base. Use"
    with pytest.raises(UsageError, match=message):
        TrainingOptions.from_flat({**asked, "objective": "cdmr"}).check()
    register_scorer(Scorer("plain", "with a cause head", _model(), objectives=("base", "cdmr")))
    TrainingOptions.from_flat({**asked, "objective": "cdmr"}).check()
