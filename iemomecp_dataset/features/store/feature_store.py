"""Reads feature vectors by utterance, from a feature store or a single Parquet file.

Opening a store checks that card, index and shards belong together. Its vectors are memory-mapped, so that only the ones
that are used are read from disk.
"""

from __future__ import annotations

import functools
import hashlib
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.command_line import command_hint
from iemomecp_dataset.errors import InvalidDataError, MissingDataError
from iemomecp_dataset.excerpts import shown
from iemomecp_dataset.features.store.store_card import StoreCard, check_use, read_card
from iemomecp_dataset.features.store.store_index import (
    SHARDS_KEY,
    index_schema,
    missing_shards,
    read_store_shard,
)
from iemomecp_dataset.features.store.store_layout import INDEX_NAME
from iemomecp_dataset.features.store.store_rows import STATUSES
from iemomecp_dataset.features.store.store_shards import Shard
from iemomecp_dataset.files import file_digest

__all__ = ["FeatureTable", "open_store", "read_feature_table"]

_LOGGER = logging.getLogger(__name__)
_EXAMPLES_SHOWN = 5
_REMAKE = f"Remove {INDEX_NAME} and run the extraction again: it rebuilds the index from the shards."


@dataclass(frozen=True)
class FeatureTable:
    """Feature vectors of one modality, by utterance.

    Attributes:
        path: File or store that the table was read from.
        size: Width of a vector.
        shards: Matrices ``(rows, size)``, float32 or float16, in memory or memory-mapped.
        place_of: ``(shard, row)`` by utterance id; utterances without a vector are absent.
        missing: Reason by utterance id for utterances without a vector; empty text if it is unknown.
        origin: Description of the store, or None for a single file.
        modality: What the vectors are of, such as ``audio``; None where it is not known.
        corpus: Corpus and configuration that they were made of; None where it is not known.
        synthetic: Whether that corpus is synthetic; None where it is not known.
    """

    path: Path
    size: int
    shards: tuple[NDArray[Any], ...]
    place_of: Mapping[str, tuple[int, int]]
    missing: Mapping[str, str] = field(default_factory=dict)
    origin: str | None = None
    modality: str | None = None
    corpus: str | None = None
    synthetic: bool | None = None

    def check_use(
        self, modality: str | None = None, *, corpus: str | None = None, synthetic: bool | None = None
    ) -> FeatureTable:
        """Refuses vectors that were made of something else than they are used for.

        Args:
            modality: What they are given as, such as ``audio``.
            corpus: Name of the corpus.
            synthetic: Whether the corpus is synthetic.

        Returns:
            The table.

        Raises:
            UsageError: Modality, corpus or synthetic state differ. What is None, here or in the table, is not compared.
        """
        found = (self.modality, self.corpus, self.synthetic)
        check_use(self.path, found, (modality, corpus, synthetic))
        return self

    def select(self, utterance_ids: Iterable[str], *, tolerance: float = 0.01) -> dict[str, NDArray[np.float32]]:
        """Looks up the vectors of utterances.

        Args:
            utterance_ids: Ids of the utterances; repeated ones count once.
            tolerance: Share of them that may lack a vector.

        Returns:
            ``(size,)`` float32 by utterance id. Utterances without a vector are absent, never zeros, so that a model
            can mask them.

        Raises:
            InvalidDataError: More than ``tolerance`` lack a vector, or all are unknown because the vectors are those of
                another corpus; the message has counts, examples and reasons.
        """
        wanted = list(dict.fromkeys(utterance_ids))
        places = [(key, self.place_of.get(key)) for key in wanted]
        found = {
            key: self.shards[place[0]][place[1]].astype(np.float32, copy=False)
            for key, place in places
            if place is not None
        }
        if len(wanted) - len(found) > tolerance * len(wanted):
            raise InvalidDataError(self._missing_message(wanted, tolerance))
        return found

    def digest(self, utterance_ids: Iterable[str]) -> tuple[str, int]:
        """Hashes the vectors of utterances, wherever they are stored.

        Args:
            utterance_ids: Ids of the utterances; their order is irrelevant.

        Returns:
            16 hexadecimal characters, and how many utterances lack a vector.
        """
        wanted = sorted(set(utterance_ids))
        digest, missing = hashlib.sha256(), 0
        for key in wanted:
            place = self.place_of.get(key)
            if place is None:
                missing += 1
                continue
            digest.update(key.encode("utf-8", "surrogatepass") + b"\0")
            digest.update(np.ascontiguousarray(self.shards[place[0]][place[1]], dtype="<f4").tobytes())
        return digest.hexdigest()[:16], missing

    def _missing_message(self, wanted: list[str], tolerance: float) -> str:
        lacking = [key for key in wanted if key not in self.place_of]
        unknown = [key for key in lacking if key not in self.missing]
        origin = f" It contains {self.origin}." if self.origin else ""
        if len(unknown) == len(wanted):
            return (
                f"{self.path}: none of the {len(wanted)} requested utterances is in it, such as {wanted[0]}: these are "
                f"features of another corpus.{origin} Give the features of this corpus."
            )
        if unknown and self.origin:
            origin += f" {len(unknown)} of the utterances are not in it at all."
        examples = [f"{key} ({reason})" if (reason := self.missing.get(key)) else key for key in lacking]
        return (
            f"{self.path}: {len(lacking)} of {len(wanted)} utterances have no feature vector "
            f"({len(lacking) / len(wanted):.1%}, more than the {tolerance:.1%} allowed), for example "
            f"{', '.join(examples[:_EXAMPLES_SHOWN])}.{origin} "
            "Extract the missing ones, or raise --max_missing_features: the model then gets a mask for them."
        )


