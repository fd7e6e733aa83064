"""Reads what the launcher of HiLo writes: probability and decision of every pair, on validation or test.

A JSON object: ``format`` 1, ``peer`` hilo, ``split``, ``printed`` (precision, recall, F1 and their scale, or null) and
``dialogues``, each with its ``id`` and square matrices by target (row) and cause (column), 0-based: ``probability``,
``decision``, and ``scored``, 0 where HiLo left the pair out: a cause after its target, or a pair that its filter drops.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.benchmark.peers.imports.outputs import (
    DROPPED,
    FUTURE,
    SCORED,
    DialogueOutput,
    PeerOutput,
    check_dialogues,
)
from iemomecp_dataset.benchmark.peers.manifest import Manifest
from iemomecp_dataset.errors import InvalidDataError, UsageError
from iemomecp_dataset.excerpts import excerpt
from iemomecp_dataset.field_checks import json_kind
from iemomecp_dataset.files import read_json

__all__ = ["HILO_THRESHOLD", "read_hilo_output"]

HILO_THRESHOLD = 0.5
"""A pair is predicted iff its probability is at least this: HiLo's own decision."""

_FORMAT = 1
_PRINTED = ("precision", "recall", "f1")


def read_hilo_output(path: Path, manifest: Manifest) -> PeerOutput:
    """Reads one file of the launcher.

    Args:
        path: ``hilo_test.json`` or ``hilo_validation.json``.
        manifest: The manifest of the export that HiLo was started on.

    Returns:
        Its decisions.

    Raises:
        MissingDataError: There is no such file.
        InvalidDataError: It is no file of the launcher, or of other dialogues.
        UsageError: It is of train.
    """
    content = read_json(path)
    if not isinstance(content, dict) or content.get("format") != _FORMAT or content.get("peer") != "hilo":
        found = content.get("format") if isinstance(content, dict) else json_kind(content)
        raise InvalidDataError(
            f"{path}: not what the launcher of HiLo writes: expected 'peer': 'hilo' and 'format': {_FORMAT}, found "
            f"format {excerpt(found)!r}. HiLo itself writes no predictions; start it with launch_hilo.py."
        )
    split = content.get("split")
    if split not in ("validation", "test"):
        raise UsageError(f"{path}: its split is {excerpt(split)!r}; runs are scored on validation and test.")
    expected = manifest.splits.get(split, ())
    entries = content.get("dialogues")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) and "id" in entry for entry in entries):
        raise InvalidDataError(f"{path}: 'dialogues' must be a list of objects with an 'id'. Start the launcher again.")
    by_id = {str(entry["id"]): entry for entry in entries}
    check_dialogues(path, [str(entry["id"]) for entry in entries], expected, split)
    return PeerOutput(
        path=path,
        split=split,
        dialogues=tuple(
            _dialogue(
                by_id[dialogue.peer_id], dialogue.dialogue_id, dialogue.n_turns, f"{path}, dialogue {dialogue.peer_id}"
            )
            for dialogue in expected
        ),
        printed=_printed(content.get("printed"), path),
        notes=_remarks(content.get("remarks"), path),
    )


def _dialogue(entry: dict[str, Any], dialogue_id: str, n_turns: int, where: str) -> DialogueOutput:
    probabilities = _matrix(entry, "probability", n_turns, where)
    if not ((probabilities >= 0) & (probabilities <= 1)).all():  # NaN too
        raise InvalidDataError(f"{where}: a probability is not within 0 and 1. Start the launcher again.")
    flags = {name: _matrix(entry, name, n_turns, where) for name in ("decision", "scored") if name in entry}
    for name, values in flags.items():
        if not np.isin(values, (0, 1)).all():
            raise InvalidDataError(f"{where}: {name!r} must hold 0 and 1 alone. Start the launcher again.")
    # A probability of exactly 0 is how the launcher says that a pair did not pass mask and filter.
    scored = flags["scored"] == 1 if "scored" in flags else probabilities > 0
    decided = probabilities >= HILO_THRESHOLD
    if "decision" in flags and (differing := int((decided != (flags["decision"] == 1)).sum())):
        raise InvalidDataError(
            f"{where}: on {differing} pairs its decision is not that its probability is at least {HILO_THRESHOLD}, "
            "which is how HiLo decides. The file is damaged, or another system wrote it."
        )
    if (decided & ~scored).any():
        target, cause = (int(turn) + 1 for turn in np.argwhere(decided & ~scored)[0])
        raise InvalidDataError(f"{where}: the pair ({target}, {cause}) is predicted, but is marked as not scored.")
    targets, causes = np.indices((n_turns, n_turns))
    if (scored & (causes > targets)).any():
        target, cause = (int(turn) + 1 for turn in np.argwhere(scored & (causes > targets))[0])
        raise InvalidDataError(
            f"{where}: the pair ({target}, {cause}) has a later cause and is marked as scored, but HiLo's mask leaves "
            "those out. Rows are targets and columns are causes: were they exchanged?"
        )
    reasons = np.where(scored, SCORED, np.where(causes > targets, FUTURE, DROPPED)).astype(np.int64)
    return DialogueOutput(dialogue_id, decided, reasons, probabilities)


def _matrix(entry: dict[str, Any], name: str, n_turns: int, where: str) -> NDArray[np.float64]:
    try:
        found = np.array(entry.get(name), dtype=np.float64)
    except (TypeError, ValueError):
        found = np.zeros(0)
    if found.shape != (n_turns, n_turns):
        shape = " x ".join(map(str, found.shape)) or json_kind(entry.get(name))
        raise InvalidDataError(
            f"{where}: {name!r} must be {n_turns} x {n_turns} numbers, one for each pair of the dialogue's {n_turns} "
            f"turns; found {shape}. Give the output of a HiLo that was started on that export."
        )
    return found


def _remarks(found: Any, path: Path) -> tuple[str, ...]:
    if found is None:
        return ()
    if not isinstance(found, list):
        raise InvalidDataError(
            f"{path}: 'remarks' must be a list, but is {json_kind(found)}. Start the launcher again."
        )
    return tuple(str(remark) for remark in found)


def _printed(found: Any, path: Path) -> dict[str, float]:
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise InvalidDataError(f"{path}: 'printed' must be an object or null, but is {json_kind(found)}.")
    numbers = {
        name: float(value)
        for name in (*_PRINTED, "scale")
        if isinstance(value := found.get(name), int | float) and not isinstance(value, bool)
    }
    scale = numbers.pop("scale", 100.0 if max(numbers.values(), default=0.0) > 1 else 1.0)
    if not scale > 0 or not all(np.isfinite(value) for value in numbers.values()):
        raise InvalidDataError(f"{path}: 'printed' holds numbers that are no scores. Start the launcher again.")
    return {name: value / scale for name, value in numbers.items()}
