"""Opens a feature store: checks that card, index and shards belong together, and maps the vectors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from iemomecp_dataset.errors import InvalidDataError, MissingDataError
from iemomecp_dataset.features.feature_table import FeatureTable
from iemomecp_dataset.features.store_card import StoreCard, read_card
from iemomecp_dataset.features.store_index import COLUMNS, SHARDS_KEY, file_digest, missing_shards
from iemomecp_dataset.features.store_layout import INDEX_NAME, shard_name
from iemomecp_dataset.features.store_rows import STATUSES
from iemomecp_dataset.features.store_shards import Shard, read_shard

__all__ = ["open_store"]


def open_store(folder: str | Path, *, verify: bool = True) -> FeatureTable:
    """Opens a store.

    Args:
        folder: The store.
        verify: Also compare the shards' digests with those in the index (reads every byte once), and look for numbers
            that are not finite. Without it only names, sizes and shapes are compared.

    Returns:
        The table; its vectors stay on disk until they are looked at.

    Raises:
        MissingDataError: There is no store, or it is not finished.
        InvalidDataError: Card, index and shards do not fit together; the message says how.
    """
    folder = Path(folder)
    card = read_card(folder)
    index = _read_index(folder, card)
    shards = [_checked_shard(folder, card, number, index, verify) for number in range(card.n_shards)]
    ids = index["utterance_id"].to_pylist()
    numbers = index["shard"].to_pylist()
    places = index["row"].to_pylist()
    statuses = index["status"].to_pylist()
    reasons = index["reason"].to_pylist()
    _check_places(folder, card, shards, list(zip(ids, numbers, places, statuses, strict=True)))
    return FeatureTable(
        path=folder,
        size=card.size,
        shards=tuple(shard.vectors for shard in shards),
        place_of={key: (n, p) for key, n, p in zip(ids, numbers, places, strict=True) if p is not None},
        missing={
            key: f"{status}: {reason}" if reason else status
            for key, status, reason, place in zip(ids, statuses, reasons, places, strict=True)
            if place is None
        },
        origin=card.statement,
    )


def _read_index(folder: Path, card: StoreCard) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / INDEX_NAME
    if not path.is_file():
        left = len(missing_shards(folder, card.n_shards))
        raise MissingDataError(
            f"{folder} is not finished: {left} of its {card.n_shards} shards and {INDEX_NAME} are missing. "
            "Run the same scripts/extract_features.py command again; it continues."
        )
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise InvalidDataError(f"{path} cannot be read as Parquet: {error}. {_REMAKE}") from None
    if tuple(table.column_names) != COLUMNS or SHARDS_KEY not in (table.schema.metadata or {}):
        raise InvalidDataError(
            f"{path} is not the index of a feature store: expected columns {', '.join(COLUMNS)}, "
            f"found {', '.join(table.column_names)}. {_REMAKE}"
        )
    if len(table) != card.n_utterances:
        raise InvalidDataError(
            f"{path} has {len(table)} rows, but the card says {card.n_utterances} utterances. {_REMAKE}"
        )
    return table


_REMAKE = f"Remove {INDEX_NAME} and run the extraction again: the index is made anew from the shards."


def _checked_shard(folder: Path, card: StoreCard, number: int, index: Any, verify: bool) -> Shard:
    path = folder / shard_name(number, card.n_shards)
    shard = read_shard(path)
    recorded = json.loads(index.schema.metadata[SHARDS_KEY])
    expected = recorded[number] if number < len(recorded) else {}
    if shard.vectors.shape[1] != card.size or shard.vectors.dtype.name != card.dtype:
        raise InvalidDataError(
            f"{path} holds vectors of {shard.vectors.shape[1]} x {shard.vectors.dtype.name}, but the card says "
            f"{card.size} x {card.dtype}. It belongs to another store; extract into a new folder."
        )
    if expected.get("name") != path.name or expected.get("bytes") != path.stat().st_size:
        raise InvalidDataError(
            f"{path} does not fit the index, which expects {expected.get('name')} of {expected.get('bytes')} bytes. "
            f"{_REMAKE}"
        )
    if verify:
        if file_digest(path) != expected.get("sha256"):
            raise InvalidDataError(
                f"{path} is damaged: its content is not what the index recorded. Remove this file and {INDEX_NAME}, "
                "and run the extraction again; only what it held is computed anew."
            )
        if not np.isfinite(shard.vectors).all():
            raise InvalidDataError(f"{path} holds NaN or infinite numbers. Extract into a new folder.")
    return shard


def _check_places(
    folder: Path, card: StoreCard, shards: list[Shard], lines: list[tuple[str, int, int | None, str]]
) -> None:
    path = folder / INDEX_NAME
    if len({line[0] for line in lines}) != len(lines):
        raise InvalidDataError(f"{path}: an utterance occurs more than once. {_REMAKE}")
    expected: dict[str, tuple[int, int | None]] = {}
    for number, shard in enumerate(shards):
        row = 0
        for utterance_id, status, *_ in shard.accounts:
            expected[utterance_id] = (number, row if status == "ok" else None)
            row += status == "ok"
    for utterance_id, number, place, status in lines:
        if status not in STATUSES:
            raise InvalidDataError(f"{path}: utterance {utterance_id} has the unknown status {status!r}. {_REMAKE}")
        if expected.get(utterance_id) != (number, place) or (place is None) == (status == "ok"):
            raise InvalidDataError(
                f"{path} does not fit its shards: utterance {utterance_id} is said to be {status} at shard {number}, "
                f"row {place}, and the shards have it at {expected.get(utterance_id)}. {_REMAKE}"
            )