def read_feature_table(path: str | Path) -> FeatureTable:
    """Reads a feature store or a Parquet file.

    A Parquet file has the columns ``utterance_id`` (string) and ``vector`` (list of floats, null for a missing one).

    Args:
        path: Folder of the store, or the file.

    Returns:
        The table.

    Raises:
        MissingDataError: The file or folder does not exist, or the store is not finished.
        InvalidDataError: The table is malformed: other columns, a repeated id, vectors of different widths, NaN or
            infinity, or parts of a store that do not belong together.

    See Also:
        :func:`open_store` for a store without verification of every byte.
    """
    path = Path(path)
    if path.is_dir():
        return open_store(path)
    if not path.is_file():
        raise MissingDataError(f"The feature file {path} is not there.")
    return _read_parquet(path)


def open_store(folder: str | Path, *, verify: bool = True) -> FeatureTable:
    """Opens a feature store.

    Args:
        folder: The store.
        verify: Also compares the SHA-256 of each shard with the index, which reads every byte once, and checks that all
            numbers are finite. Otherwise only names, sizes and shapes are compared.

    Returns:
        The table; its vectors stay on disk until they are used.

    Raises:
        MissingDataError: The folder is not a store, or the store is not finished.
        InvalidDataError: Card, index and shards do not belong together; the message states how they differ.

    See Also:
        :func:`read_feature_table` also reads a single Parquet file.
    """
    folder = Path(folder)
    card = read_card(folder)
    if card.modality == "frames":
        raise InvalidDataError(
            f"{folder} contains frame tokens, hundreds per clip, and not one vector per utterance. Give it as "
            "--frames, or extract --modality video."
        )
    index = _read_index(folder, card)
    shards = [_read_indexed_shard(folder, card, number, index, verify) for number in range(card.n_shards)]
    lines = list(zip(*(index[name].to_pylist() for name in ("utterance_id", "shard", "row", "status")), strict=True))
    _check_places(folder, shards, lines)
    if verify:
        ids = [record.utterance_id for shard in shards for record, row in shard.positions() if row is not None]
        _warn_of_odd_vectors(folder, ids, [shard.vectors for shard in shards])
    return FeatureTable(
        path=folder,
        size=card.size,
        shards=tuple(shard.vectors for shard in shards),
        place_of={key: (number, row) for key, number, row, _ in lines if row is not None},
        missing={
            key: f"{status}: {reason}" if reason else status
            for (key, _, row, status), reason in zip(lines, index["reason"].to_pylist(), strict=True)
            if row is None
        },
        origin=card.statement,
        modality=card.modality,
        corpus=card.corpus,
        synthetic=card.synthetic,
    )


# --- stores -------------------------------------------------------------------------------------------------------


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
        found = [f"{column.name} {column.type}" for column in table.schema]
        _check_text(table)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise InvalidDataError(f"{path} cannot be read as Parquet: {error}. {_REMAKE}") from None
    expected = [f"{column.name} {column.type}" for column in index_schema()]
    if found != expected or SHARDS_KEY not in (table.schema.metadata or {}):
        raise InvalidDataError(
            f"{path} is not the index of a feature store: expected columns {', '.join(expected)}, "
            f"found {', '.join(found)}. {_REMAKE}"
        )
    if any(table[name].null_count for name in ("utterance_id", "shard", "status")):
        raise InvalidDataError(f"{path}: an utterance lacks its id, shard or status. {_REMAKE}")
    if len(table) != card.n_utterances:
        raise InvalidDataError(
            f"{path} has {len(table)} rows, but the card states {card.n_utterances} utterances. {_REMAKE}"
        )
    return table


