"""The course of a training run, read from its ``log.jsonl``."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Epoch", "read_epochs"]


@dataclass(frozen=True)
class Epoch:
    """One finished epoch.

    Attributes:
        number: Counted from 1.
        step: Optimizer steps done by its end.
        train_loss: Mean training loss; NaN when not logged.
        losses: The parts of the loss, by name.
        validation: Validation scores, by name; NaN where undefined.
        seconds: Duration; NaN when not logged.
    """

    number: int
    step: int
    train_loss: float
    losses: Mapping[str, float] = field(default_factory=dict)
    validation: Mapping[str, float] = field(default_factory=dict)
    seconds: float = math.nan


def read_epochs(path: str | Path) -> list[Epoch]:
    """Reads the epochs of a log.

    Lines of other events are skipped, and so are lines that no run writes and a last line that was cut off when the run
    was killed. An epoch that was
    repeated after an interruption counts once, as logged last.

    Args:
        path: ``log.jsonl``; a missing file counts as an empty log.

    Returns:
        The epochs, in order.
    """
    path = Path(path)
    if not path.is_file():
        return []
    epochs: dict[int, Epoch] = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            event = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(event, dict) and event.get("event") == "epoch" and isinstance(event.get("epoch"), int):
            number = event["epoch"]
            epochs[number] = Epoch(
                number=number,
                step=event["step"] if isinstance(event.get("step"), int) else 0,
                train_loss=_number(event.get("train_loss")),
                losses=_numbers(event.get("losses")),
                validation=_numbers(event.get("validation")),
                seconds=_number(event.get("seconds")),
            )
    return [epochs[number] for number in sorted(epochs)]


def _numbers(values: Any) -> dict[str, float]:
    if not isinstance(values, dict):
        return {}
    return {str(key): _number(value) for key, value in values.items() if not isinstance(value, dict | list)}


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else math.nan
