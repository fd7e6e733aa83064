"""The course of a training run, read from its ``log.jsonl``."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from iemomecp_dataset.errors import InvalidDataError, MissingDataError
from iemomecp_dataset.files import parse_json, read_bytes

__all__ = ["Epoch", "read_epochs"]

_logger = logging.getLogger(__name__)


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

    Lines of other events are skipped, and so is a last line that was cut off when the run was killed. Damaged lines are
    skipped with a warning that counts them, and so is a log that cannot be read, a named pipe, say. An epoch that was
    repeated after an interruption counts once, as logged last.

    Args:
        path: ``log.jsonl``; a missing file counts as an empty log.

    Returns:
        The epochs, in order.
    """
    path = Path(path)
    if not os.path.lexists(path):
        return []
    try:
        content = read_bytes(path)
    except (MissingDataError, InvalidDataError) as error:
        _logger.warning("The run is shown without its learning curve: %s", error)
        return []
    epochs: dict[int, Epoch] = {}
    damaged = 0
    # A last line without an end is the one that was being written.
    *lines, last = content.decode("utf-8-sig", "replace").split("\n")
    for number, line in enumerate([*lines, last], start=1):
        try:
            event = parse_json(line, str(path), first_line=number)
        except InvalidDataError:
            damaged += number <= len(lines) and bool(line.strip())
            continue
        if isinstance(event, dict) and event.get("event") == "epoch" and _is_count(event.get("epoch")):
            number = event["epoch"]
            epochs[number] = Epoch(
                number=number,
                step=event["step"] if _is_count(event.get("step")) else 0,
                train_loss=_number(event.get("train_loss")),
                losses=_numbers(event.get("losses")),
                validation=_numbers(event.get("validation")),
                seconds=_number(event.get("seconds")),
            )
    if damaged:
        _logger.warning("%s: %d damaged lines are skipped.", path, damaged)
    return [epochs[number] for number in sorted(epochs)]


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and 0 <= value < _MOST


_MOST = 10**12
"""No run has as many epochs or steps; a larger number is damage, and would stretch the axis of a curve without end."""


def _numbers(values: Any) -> dict[str, float]:
    if not isinstance(values, dict):
        return {}
    return {str(key): _number(value) for key, value in values.items() if not isinstance(value, dict | list)}


def _number(value: Any) -> float:
    try:
        return float(value) if isinstance(value, int | float) else math.nan
    except OverflowError:  # an integer of hundreds of digits
        return math.nan
