"""Makes ``load_dataset("iemomecp")`` find this package.

``datasets`` has had no loading scripts since 4.0 and no entry points, so a name is known only when code of ours has
run. We wrap the one function that turns a name into a builder module, for our name alone.
"""

from __future__ import annotations

import functools
import sys
from types import ModuleType
from typing import Any

from iemomecp_dataset.after_import import after_import

__all__ = ["BUILDER_MODULE", "DATASET_NAME", "register"]

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
