"""Makes ``load_dataset("iemomecp")`` find this package.

``datasets`` has had no loading scripts since 4.0 and no entry points, so a
name is known only when code of ours has run. We wrap the one function that
turns a name into a builder module, for our name alone. ``datasets`` itself is
not imported here: when it has not been imported yet, a finder waits for
``datasets.load`` and wraps the function as soon as that module has run, so
that the order of the two imports does not matter and ours stays light.
"""

from __future__ import annotations

import functools
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

__all__ = ["BUILDER_MODULE", "DATASET_NAME", "register"]

DATASET_NAME = "iemomecp"
"""The name that ``datasets.load_dataset`` is given."""

BUILDER_MODULE = "iemomecp_dataset.builder"
"""The module that holds the dataset builder."""

_WATCHED = "datasets.load"
_MARK = "_iemomecp_registered"


def register() -> None:
    """Registers :data:`DATASET_NAME` with ``datasets``, now or as soon as that is imported; again does no harm."""
    loaded = sys.modules.get(_WATCHED)
    # A module in the middle of its own import has no function yet; the finder's turn has passed then, too.
    if loaded is not None and hasattr(loaded, "dataset_module_factory"):
        _wrap(loaded)
    elif not any(isinstance(finder, _LoadWatcher) for finder in sys.meta_path):
        sys.meta_path.insert(0, _LoadWatcher())


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


class _LoadWatcher(importlib.abc.MetaPathFinder):
    """Lets ``datasets.load`` be found as always, and wraps its function once it has run."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != _WATCHED:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _WrappingLoader(spec.loader)
        return spec


class _WrappingLoader(importlib.abc.Loader):
    """Runs a module by its own loader, then registers our name in it."""

    def __init__(self, loader: importlib.abc.Loader) -> None:
        self._loader = loader

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        # The module keeps its genuine loader, so that pickling, reloading and reading its source work as always.
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        _wrap(module)
        sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _LoadWatcher)]
