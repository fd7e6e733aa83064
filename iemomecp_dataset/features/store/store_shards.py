"""Shards: safetensors files with a matrix of vectors, and in their header the account of every row."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.errors import InvalidDataError, missing_extra
from iemomecp_dataset.features.store.store_rows import StoreRow
from iemomecp_dataset.files import write_bytes

__all__ = ["Shard", "read_shard", "shard_bytes", "write_shard"]

_DTYPES = {"F32": "<f4", "F16": "<f2"}
_ROW_FIELDS = ("utterance_id", "status", "n_frames", "seconds", "reason", "note")
_EXTRACT_AGAIN = "Remove this file and run the extraction again; only what it held is computed anew."


@dataclass(frozen=True)
class Shard:
    """A shard as it lies on disk.

    Attributes:
        path: The file.
        accounts: Utterance id, status, n_frames, seconds, reason and note of every row, vectors or not.
        vectors: ``(rows with status ok, size)``, mapped, not read.
    """

    path: Path
    accounts: list[tuple[Any, ...]]
    vectors: NDArray[Any]


def write_shard(path: Path, rows: Sequence[StoreRow], size: int, dtype: str) -> None:
    """Writes a shard.

    Args:
        path: The file.
        rows: Its rows, with or without vectors.
        size: Width of a vector.
        dtype: ``float32`` or ``float16``.
    """
    write_bytes(path, shard_bytes(rows, size, dtype))


def shard_bytes(rows: Sequence[StoreRow], size: int, dtype: str) -> bytes:
    """The content of a shard; equal rows give equal bytes."""
    try:
        from safetensors.numpy import save
    except ImportError:
        raise missing_extra("safetensors", "train") from None
    present = [row.vector for row in rows if row.vector is not None]
    vectors = np.stack(present).astype(dtype) if present else np.zeros((0, size), dtype)
    accounts = [[getattr(row, name) for name in _ROW_FIELDS] for row in rows]
    # One entry, as safetensors keeps no order among several.
    return bytes(save({"vectors": np.ascontiguousarray(vectors)}, {"rows": json.dumps(accounts, ensure_ascii=False)}))


def read_shard(path: Path) -> Shard:
    """Reads the header of a shard and maps its vectors.

    The format is that of https://github.com/huggingface/safetensors: eight bytes of header length, a JSON header, data.
    It is read here as the library's reader copies what it reads.

    Raises:
        InvalidDataError: The file is not there, is cut off, or is no shard.
    """
    try:
        total = path.stat().st_size
        with open(path, "rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > total - 8:
                raise ValueError("the file is cut off in its header")
            header = json.loads(file.read(length))
        tensor = header["vectors"]
        accounts = [tuple(account) for account in json.loads(header["__metadata__"]["rows"])]
        rows, size = tensor["shape"]
        dtype = np.dtype(_DTYPES[tensor["dtype"]])
        begin, end = tensor["data_offsets"]
        if any(len(account) != len(_ROW_FIELDS) for account in accounts):
            raise ValueError("its account of rows is not ours")
        if end - begin != rows * size * dtype.itemsize or total != 8 + length + end:
            raise ValueError(f"it should have {8 + length + end} bytes and has {total}")
        if sum(account[1] == "ok" for account in accounts) != rows:
            raise ValueError(f"its account names other rows than the {rows} vectors it holds")
        if rows == 0:
            return Shard(path, accounts, np.zeros((0, size), dtype))
        mapped = np.memmap(path, dtype=dtype, mode="r", offset=8 + length + begin, shape=(rows, size))
    except FileNotFoundError:
        raise InvalidDataError(f"{path}: this shard of the store is not there. {_EXTRACT_AGAIN}") from None
    except (OSError, ValueError, KeyError, TypeError, struct.error) as error:
        raise InvalidDataError(f"{path} is no intact shard: {error}. {_EXTRACT_AGAIN}") from None
    # A plain view: indexing a memmap object row by row is ten times slower.
    return Shard(path, accounts, np.asarray(mapped))
