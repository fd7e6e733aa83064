"""The registry of scorers: what an entry must have; an entry of one's own, as the documentation writes it."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from scorer_case import TEXT_SIZE, ScorerCase, dialogue_task
from transformers import BertModel, PreTrainedConfig, PreTrainedModel

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.trainers import scorers
from iemomecp_dataset.trainers.options import TrainingOptions
from iemomecp_dataset.trainers.scorers import Scorer, find_scorer, register_scorer
from iemomecp_dataset.trainers.training.task import Batch, TrainingTask


@pytest.fixture
def _empty_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """No scorers but the package's own."""
    monkeypatch.setattr(scorers, "_registered", {})


def _model(name: str = "Model", **attributes: object) -> Any:
    config = type(f"{name}Config", (PreTrainedConfig,), {"model_type": "a_model_of_ones_own"})
    return type(name, (PreTrainedModel,), {"config_class": config, **attributes})


@pytest.mark.usefixtures("_empty_registry")
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


@pytest.mark.usefixtures("_empty_registry")
@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("nosuch.module:Model", "there is no module 'nosuch'. Check the spelling"),
        ("transformers.nosuch:Model", "there is no module 'transformers.nosuch'"),
        ("transformers:BertModle", "has no 'BertModle'. Did you mean .*'BertModel'"),
        ("transformers", "must have the form 'module:attribute'"),
    ],
)
def test_a_model_class_that_cannot_be_found_is_refused(model: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        register_scorer(Scorer("mine", "a scorer", model))


@pytest.mark.usefixtures("_empty_registry")
def test_a_package_that_the_module_of_a_model_lacks_stays_the_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "module_of_a_model.py").write_text("import nosuch_package")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="nosuch_package"):
        register_scorer(Scorer("mine", "a scorer", "module_of_a_model:Model"))


@pytest.mark.usefixtures("_empty_registry")
@pytest.mark.parametrize(
    ("objectives", "message"),
    [
        (("base", "rpclx"), "the objective 'rpclx', which does not exist. Did you mean 'rpcl'"),
        ("base", "must be a tuple of at least one name"),
        ((), "must be a tuple of at least one name"),
    ],
)
def test_objectives_that_do_not_exist_are_refused(objectives: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        register_scorer(Scorer("mine", "a scorer", _model(), objectives=objectives))


@pytest.mark.usefixtures("_empty_registry")
def test_only_the_same_class_defined_again_replaces_an_entry() -> None:
    register_scorer(Scorer("mine", "first", _model()))
    again = _model()
    register_scorer(Scorer("mine", "second", again))
    assert find_scorer("mine").model_class is again
    for other in (_model("Other"), _model(__module__="elsewhere")):
        with pytest.raises(UsageError, match=r"belongs to the scorer of \S+\.Model\. Choose another name for"):
            register_scorer(Scorer("mine", "third", other))
    assert find_scorer("mine").model_class is again


@pytest.mark.usefixtures("_empty_registry")
def test_objectives_of_an_own_scorer_are_those_that_its_entry_names() -> None:
    register_scorer(Scorer("plain", "without a cause head", _model()))
    asked = {"scorer": "plain", "data_dir": "d", "output_dir": "o"}
    TrainingOptions.from_flat(asked).check()
    message = "--scorer plain cannot be trained with --objective cdmr; the objectives that it takes: base. Use"
    with pytest.raises(UsageError, match=message):
        TrainingOptions.from_flat({**asked, "objective": "cdmr"}).check()
    register_scorer(Scorer("plain", "with a cause head", _model(), objectives=("base", "cdmr")))
    TrainingOptions.from_flat({**asked, "objective": "cdmr"}).check()


def test_what_an_entry_takes_and_gives_has_types() -> None:
    for method in (Scorer.load_model_class, Scorer.load_config_class, Scorer.build_task, Scorer.build_inference_task):
        assert "Any" not in method.__annotations__.values(), method.__name__


@functools.cache
def model_of(page: Path) -> tuple[dict[str, Any], str]:
    """What the page's first block defines, once in a process as AutoModel knows it then; and its second block."""
    model, entry = re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S)[:2]
    names: dict[str, Any] = {"__name__": __name__}
    exec(compile(model, page, "exec", dont_inherit=True), names)
    return names, entry


@pytest.fixture(scope="module")
def page(repository: Path) -> Iterator[dict[str, Any]]:
    """What the page defines, registered while these tests run."""
    names, entry = model_of(repository / "docs" / "own-scorer.md")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(scorers, "_registered", {})
        exec(entry, names)
        yield names


class TestScorerOfOnesOwn(ScorerCase):
    name = "linear"
    has_loss = False

    @pytest.fixture
    def task(self, page: dict[str, Any]) -> TrainingTask:
        torch.manual_seed(0)
        config = page["LinearConfig"](class_names=["pair", "non_pair"], text_size=TEXT_SIZE)
        return dialogue_task(page["LinearScorer"](config))

    def inputs(self, batch: Batch) -> dict[str, Any]:
        return {name: batch[name] for name in ("mask", "text")}
