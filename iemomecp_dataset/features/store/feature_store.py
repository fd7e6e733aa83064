"""Opens a feature store: checks that card, index and shards belong together, and maps the vectors."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.command_line import command_hint
from iemomecp_dataset.errors import InvalidDataError, MissingDataError
from iemomecp_dataset.features.store.store_card import StoreCard, read_card
from iemomecp_dataset.features.store.store_index import COLUMNS, SHARDS_KEY, file_digest, missing_shards
from iemomecp_dataset.features.store.store_layout import INDEX_NAME, shard_name
from iemomecp_dataset.features.store.store_rows import STATUSES
from iemomecp_dataset.features.store.store_shards import Shard, read_shard

__all__ = ["FeatureTable", "open_store", "read_feature_table"]


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
            f"Run the same command again ({command_hint('extract', '…')}); it continues."
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


_EXAMPLES_SHOWN = 5


@dataclass(frozen=True)
class FeatureTable:
    """Vectors of one modality.

    Attributes:
        path: File or store that it was read from.
        size: Width of a vector.
        shards: Matrices ``(rows, size)``, float32 or float16, in memory or mapped from disk.
        place_of: ``(shard, row)`` by utterance id; ids without a vector are absent.
        missing: Why there is no vector, by utterance id, where the source says so.
        origin: What the source says that it is, in words.
    """

    path: Path
    size: int
    shards: tuple[NDArray[Any], ...]
    place_of: Mapping[str, tuple[int, int]]
    missing: Mapping[str, str] = field(default_factory=dict)
    origin: str | None = None

    def select(self, utterance_ids: Iterable[str], *, tolerance: float = 0.01) -> dict[str, NDArray[np.float32]]:
        """Vectors of the given utterances.

        Args:
            utterance_ids: The utterances that a model will see.
            tolerance: Share of them that may lack a vector.

        Returns:
            ``(size,)`` float32 by utterance id. Missing ones are left out, for a mask to say so; never replaced by
            zeros.

        Raises:
            InvalidDataError: More than ``tolerance`` are missing; the message counts and names them, with the reason
                where it is known. Or the vectors are of another corpus.
        """
        wanted = list(dict.fromkeys(utterance_ids))
        places = [(key, self.place_of.get(key)) for key in wanted]
        found = {
            key: self.shards[place[0]][place[1]].astype(np.float32, copy=False)
            for key, place in places
            if place is not None
        }
        missing = len(wanted) - len(found)
        if missing > tolerance * len(wanted):
            lacking = [key for key in wanted if key not in self.place_of]
            unknown = [key for key in lacking if key not in self.missing]
            origin = f" It holds {self.origin}." if self.origin else ""
            if len(unknown) == len(wanted):
                raise InvalidDataError(
                    f"{self.path}: it knows none of the {len(wanted)} utterances asked for, such as {wanted[0]}: these "
                    f"are features of another corpus.{origin} Give the features of this corpus."
                )
            if unknown and self.origin:
                origin += f" {len(unknown)} of them it does not know at all."
            examples = [
                f"{key} ({self.missing[key]})" if self.missing.get(key) else key for key in lacking[:_EXAMPLES_SHOWN]
            ]
            raise InvalidDataError(
                f"{self.path}: {missing} of {len(wanted)} utterances have no feature vector "
                f"({missing / len(wanted):.1%}, more than the {tolerance:.1%} allowed), for example "
                f"{', '.join(examples)}.{origin} "
                "Extract the missing ones, or raise --max_missing_features: the model then gets a mask for them."
            )
        return found


def read_feature_table(path: str | Path) -> FeatureTable:
    """Reads a feature store, or a Parquet file.

    A Parquet file has the columns ``utterance_id`` (string) and ``vector`` (list of floats, null for none).

    Args:
        path: The store's folder, or the file.

    Returns:
        The table.

    Raises:
        MissingDataError: There is no such file or folder, or the store is not finished.
        InvalidDataError: It is no such table: other columns, an id twice, vectors of different widths, numbers that are
            not finite; parts of a store that do not fit together.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = Path(path)
    if path.is_dir():
        return open_store(path)
    if not path.is_file():
        raise MissingDataError(f"The feature file {path} is not there.")
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise InvalidDataError(f"{path} cannot be read as Parquet: {error}") from error
    for column in ("utterance_id", "vector"):
        if column not in table.column_names:
            raise InvalidDataError(
                f"{path} has no column {column!r}; expected utterance_id and vector, "
                f"found {', '.join(table.column_names)}."
            )
    ids = table["utterance_id"].to_pylist()
    column = table["vector"].combine_chunks()
    if not (
        pa.types.is_list(column.type) or pa.types.is_large_list(column.type) or pa.types.is_fixed_size_list(column.type)
    ):
        raise InvalidDataError(f"{path}: column 'vector' must hold lists of floats, but holds {column.type}.")
    present = column.is_valid().to_numpy(zero_copy_only=False)
    kept = column.filter(pa.array(present))
    widths = (
        kept.value_lengths().to_numpy(zero_copy_only=False)
        if not pa.types.is_fixed_size_list(column.type)
        else (np.full(len(kept), column.type.list_size))
    )
    kept_ids = [key for key, has_vector in zip(ids, present, strict=True) if has_vector]
    if not kept_ids:
        raise InvalidDataError(f"{path} holds no feature vector at all.")
    if len(odd := np.flatnonzero(widths != widths[0])):
        raise InvalidDataError(
            f"{path}: vectors differ in width; {kept_ids[0]} has {widths[0]}, {kept_ids[odd[0]]} has {widths[odd[0]]}."
        )
    vectors = kept.flatten().to_numpy(zero_copy_only=False).astype(np.float32).reshape(len(kept_ids), int(widths[0]))
    if len(odd := np.flatnonzero(~np.isfinite(vectors).all(axis=1))):
        raise InvalidDataError(
            f"{path}: {len(odd)} vectors hold NaN or infinite numbers, the first is that of {kept_ids[odd[0]]}. "
            "A vector that is not known must be null."
        )
    place_of = {key: (0, row) for row, key in enumerate(kept_ids)}
    if len(place_of) != len(kept_ids):
        seen: set[str] = set()
        twice = next(key for key in kept_ids if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise InvalidDataError(f"{path}: utterance {twice} occurs more than once; each has exactly one vector.")
    missing = {key: "" for key, has_vector in zip(ids, present, strict=True) if not has_vector}
    return FeatureTable(path, int(widths[0]), (vectors,), place_of, missing)
