"""Dataset, metrics, trainers and benchmark for multimodal emotion-cause pair extraction.

Importing this package registers the dataset ``iemomecp`` with ``datasets``, the metrics with ``evaluate``, and the
models and the pipeline task ``emotion-cause-pairs`` with ``transformers``::

    import iemomecp_dataset
    from datasets import load_dataset
    dataset = load_dataset("iemomecp", data_dir="local_data")

The import is light: these libraries, and the names below, are imported when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iemomecp_dataset.lazy import attach
from iemomecp_dataset.registration import register

if TYPE_CHECKING:
    from iemomecp_dataset import benchmark, metrics, trainers
    from iemomecp_dataset.builder import load
    from iemomecp_dataset.errors import IemomecpError
    from iemomecp_dataset.pictures.pair_plot import plot_pairs
    from iemomecp_dataset.rejoining import whole_dialogues
    from iemomecp_dataset.rows import gold_pairs, is_synthetic, to_pairs

__all__ = [
    "IemomecpError",
    "__version__",
    "benchmark",
    "gold_pairs",
    "is_synthetic",
    "load",
    "metrics",
    "plot_pairs",
    "to_pairs",
    "trainers",
    "whole_dialogues",
]

__version__ = "0.1.0"

attach(
    __name__,
    {
        "IemomecpError": "iemomecp_dataset.errors",
        "gold_pairs": "iemomecp_dataset.rows",
        "is_synthetic": "iemomecp_dataset.rows",
        "load": "iemomecp_dataset.builder",
        "plot_pairs": "iemomecp_dataset.pictures.pair_plot",
        "to_pairs": "iemomecp_dataset.rows",
        "whole_dialogues": "iemomecp_dataset.rejoining",
    },
    subpackages=("benchmark", "metrics", "trainers"),
)
register()
