"""Makes ``evaluate.load("iemomecp_pair_f1")`` work by name, offline, from any directory.

``evaluate`` looks names up on the Hub alone, so its look-up is wrapped for our one name. Importing ``evaluate`` takes
seconds and the plain scoring functions do not need it, so it is not imported here: the wrapper is installed when
``evaluate`` has been imported, now or later.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from iemomecp_dataset.registration import after_import

__all__ = ["METRIC_NAME", "register_with_evaluate"]

METRIC_NAME = "iemomecp_pair_f1"
"""The name ``evaluate.load`` takes."""

_MODULE = f"iemomecp_dataset.metrics.{METRIC_NAME}.{METRIC_NAME}"
_LOOKUP_MODULE = "evaluate.loading"
_LOOKUP = "evaluation_module_factory"


def register_with_evaluate() -> None:
    """Registers the metric with ``evaluate``, at once if that is imported, else as soon as it is.

    Calling it again has no effect.
    """
    after_import(_LOOKUP_MODULE, _LOOKUP, _wrap_lookup)


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
    for name in (f"{METRIC_NAME}/{METRIC_NAME}.py", "scoring.py", "turn_scores.py"):
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()
