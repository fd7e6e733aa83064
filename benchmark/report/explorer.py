"""Packs the dialogues of a split for the explorer: gold roles, decisions and confidences."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.metrics.evaluation.predictions import Predictions

__all__ = ["explorer_data", "script_json"]


def explorer_data(
    systems: Sequence[tuple[str, Predictions]],
    texts: Mapping[str, Sequence[tuple[str, str]]] | None = None,
) -> dict[str, Any]:
    """Packs predictions into compact JSON-ready data.

    Pairs of a dialogue keep their row order. ``gold`` and ``decided`` hold one digit per pair, the class id;
    ``confidence`` holds two digits per pair: P(class 0) in percent, rounded down, at most 99.

    Args:
        systems: Name and predictions, all on the same pairs in the same order; at least one.
        texts: ``(speaker, text)`` in turn order by dialogue id, or None to include no text.

    Returns:
        ``{"classes", "systems", "dialogues": [{"id", "turns", "targets", "causes", "gold", "decided": [...],
        "confidence": [...], "lines"?}]}``, dialogues in the order of their first pair.
    """
    first = systems[0][1]
    names, starts, inverse = np.unique(first.dialogue_ids, return_index=True, return_inverse=True)
    order = np.argsort(starts)
    decided = [predictions.decided for _, predictions in systems]
    percents = [np.floor(100 * run.probabilities[:, 0]).clip(0, 99).astype(np.int64) for _, run in systems]
    pairs_of = np.split(np.argsort(inverse, kind="stable"), np.cumsum(np.bincount(inverse))[:-1])
    dialogues = []
    for number in order:
        here = pairs_of[number]
        targets, causes = first.target_turns[here], first.cause_turns[here]
        dialogue: dict[str, Any] = {
            "id": str(names[number]),
            "turns": int(max(targets.max(), causes.max())),
            "targets": targets.tolist(),
            "causes": causes.tolist(),
            "gold": _digits(first.labels[here], 1),
            "decided": [_digits(of_system[here], 1) for of_system in decided],
            "confidence": [_digits(of_system[here], 2) for of_system in percents],
        }
        if texts is not None and dialogue["id"] in texts:
            dialogue["lines"] = [list(line) for line in texts[dialogue["id"]]]
        dialogues.append(dialogue)
    return {
        "classes": list(first.class_names),
        "systems": [name for name, _ in systems],
        "dialogues": dialogues,
    }


def script_json(data: Any) -> str:
    r"""Encodes JSON for a ``<script>`` element, escaped so that the content cannot close the element.

    Example:
        >>> script_json(["</script>"])
        '["\\u003c/script>"]'
    """
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _digits(values: NDArray[np.int64], width: int) -> str:
    return "".join(str(value).zfill(width) for value in values.tolist())
