"""The index of a store: written once all shards are there, from what they say themselves."""

from __future__ import annotations

import hashlib
import io
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.features.store.store_card import StoreCard
from iemomecp_dataset.features.store.store_layout import CARD_NAME, INDEX_NAME, README_NAME, shard_name
from iemomecp_dataset.features.store.store_rows import STATUSES
from iemomecp_dataset.features.store.store_shards import read_shard
from iemomecp_dataset.files import write_bytes

__all__ = ["COLUMNS", "SHARDS_KEY", "file_digest", "missing_shards", "write_index"]

COLUMNS = ("utterance_id", "shard", "row", "n_frames", "seconds", "status", "reason", "note")
"""Columns of the index. ``shard`` and ``row`` say where the vector lies; ``row`` is null where there is none."""

SHARDS_KEY = b"iemomecp_shards"
"""Key of the Parquet metadata that lists the shards' sizes and digests."""


def missing_shards(folder: Path, n_shards: int) -> list[int]:
    """Numbers of the shards that are not written yet."""
    return [shard for shard in range(n_shards) if not (folder / shard_name(shard, n_shards)).is_file()]


def write_index(folder: Path, card: StoreCard, utterance_ids: Sequence[str]) -> Counter[str]:
    """Completes a store whose shards are all there.

    Args:
        folder: The store.
        card: Its card.
        utterance_ids: All utterances, in the order that the index shall have.

    Returns:
        Rows by status.

    Raises:
        InvalidDataError: A shard is missing or broken, has vectors of another width, or the shards do not hold each
            utterance once.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    lines: dict[str, tuple[Any, ...]] = {}
    shards: list[dict[str, Any]] = []
    for number in range(card.n_shards):
        path = folder / shard_name(number, card.n_shards)
        shard = read_shard(path)
        if shard.vectors.shape[1] != card.size or shard.vectors.dtype.name != card.dtype:
            raise InvalidDataError(
                f"{path} holds vectors of {shard.vectors.shape[1]} x {shard.vectors.dtype.name}, but {CARD_NAME} says "
                f"{card.size} x {card.dtype}. Remove this file and run the extraction again."
            )
        row = 0
        for utterance_id, status, n_frames, seconds, reason, note in shard.accounts:
            if utterance_id in lines:
                raise InvalidDataError(f"{path}: utterance {utterance_id} is in two shards. Extract into a new folder.")
            has_vector = status == "ok"
            place = row if has_vector else None
            lines[utterance_id] = (utterance_id, number, place, n_frames, seconds, status, reason, note)
            row += has_vector
        shards.append({"name": path.name, "bytes": path.stat().st_size, "sha256": file_digest(path)})
    if lines.keys() != set(utterance_ids):
        odd = sorted(lines.keys() ^ set(utterance_ids))
        raise InvalidDataError(
            f"{folder}: the shards do not hold the utterances of this extraction; {len(odd)} differ, such as {odd[0]}. "
            "Extract into a new folder."
        )
    schema = pa.schema(
        [
            ("utterance_id", pa.string()),
            ("shard", pa.int32()),
            ("row", pa.int32()),
            ("n_frames", pa.int32()),
            ("seconds", pa.float32()),
            ("status", pa.string()),
            ("reason", pa.string()),
            ("note", pa.string()),
        ],
        metadata={
            SHARDS_KEY: json.dumps(shards).encode(),
            b"synthetic": b"true" if card.synthetic else b"false",
        },
    )
    columns = list(zip(*(lines[utterance_id] for utterance_id in utterance_ids), strict=True))
    table = pa.table([pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema=schema)
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    counts = Counter(line[5] for line in lines.values())
    write_bytes(folder / README_NAME, _readme(card, counts).encode())
    write_bytes(folder / INDEX_NAME, buffer.getvalue())
    return counts


def file_digest(path: Path) -> str:
    """SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _readme(card: StoreCard, counts: Counter[str]) -> str:
    synthetic = ["", "**The corpus is SYNTHETIC: a program made it. These vectors say nothing about people.**"]
    rows = [f"| `{status}` | {counts[status]} | {STATUSES[status]} |" for status in STATUSES if counts[status]]
    settings = [f"| {name} | {value} |" for name, value in sorted(card.settings.items()) if value is not None]
    versions = [f"| {name} | {value} |" for name, value in sorted(card.versions.items())]
    return "\n".join(
        [
            f"# {card.modality.capitalize()} features of {card.corpus}",
            *(synthetic if card.synthetic else []),
            "",
            f"One vector ({card.size} x {card.dtype}) an utterance by `{card.model}`, revision `{card.revision}`. "
            "Read it with `iemomecp_dataset.features.read_feature_table`.",
            "",
            "| status | utterances | meaning |",
            "|---|---|---|",
            *rows,
            "",
            "| setting | value |",
            "|---|---|",
            *settings,
            *versions,
            "",
            "Vectors are derived from the recordings and texts of their corpus, whose terms hold for them too.",
            "",
        ]
    )
