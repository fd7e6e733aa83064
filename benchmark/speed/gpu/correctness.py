"""Whether a GPU computes what the CPU does: the same seed and data, ten steps of training, and an evaluation.

Dropout is off, since each device draws its own random numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.benchmark.speed.gpu.parts import Part, Row
from iemomecp_dataset.benchmark.speed.gpu.training import prepared_training
from iemomecp_dataset.benchmark.speed.gpu.workload import Workload

if TYPE_CHECKING:
    import torch

__all__ = ["LOSS_TOLERANCE", "correctness_parts", "differing_scores"]

LOSS_TOLERANCE = 1e-3
"""Largest relative difference of the losses of ten steps."""

_STEPS = 10
_SHOWN = 5


def correctness_parts(work: Workload) -> Iterator[Part]:
    """Losses of ten steps and metrics after them, on the device and on the CPU."""
    name, folder = next(iter(work.encoders.items()))
    for mode in ("frozen", "trained"):
        yield Part("correctness", f"{name}, {mode}", _compared(work, name, folder, mode))


@dataclass(frozen=True)
class _Trained:
    """What ten steps give on one device."""

    losses: list[float]
    probabilities: NDArray[np.float64]
    scores: dict[str, Any]


def _compared(work: Workload, name: str, folder: Callable[[], Path], mode: str) -> Callable[[], Iterator[Row]]:
    def rows() -> Iterator[Row]:
        import torch

        cpu = _trained(work, folder(), mode, torch.device("cpu"))
        device = _trained(work, folder(), mode, work.device)
        losses = max(abs(a - b) / abs(b) for a, b in zip(device.losses, cpu.losses, strict=True))
        said = "equal by construction: both are the CPU" if work.device.type == "cpu" else ""
        yield Row(
            f"losses of {_STEPS} steps, {name} {mode}, fp32: largest relative difference from the CPU",
            losses,
            "",
            "tolerance",
            LOSS_TOLERANCE,
            "smaller",
            said or ("within it" if losses <= LOSS_TOLERANCE else "BEYOND IT"),
        )
        apart = float(np.abs(device.probabilities - cpu.probabilities).max())
        decided = [found.probabilities.argmax(axis=1) for found in (device, cpu)]
        flipped = int((decided[0] != decided[1]).sum())
        yield Row(
            f"probabilities of {len(cpu.probabilities):,} pairs after them: largest difference from the CPU",
            apart,
            note=f"{flipped} pairs with another most probable class",
            unit="",
        )
        differing = differing_scores(device.scores, cpu.scores)
        yield Row(
            f"metrics that differ from those of the CPU, of {len(cpu.scores)}",
            len(differing),
            "",
            note="; ".join(differing[:_SHOWN]) or "none",
        )

    return rows


def differing_scores(ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    """Names of numbers that are not equal, with both values; NaN equals NaN.

    Example:
        >>> differing_scores({"pair_f1": 0.5, "macro_f1": 0.25}, {"pair_f1": 0.5, "macro_f1": 0.26})
        ['macro_f1: 0.25, on the CPU 0.26']
    """
    return [
        f"{name}: {value:.6g}, on the CPU {theirs[name]:.6g}"
        for name, value in ours.items()
        if isinstance(value, (int, float)) and not np.array_equal(value, theirs[name], equal_nan=True)
    ]


def _trained(work: Workload, encoder: Path, mode: str, device: torch.device) -> _Trained:
    from iemomecp_dataset.metrics.scoring import pair_scores
    from iemomecp_dataset.trainers.run_folder import RunFolder
    from iemomecp_dataset.trainers.training.loop import score_examples, training_steps

    # The rates of learning are those of a long run from its first step on.
    asked = {"encoder_mode": mode, "warmup_ratio": 0.0, "mixed_precision": "no"}
    with prepared_training(work, encoder, device, **asked) as (accelerator, task, options):
        _without_dropout(task.model)
        steps: Any = training_steps(accelerator, task, options, RunFolder(work.folder / "run"))
        losses = list(islice(steps, _STEPS))
        steps.close()
        found = score_examples(accelerator, task.strategy, task.model, task.examples["validation"], batch_size=8)
    scores = pair_scores(
        found.probabilities, work.corpus.tables["validation"].labels, work.corpus.class_names, threshold=None
    )
    return _Trained(losses, found.probabilities, dict(scores))


def _without_dropout(model: torch.nn.Module) -> None:
    """Turns dropout off, also that of attention, which modules hold as a number."""
    from torch import nn

    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        if hasattr(module, "attention_dropout"):
            setattr(module, "attention_dropout", 0.0)  # noqa: B010 - torch declares attributes as modules
