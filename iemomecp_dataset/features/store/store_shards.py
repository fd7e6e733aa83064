"""Sharding: safetensors files with a matrix of vectors, and a record of every row in their header."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.errors import InvalidDataError, missing_extra
from iemomecp_dataset.features.store.store_rows import RowRecord, StoreRow
from iemomecp_dataset.files import write_bytes

__all__ = ["Shard", "read_shard", "shard_bytes", "write_shard"]

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
        total = path.stat().st_size
        with open(path, "rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > total - 8:
                raise ValueError("the file is truncated within its header")
            header = json.loads(file.read(length))
        tensor = header["vectors"]
        fields = json.loads(header["__metadata__"]["rows"])
        rows, size = tensor["shape"]
        dtype = np.dtype(_DTYPES[tensor["dtype"]])
        begin, end = tensor["data_offsets"]
        if any(len(record) != len(RowRecord._fields) for record in fields):
            raise ValueError(f"the records of its rows do not have {len(RowRecord._fields)} fields")
        records = [RowRecord(*record) for record in fields]
        if end - begin != rows * size * dtype.itemsize or total != 8 + length + end:
            raise ValueError(f"expected {8 + length + end} bytes, found {total}")
        if sum(record.status == "ok" for record in records) != rows:
            raise ValueError(f"its records do not match its {rows} vectors")
        if rows == 0:
            return Shard(path, records, np.zeros((0, size), dtype))
        mapped = np.memmap(path, dtype=dtype, mode="r", offset=8 + length + begin, shape=(rows, size))
    except FileNotFoundError:
        raise InvalidDataError(f"{path}: this shard of the store does not exist. {_EXTRACT_AGAIN}") from None
    except (OSError, ValueError, KeyError, TypeError, struct.error) as error:
        raise InvalidDataError(f"{path} is not an intact shard: {error}. {_EXTRACT_AGAIN}") from None
    # A plain view, because indexing a memmap object row by row is ten times slower.
    return Shard(path, records, np.asarray(mapped))
