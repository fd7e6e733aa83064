"""Every module of arithmetic shows a number; that the examples give it is tested for all packages at once."""

import doctest
import importlib
import pkgutil

import pytest

import iemomecp_dataset.metrics

# Steps that read files or join others; tests of their own run them.
WITHOUT_EXAMPLES = {
    "registration",
    "evaluation.aligned",
    "evaluation.evaluate",
    "evaluation.gold",
    "evaluation.predictions",
    "evaluation.report",
    "evaluation.results",
}
PREFIX = "iemomecp_dataset.metrics."
MODULES = [
    module.name.removeprefix(PREFIX)
    for module in pkgutil.walk_packages(iemomecp_dataset.metrics.__path__, PREFIX)
    if not module.ispkg and ".iemomecp_pair_f1." not in module.name
]


@pytest.mark.parametrize("name", sorted(set(MODULES) - WITHOUT_EXAMPLES))
def test_module_shows_an_example(name):
    module = importlib.import_module(PREFIX + name)
    assert sum(len(found.examples) for found in doctest.DocTestFinder().find(module)) > 0


def test_the_list_of_modules_without_examples_is_current():
    assert set(MODULES) >= WITHOUT_EXAMPLES
