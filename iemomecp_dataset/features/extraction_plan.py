"""Plan of an extraction: length-bucketed batches and their shards, fixed before anything is computed."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.features.decoding.wav_sizes import open_sound_file
from iemomecp_dataset.features.extraction_options import ExtractionOptions
from iemomecp_dataset.features.work_items import WorkItem
from iemomecp_dataset.files import read_json, write_bytes

__all__ = ["PLAN_NAME", "ExtractionPlan", "keep_plan", "plan_extraction", "read_plan", "utterance_costs"]

PLAN_NAME = "plan.json"
"""The plan is kept in the store, so that a resumed extraction has the same batches even if media were repaired."""

_MOST_SECONDS = 1800.0
_MOST_CHARACTERS = 100_000.0
"""Bounds of a shard file, beside its number of utterances: what is lost of it when a process is killed is not much. A
plan of ordinary utterances (128 of 4 s, of 60 characters) is the same without them."""


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
    whose frames become tokens are batches of their own. A shard ends at its number of utterances, and of
    audio at half an hour, of texts at 100,000 characters; a batch that is longer is a shard of its own. Of video each
    utterance has a fixed number of frames.

    Args:
        items: All utterances.
        options: Batch and shard sizes.

    Returns:
        The plan.
    """
    costs = utterance_costs(items, options)
    if options.modality in ("video", "frames"):
        order = sorted(items, key=lambda item: (str(item.media), item.start or 0.0, item.utterance_id))
    else:
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
    most = {"audio": _MOST_SECONDS, "text": _MOST_CHARACTERS, "event": _MOST_CHARACTERS}.get(options.modality, math.inf)
    in_shard = 0.0
    for batch in batches:
        cost = sum(costs[key] for key in batch)
        if not shards or sum(map(len, shards[-1])) >= options.shard_size or in_shard + cost > most:
            shards.append([])
            in_shard = 0.0
        shards[-1].append(tuple(batch))
        in_shard += cost
    return ExtractionPlan(tuple(tuple(shard) for shard in shards))


def utterance_costs(items: Sequence[WorkItem], options: ExtractionOptions) -> dict[str, float]:
    """Estimates the work of each utterance.

    Args:
        items: All utterances.
        options: The modality.

    Returns:
        By utterance id: seconds of media, 0 where they are not known; of texts the number of characters.
    """
    if not options.needs_media:
        return {item.utterance_id: float(len(item.text)) for item in items}
    if options.modality == "audio":
        return {item.utterance_id: _seconds(item) for item in items}
    return {item.utterance_id: max(item.seconds or 0.0, 0.0) for item in items}


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
