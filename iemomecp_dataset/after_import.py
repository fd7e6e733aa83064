"""Runs a function on a module once it is imported, now or whenever that happens.

Registering a name with ``datasets`` and ``evaluate`` means wrapping one function of each. Importing them takes seconds
and may never be needed, so the wrapping waits for the import; the order of the two imports does not matter.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

__all__ = ["after_import"]


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
