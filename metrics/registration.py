"""Makes ``evaluate.load("iemomecp_pair_f1")`` work by name, offline, from any directory.

``evaluate`` looks names up on the Hub alone, so its look-up is wrapped for our one name. Importing ``evaluate`` takes
seconds and the plain scoring functions do not need it; so it is not imported here: the wrapper is put in place when
``evaluate`` is there, now or later.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

__all__ = ["METRIC_NAME", "register_with_evaluate"]

METRIC_NAME = "iemomecp_pair_f1"
"""The name ``evaluate.load`` takes."""

_MODULE = f"iemomecp_dataset.metrics.{METRIC_NAME}.{METRIC_NAME}"
_LOOKUP_MODULE = "evaluate.loading"
_LOOKUP = "evaluation_module_factory"


def register_with_evaluate() -> None:
    """Registers the metric with ``evaluate``, at once if it is imported, else when it will be.

    Calling it again changes nothing.
    """
    imported = sys.modules.get(_LOOKUP_MODULE)
    if imported is not None and hasattr(imported, _LOOKUP):
        _wrap_lookup(imported)
    elif not any(isinstance(finder, _AfterImport) for finder in sys.meta_path):
        sys.meta_path.insert(0, _AfterImport())


class _AfterImport(MetaPathFinder):
    """Lets the ordinary finders find ``evaluate.loading`` and wraps its look-up once it has run."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != _LOOKUP_MODULE:
            return None
        for finder in sys.meta_path:
            spec = None if isinstance(finder, _AfterImport) else finder.find_spec(fullname, path, target)
            if spec is not None and spec.loader is not None:
                # On this loader alone, so that its type, and all that asks for source or resources, stay the same.
                run_module = spec.loader.exec_module

                def run_and_wrap(module: ModuleType, run_module: Any = run_module) -> None:
                    run_module(module)
                    _wrap_lookup(module)

                spec.loader.exec_module = run_and_wrap  # type: ignore[method-assign]
                return spec
        return None


def _wrap_lookup(loading: ModuleType) -> None:
    original = getattr(loading, _LOOKUP)
    if getattr(original, "knows_iemomecp", False):
        return

    def evaluation_module_factory(path: str, *args: Any, **kwargs: Any) -> Any:
        if path == METRIC_NAME:
            return loading.ImportableModule(_MODULE, _code_hash())
        return original(path, *args, **kwargs)

    evaluation_module_factory.__doc__ = original.__doc__
    evaluation_module_factory.knows_iemomecp = True  # type: ignore[attr-defined]
    setattr(loading, _LOOKUP, evaluation_module_factory)
    # This module holds a copy of the function where it was imported before.
    inspect_module = sys.modules.get("evaluate.inspect")
    if inspect_module is not None and getattr(inspect_module, _LOOKUP, None) is original:
        setattr(inspect_module, _LOOKUP, evaluation_module_factory)


def _code_hash() -> str:
    folder = Path(__file__).parent
    digest = hashlib.sha256()
    for name in (f"{METRIC_NAME}/{METRIC_NAME}.py", "scoring.py", "turn_sets.py"):
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()
