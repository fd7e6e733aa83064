"""Lazy public names, on a made-up package."""

from __future__ import annotations

import importlib
import pickle
import sys

import dill
import pytest

from iemomecp_dataset.errors import MissingDependencyError

INIT = """
from iemomecp_dataset.lazy import attach

__all__ = ["version", "train", "room", "needs_torch", "defective"]
version = 1
private = 2
attach(
    __name__,
    {
        "train": f"{__name__}.training",
        "needs_torch": f"{__name__}.torch_user",
        "defective": f"{__name__}.defect",
        "refused": f"{__name__}.refusal",
    },
    subpackages=("room",),
    extra="train",
)
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    name = f"package_{tmp_path.name}"
    files = {
        "__init__.py": INIT,
        "training.py": "def train():\n    return 'trained'\n",
        "train.py": "value = 'a submodule of the same name'\n",
        "room/__init__.py": "door = 'open'\n",
        "torch_user.py": "import no_such_torch\n",
        "defect.py": "from iemomecp_dataset.errors import no_such_name\n",
        "refusal.py": "from iemomecp_dataset.errors import missing_extra\nraise missing_extra('av', 'media')\n",
    }
    for path, text in files.items():
        (tmp_path / name / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name / path).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module(name)
    for module in [module for module in sys.modules if module.partition(".")[0] == name]:
        del sys.modules[module]


def loaded(package):
    return {name.partition(".")[2] for name in sys.modules if name.startswith(f"{package.__name__}.")}


def test_names_and_subpackages_are_imported_when_they_are_used(package):
    assert loaded(package) == set()
    assert package.train() == "trained"
    assert loaded(package) == {"training"}
    assert package.room.door == "open"
    assert package.version == 1


def test_dir_lists_the_public_names_alone(package):
    public = ["defective", "needs_torch", "room", "train", "version"]
    assert dir(package) == public
    package.train()
    importlib.import_module(f"{package.__name__}.training")
    assert dir(package) == public


@pytest.mark.parametrize("submodule_first", [True, False])
def test_a_public_name_wins_over_a_submodule_of_the_same_name(package, submodule_first):
    if not submodule_first:
        assert package.train() == "trained"
    submodule = importlib.import_module(f"{package.__name__}.train")
    assert submodule.value == "a submodule of the same name"
    assert package.train() == "trained"
    names: dict[str, object] = {}
    exec(f"import {package.__name__}.train\nfrom {package.__name__} import train", names)
    assert names["train"] is package.train
    assert callable(names["train"])


def test_submodules_are_imported_as_from_any_package(package):
    names: dict[str, object] = {}
    exec(f"from {package.__name__} import training, room", names)
    assert names["training"] is package.training
    assert names["room"] is package.room


def test_a_package_is_pickled_by_its_name(package):
    before = pickle.dumps(package)
    package.train()
    assert pickle.dumps(package) == before, "what was used of it is no part of it"
    assert pickle.loads(before) is package
    assert dill.loads(dill.dumps(lambda: package))() is package


def test_an_unknown_name_is_an_attribute_error(package):
    assert not hasattr(package, "trian")
    with pytest.raises(AttributeError, match=f"module '{package.__name__}' has no attribute 'trian'"):
        _ = package.trian


def test_a_missing_dependency_is_answered_with_its_extra_and_a_defect_is_not(package):
    with pytest.raises(MissingDependencyError, match=r"'no_such_torch'.*\[train\]"):
        _ = package.needs_torch
    with pytest.raises(MissingDependencyError, match=r"'av'.*\[media\]"):
        _ = package.refused
    with pytest.raises(ImportError, match="no_such_name") as caught:
        _ = package.defective
    assert not isinstance(caught.value, MissingDependencyError)


def test_a_name_can_be_replaced_as_in_any_module(package, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(package, "train", lambda: "patched")
        assert package.train() == "patched"
    assert package.train() == "trained"


def test_a_reloaded_package_keeps_its_names(package):
    importlib.import_module(f"{package.__name__}.train")
    assert importlib.reload(package).train() == "trained"
