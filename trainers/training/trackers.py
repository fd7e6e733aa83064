"""Trackers that get a copy of a run's log: what each one needs, and the names that its numbers have there.

``docs/trackers.md`` lists the names.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from accelerate.tracking import get_available_trackers

from iemomecp_dataset.errors import MissingDependencyError, missing_extra

__all__ = ["EXTRAS", "PROJECT", "names_of_run", "require_tracker", "tracked"]

PROJECT = "iemomecp"
"""The project, or for TensorBoard the folder, that a tracker puts the runs of this package in."""

EXTRAS = ("tensorboard", "trackio", "wandb")
"""Trackers that this package has an extra of the same name for."""


def require_tracker(name: str | None) -> None:
    """Refuses a tracker that is not installed: accelerate leaves it out without a word, and the run is not tracked.

    Args:
        name: The tracker, as ``--log_with`` names it, or None.

    Raises:
        MissingDependencyError: Its package is not installed, or is one that accelerate cannot use.
    """
    if name is None or name in {str(tracker) for tracker in get_available_trackers()}:
        return
    if name in EXTRAS:
        raise missing_extra(name, name)
    package = name.replace("_", "-")
    raise MissingDependencyError(
        f"--log_with {name} needs the package {package!r}, which is not installed. Run: pip install {package}"
    )


def names_of_run(folder: Path) -> dict[str, dict[str, Any]]:
    """Arguments that give a run its folder's name in the trackers that would make up one.

    Args:
        folder: The run folder.

    Returns:
        By tracker, as ``Accelerator.init_trackers`` takes them.

    Example:
        >>> names_of_run(Path("runs/rpcl-42"))["wandb"]
        {'name': 'rpcl-42'}
    """
    name = folder.resolve().name
    return {"wandb": {"name": name}, "trackio": {"name": name}}


def tracked(
    losses: Mapping[str, float], split: str, scores: Mapping[str, float], loss: float | None, learning_rate: float
) -> dict[str, float]:
    """The numbers of an epoch by the names that trackers get; they group names by what stands before the slash.

    Args:
        losses: Means of the weighted loss terms over the epoch.
        split: The split that the epoch is chosen on.
        scores: Scores on that split; empty without one.
        loss: Loss on that split, where it has been computed.
        learning_rate: Rate after the epoch, of the last group of parameters.

    Returns:
        Numbers by name; what has not been computed is absent.

    Example:
        >>> numbers = tracked({"supervised": 0.5, "ranking": 0.25}, "validation", {"pair_f1": 0.4}, None, 1e-3)
        >>> list(numbers)
        ['train/loss', 'train/supervised', 'train/ranking', 'learning_rate', 'validation/pair_f1']
        >>> numbers["train/loss"]
        0.75
    """
    numbers = {"train/loss": sum(losses.values())}
    numbers |= {f"train/{term}": value for term, value in losses.items()}
    numbers["learning_rate"] = learning_rate
    numbers |= {f"{split}/{name}": value for name, value in scores.items()}
    if loss is not None:
        numbers[f"{split}/loss"] = loss
    return numbers
