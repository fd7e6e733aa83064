"""Sharding: safetensors files with a matrix of vectors, and a record of every row in their header."""

from __future__ import annotations

import json
import stat
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.errors import InvalidDataError, missing_extra
from iemomecp_dataset.excerpts import excerpt
from iemomecp_dataset.features.store.store_rows import STATUSES, RowRecord, StoreRow
from iemomecp_dataset.field_checks import is_integer
from iemomecp_dataset.files import write_bytes

__all__ = ["Shard", "header_of", "read_record", "read_shard", "shard_bytes", "whole_numbers", "write_shard"]

_DTYPES = {"F32": "<f4", "F16": "<f2"}
_EXTRACT_AGAIN = "Remove this file and run the extraction again; only this shard is computed anew."


@dataclass(frozen=True)
class Shard:
    """A shard on disk.

    Attributes:
        path: The file.
        records: Records of all rows, with and without vectors.
        vectors: ``(rows with status ok, size)``, memory-mapped.
    """

    path: Path
    records: list[RowRecord]
    vectors: NDArray[Any]

    def positions(self) -> Iterator[tuple[RowRecord, int | None]]:
        """Locates the vector of every row.

        Yields:
            Each record with the index of its vector in ``vectors``, or None.
        """
        position = 0
        for record in self.records:
            has_vector = record.status == "ok"
            yield record, position if has_vector else None
            position += has_vector


def write_shard(path: Path, rows: Sequence[StoreRow], size: int, dtype: str) -> None:
    """Writes a shard.

    Args:
        path: The file.
        rows: Rows, with or without vectors.
        size: Width of a vector.
        dtype: ``float32`` or ``float16``.

    See Also:
        :func:`read_shard` reads it back.
    """
    write_bytes(path, shard_bytes(rows, size, dtype))


def shard_bytes(rows: Sequence[StoreRow], size: int, dtype: str) -> bytes:
    """Serializes rows to the content of a shard; equal rows give equal bytes.

    Args:
        rows: Rows, with or without vectors.
        size: Width of a vector.
        dtype: ``float32`` or ``float16``.

    Returns:
        A safetensors file with the tensor ``vectors`` and the records under the metadata key ``rows``.

    Raises:
        MissingDependencyError: safetensors is not installed.
    """
    try:
        from safetensors.numpy import save
    except ImportError:
        raise missing_extra("safetensors", "train") from None
    present = [row.vector for row in rows if row.vector is not None]
    vectors = np.stack(present).astype(dtype) if present else np.zeros((0, size), dtype)
    records = [[getattr(row, name) for name in RowRecord._fields] for row in rows]
    # A single entry, because safetensors does not keep the order of several.
    return bytes(save({"vectors": np.ascontiguousarray(vectors)}, {"rows": json.dumps(records, ensure_ascii=False)}))


def read_shard(path: Path) -> Shard:
    """Reads the header of a shard and memory-maps its vectors.

    The format is that of https://github.com/huggingface/safetensors: eight bytes of header length, a JSON header, data.
    The library's own reader would copy the vectors to memory.

    Args:
        path: The file.

    Returns:
        The shard.

    Raises:
        InvalidDataError: The file does not exist, is truncated, or is not a shard.

    See Also:
        :func:`write_shard`.
    """
    try:
        header, length, total = header_of(path)
        tensor = header["vectors"]
        fields = json.loads(header["__metadata__"]["rows"])
        (rows, size), (begin, end) = whole_numbers(tensor["shape"]), whole_numbers(tensor["data_offsets"])
        dtype = np.dtype(_DTYPES[tensor["dtype"]])
        records = [read_record(record) for record in fields]
        if begin or end != rows * size * dtype.itemsize or total != 8 + length + end:
            raise ValueError(f"expected {8 + length + end} bytes, found {total}")
        if sum(record.status == "ok" for record in records) != rows:
            raise ValueError(f"its records do not match its {rows} vectors")
        if rows == 0:
            return Shard(path, records, np.zeros((0, size), dtype))
        mapped = np.memmap(path, dtype=dtype, mode="r", offset=8 + length + begin, shape=(rows, size))
    except FileNotFoundError:
        raise InvalidDataError(f"{path}: this shard of the store does not exist. {_EXTRACT_AGAIN}") from None
    except (OSError, ValueError, KeyError, TypeError, IndexError, RecursionError, struct.error) as error:
        raise InvalidDataError(f"{path} is not an intact shard: {str(error)[:200]}. {_EXTRACT_AGAIN}") from None
    # A plain view, because indexing a memmap object row by row is ten times slower.
    return Shard(path, records, np.asarray(mapped))


def header_of(path: Path) -> tuple[dict[str, Any], int, int]:
    """Reads the header of a safetensors file.

    Args:
        path: The file.

    Returns:
        The header, its length in bytes, and the size of the file.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is no plain file, or truncated.
        RecursionError: Its header is nested too deeply.
    """
    state = path.stat()
    if not stat.S_ISREG(state.st_mode):  # a pipe, which would be waited for, or a folder
        raise ValueError("it is not a file")
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        if length > state.st_size - 8:
            raise ValueError("the file is truncated within its header")
        header = json.loads(file.read(length))
    if not isinstance(header, dict):
        raise ValueError("its header is not an object")
    return header, length, state.st_size


def whole_numbers(values: Any) -> list[int]:
    """Checks a list of shapes or places of a header.

    Raises:
        ValueError: It is not a list of whole numbers from 0.
    """
    if not isinstance(values, list) or not all(is_integer(value) and value >= 0 for value in values):
        raise ValueError(f"expected whole numbers from 0, found {excerpt(values)!r}")
    return values


def read_record(fields: Any) -> RowRecord:
    """Checks the record of a row.

    Args:
        fields: What the header has.

    Raises:
        ValueError: It has other fields, or other types.
    """
    if not isinstance(fields, list) or len(fields) != len(RowRecord._fields):
        raise ValueError(f"the records of its rows do not have {len(RowRecord._fields)} fields")
    record = RowRecord(*fields)
    texts = (record.utterance_id, record.status, record.reason or "", record.note or "")
    fits = all(isinstance(text, str) for text in texts) and is_integer(record.n_frames)
    if not fits or not isinstance(record.seconds, int | float | None) or record.status not in STATUSES:
        raise ValueError(f"its record {excerpt(fields, 80)} is not that of a row")
    return record
