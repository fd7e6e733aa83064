"""Every example in the metric package and its card runs and prints what it says."""

import doctest
import importlib
import pkgutil

import pytest

import iemomecp_dataset.metrics

MODULES = [
    f"iemomecp_dataset.metrics.{module.name}"
    for module in pkgutil.iter_modules(iemomecp_dataset.metrics.__path__)
    if not module.ispkg
]
# They read files or join steps; tests of their own run them.
WITHOUT_EXAMPLES = {
    "candidate_evaluation",
    "evaluation",
    "evaluation_report",
    "file_evaluation",
    "gold_split",
    "predictions_file",
    "registration",
    "scored_candidates",
    "semeval_evaluation",
}


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_module(name):
    results = doctest.testmod(importlib.import_module(name))
    assert results.failed == 0
    assert results.attempted or name.rpartition(".")[2] in WITHOUT_EXAMPLES
