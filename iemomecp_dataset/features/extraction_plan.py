"""Plan of an extraction: length-bucketed batches and their shards, fixed before anything is computed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.features.decoding.wav_sizes import open_sound_file
from iemomecp_dataset.features.extraction_options import ExtractionOptions
from iemomecp_dataset.features.work_items import WorkItem
from iemomecp_dataset.files import read_json, write_bytes

__all__ = ["PLAN_NAME", "ExtractionPlan", "keep_plan", "plan_extraction", "read_plan"]

PLAN_NAME = "plan.json"
"""The plan is kept in the store, so that a resumed extraction has the same batches even if media were repaired."""


@dataclass(frozen=True)
class ExtractionPlan:
    """Shards of batches of utterance ids.

    The last bits of a vector depend on the rest of its batch, so resumed and uninterrupted extractions give equal
    stores only if their batches are equal.

    Attributes:
        shards: Utterance ids by shard and batch.
    """

    shards: tuple[tuple[tuple[str, ...], ...], ...]

    def to_json(self) -> str:
        """Serializes the plan."""
        return json.dumps({"shards": self.shards}, indent=0, ensure_ascii=False) + "\n"


def plan_extraction(items: Sequence[WorkItem], options: ExtractionOptions) -> ExtractionPlan:
    """Builds length-bucketed batches and groups them into shards.

    Utterances of similar length share a batch, which keeps padding small; batches of audio also respect a budget of
    seconds, padding included. Video is ordered by file and time, because decoding seeks within a file. Clips
    whose frames become tokens are batches of their own.

    Args:
        items: All utterances.
        options: Batch and shard sizes.

    Returns:
        The plan.
    """
    if options.modality in ("video", "frames"):
        costs = {item.utterance_id: 0.0 for item in items}
        order = sorted(items, key=lambda item: (str(item.media), item.start or 0.0, item.utterance_id))
    elif not options.needs_media:
        costs = {item.utterance_id: float(len(item.text)) for item in items}
        order = sorted(items, key=lambda item: (costs[item.utterance_id], item.utterance_id))
    else:
        costs = {item.utterance_id: _seconds(item) for item in items}
        order = sorted(items, key=lambda item: (costs[item.utterance_id], item.utterance_id))
    budget = options.batch_seconds if options.modality == "audio" else float("inf")
    largest = 1 if options.modality == "frames" else options.batch_size
    batches: list[list[str]] = []
    longest = 0.0
    for item in order:
        cost = costs[item.utterance_id]
        longest = max(longest, cost)
        if not batches or len(batches[-1]) >= largest or (len(batches[-1]) + 1) * longest > budget:
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
    """Saves the plan of a new extraction; a resumed one keeps its own.

    Args:
        folder: The store.
        plan: The plan.
    """
    if not (folder / PLAN_NAME).is_file():
        write_bytes(folder / PLAN_NAME, plan.to_json().encode())


def read_plan(folder: Path, utterance_ids: Iterable[str] | None = None) -> ExtractionPlan:
    """Reads the plan of a store.

    Args:
        folder: The store.
        utterance_ids: If given, the utterances that the plan must have, each exactly once.

    Returns:
        The plan.

    Raises:
        InvalidDataError: The file is not a valid plan, or has other utterances.
    """
    path = folder / PLAN_NAME
    try:
        shards = read_json(path)["shards"]
        plan = ExtractionPlan(tuple(tuple(tuple(map(str, batch)) for batch in shard) for shard in shards))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidDataError(f"{path} is not a valid plan ({error}). Extract into a new folder.") from None
    if utterance_ids is not None:
        planned = sorted(key for shard in plan.shards for batch in shard for key in batch)
        if planned != sorted(utterance_ids):
            raise InvalidDataError(f"{path} has other utterances than the corpus. Extract into a new folder.")
    return plan


def _seconds(item: WorkItem) -> float:
    """Reads the duration from the file's header, else from the corpus; decoding reports unreadable files later."""
    if not item.timed and item.media is not None and item.media.suffix.lower() == ".wav":
        try:
            with open_sound_file(item.media) as file:
                return float(file.frames / file.samplerate)
        except (RuntimeError, OSError):
            pass
    return max(item.seconds or 0.0, 0.0)
