"""Registers this package's names with other libraries, now or as soon as those are imported.

``datasets`` has had no loading scripts since 4.0 and no entry points, so a name is known only when code of ours has
run. We wrap the one function that turns a name into a builder module, for our name alone.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

__all__ = ["BUILDER_MODULE", "DATASET_NAME", "after_import", "register"]

DATASET_NAME = "iemomecp"
"""The name that ``datasets.load_dataset`` is given."""

BUILDER_MODULE = "iemomecp_dataset.builder"
"""The module that holds the dataset builder."""

_MARK = "_iemomecp_registered"


def register() -> None:
    """Registers :data:`DATASET_NAME` with ``datasets``, now or as soon as that is imported; again does no harm."""
    after_import("datasets.load", "dataset_module_factory", _wrap)


def _wrap(load: ModuleType) -> None:
    original = load.dataset_module_factory
    if getattr(original, _MARK, False):
        return

    @functools.wraps(original)
    def dataset_module_factory(path: str, *args: Any, **kwargs: Any) -> Any:
        if path != DATASET_NAME:
            return original(path, *args, **kwargs)
        from iemomecp_dataset.fingerprints import code_fingerprint

        return load.DatasetModule(BUILDER_MODULE, code_fingerprint(), {"dataset_name": DATASET_NAME})

    setattr(dataset_module_factory, _MARK, True)
    # `datasets.inspect` (and the command line) hold copies of the function under the same name.
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "datasets" and vars(module).get("dataset_module_factory") is original:
            module.dataset_module_factory = dataset_module_factory  # type: ignore[attr-defined]


def after_import(module_name: str, attribute: str, action: Callable[[ModuleType], None]) -> None:
    """Calls ``action(module)``: at once where the module is imported, else as soon as it has run.

    Args:
        module_name: Full name of the module.
        attribute: Something that the module has once it has run. A module in the middle of its own import is found
            among the imported ones without it.
        action: What to do; it must bear being called twice.
    """
    imported = sys.modules.get(module_name)
    if imported is not None and hasattr(imported, attribute):
        action(imported)
    elif not any(isinstance(finder, _Watcher) and finder.module_name == module_name for finder in sys.meta_path):
        sys.meta_path.insert(0, _Watcher(module_name, action))


class _Watcher(MetaPathFinder):
    """Lets the ordinary finders find one module, and acts once it has run."""

    def __init__(self, module_name: str, action: Callable[[ModuleType], None]):
        self.module_name = module_name
        self.action = action

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self.module_name:
            return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(fullname, path, target)
            if spec is None or spec.loader is None:
                continue
            # On this loader object alone, so that its type, and all that asks for source or resources, stay the same.
            # The finder stays, too: a module that is reloaded is acted on again.
            spec.loader.exec_module = partial(_run_and_act, spec.loader.exec_module, self.action)  # type: ignore[method-assign]
            return spec
        return None


def _run_and_act(
    run_module: Callable[[ModuleType], None], action: Callable[[ModuleType], None], module: ModuleType
) -> None:
    run_module(module)
    action(module)
