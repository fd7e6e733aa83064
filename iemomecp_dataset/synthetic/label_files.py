"""Writes the label files ``labels/{train,valid,test}.json``: every candidate pair with all eight fields."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from iemomecp_dataset.overlay.chunks import EMO_CAUSE, EMO_CONTEXT, NON_PAIR
from iemomecp_dataset.schema import CONTEXT_SUBTYPES, ROLE_LABELS
from iemomecp_dataset.synthetic.dialogues import Dialogue
from iemomecp_dataset.synthetic.plan import ChunkPlan, PlannedPair

__all__ = ["write_label_file"]

FILE_NAMES = {"train": "train", "validation": "valid", "test": "test"}


def write_label_file(folder: Path, split: str, dialogues: Sequence[Dialogue], rng: random.Random) -> None:
    """Writes the labels of one split.

    Args:
        folder: Output folder ``labels``.
        split: Canonical split name.
        dialogues: Dialogues of the split.
        rng: Random generator of the labels' provenance.
    """
    name = FILE_NAMES[split]
    chunks = [
        {
            "dialogue_id": f"{dialogue.dialogue_id}__c{index:03d}",
            "num_utterances": len(chunk),
            "pairs": [_pair(target, cause, chunk.pairs.get((target, cause)), rng) for target, cause in _keys(chunk)],
        }
        for dialogue in dialogues
        for index, chunk in enumerate(dialogue.chunks, 1)
    ]
    content = {"dataset": "IEMO-MECP", "synthetic": True, "split": name, "splits": {name: chunks}}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(content) + "\n", encoding="utf-8")


def _keys(chunk: ChunkPlan) -> list[tuple[int, int]]:
    """Lists the complete lower triangle and the temporal exceptions, in order."""
    triangle = [(target, cause) for target in range(1, len(chunk) + 1) for cause in range(1, target + 1)]
    return sorted({*triangle, *chunk.pairs})


def _pair(target: int, cause: int, pair: PlannedPair | None, rng: random.Random) -> dict[str, Any]:
    role = NON_PAIR if pair is None else pair.role
    source_pair = pair is not None and pair.source_pair
    label = ROLE_LABELS[role]
    taxonomy = label
    if pair is None:
        source = "default_non_pair"
    elif (role == EMO_CAUSE and source_pair) and rng.random() < 0.42:
        source = "taxonomy_synthetic"
    else:
        source = "human_judge:synthetic_review.csv"
        if source_pair and role != EMO_CAUSE:
            taxonomy = ROLE_LABELS[EMO_CAUSE]
        elif role == EMO_CAUSE and not source_pair:
            taxonomy = ROLE_LABELS[EMO_CONTEXT]
    subtypes = list(pair.subtypes) if pair is not None else []
    return {
        "target_emotion_turn": target,
        "cause_turn": cause,
        "label_id": role,
        "label": label,
        "source": source,
        "taxonomy_label": taxonomy,
        "context_subtype_ids": subtypes,
        "context_subtypes": [CONTEXT_SUBTYPES[subtype] for subtype in subtypes],
    }