def _check_text(table: Any) -> None:
    """Reads the text of a table, which Parquet does not check.

    Raises:
        UnicodeDecodeError: Some is not UTF-8.
    """
    import pyarrow as pa

    for column in table.columns:
        if pa.types.is_string(column.type):
            column.to_pylist()


def _recorded(folder: Path, index: Any, number: int) -> dict[str, Any]:
    """What the index records of a shard."""
    try:
        recorded = json.loads(index.schema.metadata[SHARDS_KEY])
        found = recorded[number] if number < len(recorded) else {}
        if not isinstance(found, dict):
            raise TypeError("expected an object")
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise InvalidDataError(f"{folder / INDEX_NAME}: its list of shards is damaged ({error}). {_REMAKE}") from None
    return found


def _read_indexed_shard(folder: Path, card: StoreCard, number: int, index: Any, verify: bool) -> Shard:
    """Reads a shard and compares it with the card and the index."""
    shard = read_store_shard(folder, card, number)
    path = shard.path
    expected = _recorded(folder, index, number)
    if expected.get("name") != path.name or expected.get("bytes") != path.stat().st_size:
        raise InvalidDataError(
            f"{path} does not match the index, which expects {expected.get('name')} of {expected.get('bytes')} bytes. "
            f"{_REMAKE}"
        )
    if verify:
        if file_digest(path) != expected.get("sha256"):
            raise InvalidDataError(
                f"{path} is damaged: its SHA-256 differs from the index. Remove this file and {INDEX_NAME}, and run "
                "the extraction again; only this shard is computed anew."
            )
        if not np.isfinite(shard.vectors).all():
            raise InvalidDataError(f"{path} has NaN or infinite numbers. Extract into a new folder.")
    return shard


def _check_places(folder: Path, shards: list[Shard], lines: list[tuple[str, int, int | None, str]]) -> None:
    """Compares the lines of the index (utterance, shard, row, status) with the records of the shards."""
    path = folder / INDEX_NAME
    if len({line[0] for line in lines}) != len(lines):
        raise InvalidDataError(f"{path}: an utterance occurs more than once. {_REMAKE}")
    expected = {
        record.utterance_id: (number, row) for number, shard in enumerate(shards) for record, row in shard.positions()
    }
    for utterance_id, number, row, status in lines:
        if status not in STATUSES:
            raise InvalidDataError(
                f"{path}: utterance {utterance_id} has the unknown status {shown(status)}. {_REMAKE}"
            )
        if expected.get(utterance_id) != (number, row) or (row is None) == (status == "ok"):
            raise InvalidDataError(
                f"{path} does not match its shards: utterance {utterance_id} is {status} at shard {number}, row {row} "
                f"in the index, and at {expected.get(utterance_id)} in the shards. {_REMAKE}"
            )


# --- vectors ------------------------------------------------------------------------------------------------------

_LARGEST = 1e6
"""Numbers beyond are no features of any encoder in use."""
_TIMES_TYPICAL = 1e3


def _warn_of_odd_vectors(path: Path, ids: Sequence[str], shards: Sequence[NDArray[Any]]) -> None:
    """Counts vectors of zeros alone, and those far larger than the others, and says so once.

    Args:
        path: File or store.
        ids: Utterance of every vector.
        shards: ``(rows, size)``; together one row per id.
    """
    if not ids:
        return
    largest = np.concatenate([np.abs(shard).max(axis=1, initial=0).astype(np.float64) for shard in shards])
    typical = float(np.median(largest[largest > 0])) if largest.any() else 0.0
    kinds = {
        "are zeros alone": np.flatnonzero(largest == 0),
        f"have numbers beyond {_LARGEST:g}, or {_TIMES_TYPICAL:g} times as large as is typical": np.flatnonzero(
            (largest > _LARGEST) | (largest > _TIMES_TYPICAL * typical)
        ),
    }
    said = [
        f"{len(places)} of {len(ids)} vectors {what}, such as {', '.join(ids[place] for place in places[:3])}"
        for what, places in kinds.items()
        if len(places)
    ]
    if said:
        _warn_once(f"{path}: {'; '.join(said)}. A model takes them for features: check how they were made.")


@functools.cache
def _warn_once(message: str) -> None:
    _LOGGER.warning(message)


