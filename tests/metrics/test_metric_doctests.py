"""Every module of arithmetic shows a number; that the examples give it is tested for all packages at once."""

import doctest
import importlib
import pkgutil

import pytest

import iemomecp_dataset.metrics

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
MODULES = [module.name for module in pkgutil.iter_modules(iemomecp_dataset.metrics.__path__) if not module.ispkg]


@pytest.mark.parametrize("name", sorted(set(MODULES) - WITHOUT_EXAMPLES))
def test_module_shows_an_example(name):
    module = importlib.import_module(f"iemomecp_dataset.metrics.{name}")
    assert sum(len(found.examples) for found in doctest.DocTestFinder().find(module)) > 0


def test_the_list_of_modules_without_examples_is_current():
    assert set(MODULES) >= WITHOUT_EXAMPLES
