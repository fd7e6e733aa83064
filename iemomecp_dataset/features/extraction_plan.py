"""Which utterances are encoded together, and which batches make a shard: fixed before anything is computed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.features.extraction_options import ExtractionOptions
from iemomecp_dataset.features.work_items import WorkItem
from iemomecp_dataset.files import write_bytes

__all__ = ["PLAN_NAME", "ExtractionPlan", "keep_plan", "plan_extraction", "read_plan"]

PLAN_NAME = "plan.json"
"""Kept in the store, so that an extraction goes on as it began even when media were mended in between."""


@dataclass(frozen=True)
class ExtractionPlan:
    """Shards of batches of utterance ids.

    The last bits of a vector depend on what it was computed with, so that a store that is made in one go and one that
    was interrupted can only be equal when the batches are.
    """

    shards: tuple[tuple[tuple[str, ...], ...], ...]

    def to_json(self) -> str:
        """The file's content."""
        return json.dumps({"shards": self.shards}, indent=0, ensure_ascii=False) + "\n"


def plan_extraction(items: Sequence[WorkItem], options: ExtractionOptions) -> ExtractionPlan:
    """Buckets utterances by length.

    Sounds of like length share a batch, so that little of the work is padding; pictures are taken file by file.

    Args:
        items: All utterances.
        options: Batch and shard sizes.
    """
    if options.modality == "video":
        costs = {item.utterance_id: 0.0 for item in items}
        order = sorted(items, key=lambda item: (str(item.media), item.start or 0.0, item.utterance_id))
    elif options.modality == "text":
        costs = {item.utterance_id: float(len(item.text)) for item in items}
        order = sorted(items, key=lambda item: (costs[item.utterance_id], item.utterance_id))
    else:
        costs = {item.utterance_id: _seconds(item) for item in items}
        order = sorted(items, key=lambda item: (costs[item.utterance_id], item.utterance_id))
    budget = options.batch_seconds if options.modality == "audio" else float("inf")
    batches: list[list[str]] = []
    longest = 0.0
    for item in order:
        cost = costs[item.utterance_id]
        longest = max(longest, cost)
        if not batches or len(batches[-1]) >= options.batch_size or (len(batches[-1]) + 1) * longest > budget:
            batches.append([])
            longest = cost
        batches[-1].append(item.utterance_id)
    shards: list[list[tuple[str, ...]]] = []
    for batch in batches:
        if not shards or sum(map(len, shards[-1])) >= options.shard_size:
            shards.append([])
        shards[-1].append(tuple(batch))
    return ExtractionPlan(tuple(tuple(shard) for shard in shards))


def keep_plan(folder: Path, plan: ExtractionPlan) -> None:
    """Writes down the plan of an extraction that begins now; one that goes on keeps its own."""
    if not (folder / PLAN_NAME).is_file():
        write_bytes(folder / PLAN_NAME, plan.to_json().encode())


def read_plan(folder: Path, utterance_ids: Iterable[str] | None = None) -> ExtractionPlan:
    """Reads the plan of a store.

    Args:
        folder: The store.
        utterance_ids: If given, the utterances that it must plan, each once.

    Raises:
        InvalidDataError: It is no plan, or one of other utterances.
    """
    path = folder / PLAN_NAME
    try:
        shards = json.loads(path.read_text(encoding="utf-8"))["shards"]
        plan = ExtractionPlan(tuple(tuple(tuple(map(str, batch)) for batch in shard) for shard in shards))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidDataError(f"{path} is no plan of an extraction ({error}). Extract into a new folder.") from None
    if utterance_ids is not None:
        planned = sorted(key for shard in plan.shards for batch in shard for key in batch)
        if planned != sorted(utterance_ids):
            raise InvalidDataError(
                f"{path} plans other utterances than those of the corpus. Extract into a new folder."
            )
    return plan


def _seconds(item: WorkItem) -> float:
    """Length by the file's header, else by the corpus; files that cannot be opened are found out later."""
    if not item.timed and item.media is not None and item.media.suffix.lower() == ".wav":
        import soundfile

        try:
            return float(soundfile.info(str(item.media)).duration)
        except (RuntimeError, OSError):
            pass
    return max(item.seconds or 0.0, 0.0)