# --- single files -------------------------------------------------------------------------------------------------


def _read_parquet(path: Path) -> FeatureTable:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
        columns = table.column_names
        keys = table["utterance_id"].to_pylist() if "utterance_id" in columns else []
    except (pa.ArrowException, OSError) as error:
        raise InvalidDataError(f"{path} cannot be read as Parquet: {error}") from error
    except UnicodeDecodeError as error:
        raise InvalidDataError(f"{path}: names or ids are not UTF-8 text ({error.reason}).") from None
    for name in ("utterance_id", "vector"):
        if name not in columns:
            raise InvalidDataError(
                f"{path} has no column {name!r}; expected utterance_id and vector, found "
                f"{', '.join(columns)[:200] or 'none'}."
            )
    kind = table.schema.field("utterance_id").type
    text = kind.value_type if pa.types.is_dictionary(kind) else kind
    if pa.types.is_integer(text):
        keys = [None if key is None else str(key) for key in keys]
    elif not (pa.types.is_string(text) or pa.types.is_large_string(text) or pa.types.is_string_view(text)):
        raise InvalidDataError(f"{path}: column 'utterance_id' must have texts, but has {str(kind)[:80]}.")
    if None in keys:
        raise InvalidDataError(
            f"{path}: {keys.count(None)} of {len(keys)} rows have no utterance_id, the first is row "
            f"{keys.index(None) + 1}. Name the utterance of each vector, or drop the row."
        )
    column = table["vector"].combine_chunks()
    fixed = pa.types.is_fixed_size_list(column.type)
    if not (fixed or pa.types.is_list(column.type) or pa.types.is_large_list(column.type)) or not (
        pa.types.is_floating(column.type.value_type) or pa.types.is_integer(column.type.value_type)
    ):
        raise InvalidDataError(f"{path}: column 'vector' must have lists of floats, but has {str(column.type)[:80]}.")
    present = column.is_valid().to_numpy(zero_copy_only=False)
    column = column.filter(pa.array(present))
    ids: dict[bool, list[str]] = {True: [], False: []}
    for key, has_vector in zip(keys, present.tolist(), strict=True):
        ids[has_vector].append(key)
    vectors = _matrix(path, ids[True], column, fixed)
    place_of = {key: (0, row) for row, key in enumerate(ids[True])}
    if len(place_of) != len(ids[True]):
        twice = next(key for row, key in enumerate(ids[True]) if place_of[key] != (0, row))
        raise InvalidDataError(f"{path}: utterance {twice} occurs more than once; each has exactly one vector.")
    _warn_of_odd_vectors(path, ids[True], [vectors])
    marked = (table.schema.metadata or {}).get(b"synthetic") == b"true"
    return FeatureTable(
        path, vectors.shape[1], (vectors,), place_of, dict.fromkeys(ids[False], ""), synthetic=marked or None
    )


def _matrix(path: Path, ids: list[str], column: Any, fixed: bool) -> NDArray[np.float32]:
    """Stacks the lists of an Arrow column, one per id, to ``(ids, size)``."""
    if not ids:
        raise InvalidDataError(f"{path} has no feature vector at all.")
    widths = (
        np.full(len(column), column.type.list_size) if fixed else column.value_lengths().to_numpy(zero_copy_only=False)
    )
    if len(odd := np.flatnonzero(widths != widths[0])):
        raise InvalidDataError(
            f"{path}: vectors differ in width; {ids[0]} has {widths[0]}, {ids[odd[0]]} has {widths[odd[0]]}."
        )
    if widths[0] == 0:
        raise InvalidDataError(f"{path}: its vectors are empty lists. A missing vector must be null.")
    numbers = column.flatten().to_numpy(zero_copy_only=False).reshape(len(ids), int(widths[0]))
    if len(odd := np.flatnonzero(~np.isfinite(numbers).all(axis=1))):
        raise InvalidDataError(
            f"{path}: {len(odd)} vectors have NaN or infinite numbers, the first is that of {ids[odd[0]]}. "
            "A missing vector must be null."
        )
    with np.errstate(over="ignore"):
        vectors: NDArray[np.float32] = numbers.astype(np.float32)
    if len(odd := np.flatnonzero(~np.isfinite(vectors).all(axis=1))):
        raise InvalidDataError(
            f"{path}: {len(odd)} vectors have numbers beyond the largest of float32, "
            f"{float(np.finfo(np.float32).max):.1e}, the first is that of {ids[odd[0]]}. Check how they were made."
        )
    return vectors
