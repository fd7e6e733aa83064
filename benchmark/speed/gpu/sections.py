"""The sections of ``make bench-gpu``, in the order in which they run: the most important first."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from iemomecp_dataset.benchmark.speed.gpu.correctness import correctness_parts
from iemomecp_dataset.benchmark.speed.gpu.extraction import extraction_parts
from iemomecp_dataset.benchmark.speed.gpu.parts import Part
from iemomecp_dataset.benchmark.speed.gpu.prediction import prediction_parts
from iemomecp_dataset.benchmark.speed.gpu.training import compile_parts, precision_parts, share_parts, training_parts
from iemomecp_dataset.benchmark.speed.gpu.workload import Workload

__all__ = ["SECTIONS"]

SECTIONS: dict[str, Callable[[Workload], Iterable[Part]]] = {
    "correctness": correctness_parts,
    "training": training_parts,
    "precision": precision_parts,
    "share": share_parts,
    "extraction": extraction_parts,
    "predict": prediction_parts,
    "compile": compile_parts,
}
"""The functions that list the parts of each section, by the name that ``--only`` takes.

Compiling comes last, since its time cannot be foreseen.
"""
