"""Every example in a docstring runs, and gives the number that it shows."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import warnings
from types import ModuleType

import pytest

import iemomecp_dataset
import iemomecp_dataset.benchmark
import iemomecp_dataset.metrics
import iemomecp_dataset.trainers

PACKAGES = (iemomecp_dataset, iemomecp_dataset.benchmark, iemomecp_dataset.metrics, iemomecp_dataset.trainers)
# Scripts and apps that do something when they are imported.
NOT_IMPORTED = (".app", ".__main__", "trainers.fusion", "trainers.roberta", "trainers.wavlm", "trainers.clip")
MODULES = sorted(
    {
        info.name
        for package in PACKAGES
        for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
        if not info.name.endswith(NOT_IMPORTED)
    }
)


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    module: ModuleType = importlib.import_module(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        failures, _ = doctest.testmod(
            module, optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS, extraglobs=_names(name)
        )
    assert failures == 0


def _names(name: str) -> dict[str, object]:
    if ".trainers" not in name:
        return {}
    import numpy as np
    import torch

    return {"torch": torch, "np": np}


def test_there_are_modules_in_every_room() -> None:
    for package in PACKAGES:
        assert sum(name.startswith(f"{package.__name__}.") for name in MODULES) > 3


# Steps that read files or join others; tests of their own run them.
METRICS_WITHOUT_EXAMPLES = {
    "registration",
    "arguments.item_batches",
    "evaluation.aligned",
    "evaluation.candidate_scores",
    "evaluation.decision",
    "evaluation.emotions.evaluation",
    "evaluation.emotions.gold",
    "evaluation.emotions.report",
    "evaluation.evaluate",
    "evaluation.explanations.evaluation",
    "evaluation.explanations.gold",
    "evaluation.explanations.report",
    "evaluation.gold",
    "evaluation.prediction_columns",
    "evaluation.prediction_table",
    "evaluation.prediction_types",
    "evaluation.predictions",
    "evaluation.report",
    "evaluation.results",
    "evaluation.uncertainty",
    "explanations.learned",  # need a model, or a program of Java
    "explanations.meteor",
}


def test_every_module_of_arithmetic_shows_a_number() -> None:
    prefix = f"{iemomecp_dataset.metrics.__name__}."
    modules = {
        info.name.removeprefix(prefix)
        for info in pkgutil.walk_packages(iemomecp_dataset.metrics.__path__, prefix)
        if not info.ispkg and ".iemomecp_" not in info.name.removeprefix(prefix[:-1])
    }
    finder = doctest.DocTestFinder()
    without = {
        name
        for name in modules
        if not any(found.examples for found in finder.find(importlib.import_module(prefix + name)))
    }
    assert without <= METRICS_WITHOUT_EXAMPLES <= modules
