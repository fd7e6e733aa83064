"""The files that are written: decisions of a split, and what was seen where none are found."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .data_files import Split
from .layouts import common_paths
from .printed_scores import PrintedScore
from .readings import Decisions
from .recorder import Pass, Recorder
from .search import Match, Search
from .watching import say

__all__ = ["INSPECTION_FILE", "inspection", "split_record", "write_json"]

INSPECTION_FILE = "hilo_inspection.json"


def split_record(split: Split, decisions: Decisions, match: Match, printed: PrintedScore | None) -> dict[str, Any]:
    """What is written of a split.

    Args:
        split: The split.
        decisions: Its decisions.
        match: The reading that made them.
        printed: The score that HiLo printed for them, or None.

    Returns:
        ``scored`` is 1 where a pair passes mask and filter, ``filtered`` where it passes the mask but not the filter.
    """
    parts = {
        "probability": split.matrices(decisions.probability),
        "decision": split.matrices(decisions.predicted.astype(int)),
        "scored": split.matrices((decisions.mask & decisions.kept).astype(int)),
        "filtered": split.matrices((decisions.mask & ~decisions.kept).astype(int)),
    }
    ends = np.cumsum(split.lengths)[:-1]
    for name, ids, sure in (
        ("emotion", decisions.emotion, match.emotion_is_sure),
        ("cause", decisions.cause, match.cause_is_sure),
    ):
        if ids is not None and sure:
            parts[name] = np.split(ids, ends)
    return {
        "format": 1,
        "peer": "hilo",
        "split": split.name,
        "printed": None
        if printed is None
        else {"precision": printed.precision, "recall": printed.recall, "f1": printed.f1, "scale": printed.scale},
        "reading": match.reading.in_words(),
        "remarks": match.remarks,
        "dialogues": [
            {"id": dialogue.id, **{name: values[number].tolist() for name, values in parts.items()}}
            for number, dialogue in enumerate(split.dialogues)
        ],
    }


def inspection(recorder: Recorder, passes: Mapping[str, Pass], search: Search, printed: Sequence[PrintedScore]) -> Any:
    """What the user needs to name values by hand: names, shapes and types, and the scores; no text of dialogues."""

    def described(value: Any) -> Any:
        if isinstance(value, list):
            return {"lists": len(value), "dtype": str(value[0].dtype)}
        return {"shape": list(value.shape), "dtype": str(value.dtype)}

    def names_of(current: Pass) -> list[str]:
        return sorted({type(call.module).__name__ for calls in current.calls for call in calls})

    names = {id(current): name for name, current in passes.items()}
    return {
        "format": 1,
        "peer": "hilo",
        "problem": search.problem,
        "printed": [
            {"precision": score.precision, "recall": score.recall, "f1": score.f1, "scale": score.scale}
            for score in printed
        ],
        "readings_tried": search.n_readings,
        "nearest": [
            {**reading.in_words(), "true_positives": counts[0], "predicted": counts[1], "gold": counts[2]}
            for _, reading, counts in search.nearest
        ],
        "passes": [
            {
                "split": names.get(id(current)),
                "steps": len(current.steps),
                "functions": current.where,
                "models": names_of(current),
                "values": {
                    path: [described(current.steps[0][path]), described(current.steps[-1][path])]
                    for path in common_paths(current.steps, ("",))
                },
            }
            for current in recorder.passes
        ],
        "all_passes": recorder.seen[-50:],
    }


def write_json(path: Path, content: Any) -> None:
    """Writes a file whole, or not at all."""
    part = path.with_name(path.name + ".part")
    with open(str(part), "w", encoding="utf-8") as file:
        json.dump(content, file, allow_nan=False)
    os.replace(str(part), str(path))  # noqa: PTH105  # as the rest of the launcher, for old Python
    say(f"wrote {path}")
