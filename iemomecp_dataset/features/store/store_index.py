"""Index of a feature store, compiled from the records of its shards once all of them are written."""

from __future__ import annotations

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
from iemomecp_dataset.features.store.store_shards import Shard, read_shard
from iemomecp_dataset.files import file_digest, write_bytes
from iemomecp_dataset.markdown_text import markdown_text

__all__ = [
    "COLUMNS",
    "SHARDS_KEY",
    "index_schema",
    "index_statuses",
    "missing_shards",
    "read_store_shard",
    "write_index",
]

COLUMNS = ("utterance_id", "shard", "row", "n_frames", "seconds", "status", "reason", "note")
"""Columns of the index. ``shard`` and ``row`` locate the vector; ``row`` is null if there is none."""

SHARDS_KEY = b"iemomecp_shards"
"""Key of the Parquet metadata with name, size and SHA-256 of each shard."""


_EXAMPLES = 3


def index_schema() -> Any:
    """Builds the Arrow schema of the index, without its metadata."""
    import pyarrow as pa

    types = (pa.string(), pa.int32(), pa.int32(), pa.int32(), pa.float32(), pa.string(), pa.string(), pa.string())
    return pa.schema(list(zip(COLUMNS, types, strict=True)))


def missing_shards(folder: Path, n_shards: int) -> list[int]:
    """Lists the shards that are not written yet.

    Args:
        folder: The store.
        n_shards: Number of shards of the complete store.

    Returns:
        Numbers of the missing shards, from 0.
    """
    return [shard for shard in range(n_shards) if not (folder / shard_name(shard, n_shards)).is_file()]


def write_index(folder: Path, card: StoreCard, utterance_ids: Sequence[str]) -> Counter[str]:
    """Writes index and README of a store whose shards are all written.

    Args:
        folder: The store.
        card: Its card.
        utterance_ids: All utterances, in the order of the index.

    Returns:
        Number of utterances by status.

    Raises:
        InvalidDataError: A shard is missing or damaged, its vectors do not match the card, or the shards do not have
            each utterance exactly once.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    # Of each row there are only Arrow's bytes and its place: a store may have millions.
    schema = index_schema()
    place_of = {utterance_id: place for place, utterance_id in enumerate(utterance_ids)}
    row_at = np.full(len(place_of), -1, dtype=np.int64)
    unknown: list[str] = []
    shards: list[dict[str, Any]] = []
    batches: list[Any] = []
    n_rows = 0
    for number in range(card.n_shards):
        shard = read_store_shard(folder, card, number)
        path = shard.path
        lines = []
        for (utterance_id, status, n_frames, seconds, reason, note), row in shard.positions():
            place = place_of.get(utterance_id)
            if place is None:
                unknown.append(utterance_id)
            elif row_at[place] >= 0:
                raise InvalidDataError(f"{path}: utterance {utterance_id} is in two shards. Extract into a new folder.")
            else:
                row_at[place] = n_rows
            n_rows += 1
            lines.append((utterance_id, number, row, n_frames, seconds, status, reason, note))
        if lines:
            values = zip(zip(*lines, strict=True), schema, strict=True)
            batches.append(pa.record_batch([pa.array(value, field.type) for value, field in values], schema=schema))
        shards.append({"name": path.name, "bytes": path.stat().st_size, "sha256": file_digest(path)})
    missing = [utterance_ids[place] for place in np.flatnonzero(row_at < 0).tolist()]
    if unknown or missing:
        odd = sorted({*unknown, *missing})
        raise InvalidDataError(
            f"{folder}: the shards do not have the utterances of this extraction; {len(odd)} differ, such as {odd[0]}. "
            "Extract into a new folder."
        )
    del place_of
    facts = {SHARDS_KEY: json.dumps(shards).encode(), b"synthetic": b"true" if card.synthetic else b"false"}
    table = pa.Table.from_batches(batches, schema=schema)
    del batches
    counts = Counter({entry["values"]: entry["counts"] for entry in table["status"].value_counts().to_pylist()})
    order, columns = pa.array(row_at), []
    for _ in schema:
        columns.append(table.column(0).take(order))
        table = table.remove_column(0)  # so that no two columns are in memory twice
    table = pa.Table.from_arrays(columns, schema=schema.with_metadata(facts)).combine_chunks()
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    write_bytes(folder / README_NAME, _readme(card, counts).encode())
    write_bytes(folder / INDEX_NAME, buffer.getvalue())
    return counts


def index_statuses(folder: Path) -> tuple[Counter[str], dict[str, list[tuple[str, str]]]]:
    """Counts the statuses of a store by its index, a part of it at a time.

    Args:
        folder: The store, complete.

    Returns:
        Number of utterances by status, and up to three ``(utterance_id, reason)`` of each status except ``ok``.
    """
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    counts: Counter[str] = Counter()
    examples: dict[str, list[tuple[str, str]]] = {}
    with pq.ParquetFile(folder / INDEX_NAME) as file:
        for batch in file.iter_batches(columns=["utterance_id", "status", "reason"]):
            found = {entry["values"]: entry["counts"] for entry in batch["status"].value_counts().to_pylist()}
            counts.update(found)
            for status in found.keys() - {"ok"}:
                of_status = examples.setdefault(status, [])
                if len(of_status) < _EXAMPLES:
                    rows = batch.filter(pc.equal(batch["status"], status)).slice(0, _EXAMPLES - len(of_status))
                    of_status += [(row["utterance_id"], row["reason"] or "") for row in rows.to_pylist()]
    return counts, examples


def read_store_shard(folder: Path, card: StoreCard, number: int) -> Shard:
    """Reads a shard and compares its vectors with the card.

    Args:
        folder: The store.
        card: Its card.
        number: Number of the shard, from 0.

    Returns:
        The shard.

    Raises:
        InvalidDataError: The shard is missing or damaged, or its vectors differ from the card in width or type.
    """
    shard = read_shard(folder / shard_name(number, card.n_shards))
    if shard.vectors.shape[1] != card.size or shard.vectors.dtype.name != card.dtype:
        raise InvalidDataError(
            f"{shard.path} has vectors of {shard.vectors.shape[1]} x {shard.vectors.dtype.name}, but {CARD_NAME} "
            f"states {card.size} x {card.dtype}: it belongs to another store. Remove this file and run the extraction "
            "again."
        )
    return shard


def _readme(card: StoreCard, counts: Counter[str]) -> str:
    synthetic = ["", "**The corpus is SYNTHETIC: a program generated it. These vectors are not of real speech.**"]
    rows = [f"| `{status}` | {counts[status]} | {STATUSES[status]} |" for status in STATUSES if counts[status]]
    settings = [
        f"| {name} | {markdown_text(str(value))} |"
        for name, value in sorted(card.settings.items())
        if value is not None
    ]
    versions = [f"| {name} | {value} |" for name, value in sorted(card.versions.items())]
    return "\n".join(
        [
            f"# {card.modality.capitalize()} features of {markdown_text(card.corpus)}",
            *(synthetic if card.synthetic else []),
            "",
            f"One vector ({card.size} x {card.dtype}) per utterance by {markdown_text(card.model)}, revision "
            f"{markdown_text(str(card.revision))}. Read the store with `iemomecp_dataset.features.read_feature_table`.",
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
            "The vectors are derived from recordings and texts of the corpus, and are subject to its terms.",
            "",
        ]
    )
