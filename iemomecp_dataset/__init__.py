"""Dataset, metric, trainers and benchmark for multimodal emotion-cause pair extraction.

Importing this package registers the name ``iemomecp`` with ``datasets``::

    import iemomecp_dataset
    from datasets import load_dataset
    dataset = load_dataset("iemomecp", data_dir="local_data")

The import is light: ``datasets`` itself comes in with the first call that needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iemomecp_dataset.registration import register

if TYPE_CHECKING:
    from iemomecp_dataset.builder import load
    from iemomecp_dataset.rows import gold_pairs, is_synthetic, to_pairs

__all__ = ["__version__", "gold_pairs", "is_synthetic", "load", "to_pairs"]

__version__ = "0.1.0"

register()

_LAZY = {
    "gold_pairs": "iemomecp_dataset.rows",
    "is_synthetic": "iemomecp_dataset.rows",
    "load": "iemomecp_dataset.builder",
    "to_pairs": "iemomecp_dataset.rows",
}


def __getattr__(name: str) -> Any:
    """Imports a public function when it is first asked for."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(_LAZY[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
