"""Shards of a frame store: safetensors files with the tokens of some clips, one clip after the other."""

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
from iemomecp_dataset.features.store.store_shards import header_of, read_record, whole_numbers
from iemomecp_dataset.files import write_bytes

__all__ = ["FrameShard", "read_frame_shard", "write_frame_shard"]

_AGAIN = "Remove this file and run the extraction again; only this shard is computed anew."


@dataclass(frozen=True)
class FrameShard:
    """A shard on disk.

    Attributes:
        path: The file.
        records: Records of all clips, with and without tokens.
        lengths: Number of tokens of each, 0 without tokens.
        tokens: ``(tokens of all clips, d)`` float16, memory-mapped.
    """

    path: Path
    records: list[RowRecord]
    lengths: list[int]
    tokens: NDArray[np.float16]

    def places(self) -> Iterator[tuple[RowRecord, int, int]]:
        """Locates the tokens of every clip.

        Yields:
            Each record with the row of its first token and its number of tokens.
        """
        first = 0
        for record, length in zip(self.records, self.lengths, strict=True):
            yield record, first, length
            first += length


def write_frame_shard(path: Path, rows: Sequence[StoreRow], size: int) -> None:
    """Writes a shard; equal rows give equal bytes.

    Args:
        path: The file.
        rows: Clips: their ``vector`` is ``(T + P, d)``, their ``n_frames`` is T.
        size: Width d of a token.

    Raises:
        MissingDependencyError: safetensors is not installed.
    """
    try:
        from safetensors.numpy import save
    except ImportError:
        raise missing_extra("safetensors", "train") from None
    present = [row.vector for row in rows if row.vector is not None]
    tokens = np.concatenate(present).astype(np.float16) if present else np.zeros((0, size), np.float16)
    lengths = [0 if row.vector is None else len(row.vector) for row in rows]
    records = [
        [*(getattr(row, name) for name in RowRecord._fields), length] for row, length in zip(rows, lengths, strict=True)
    ]
    text = json.dumps(records, ensure_ascii=False)
    write_bytes(path, bytes(save({"tokens": np.ascontiguousarray(tokens)}, {"clips": text})))


def read_frame_shard(path: Path, size: int) -> FrameShard:
    """Reads the header of a shard and memory-maps its tokens.

    Args:
        path: The file.
        size: Width that the store states.

    Returns:
        The shard.

    Raises:
        InvalidDataError: The file does not exist, is truncated, or is not a shard of such a store.
    """
    try:
        header, length, total = header_of(path)
        tensor = header["tokens"]
        entries = json.loads(header["__metadata__"]["clips"])
        (n_tokens, width), (begin, end) = whole_numbers(tensor["shape"]), whole_numbers(tensor["data_offsets"])
        records = [read_record(entry[:-1]) for entry in entries]
        lengths = whole_numbers([entry[-1] for entry in entries])
        if tensor["dtype"] != "F16" or width != size:
            raise ValueError(f"tokens of {width} x {tensor['dtype']}, expected {size} x F16")
        if begin or end != n_tokens * width * 2 or total != 8 + length + end:
            raise ValueError(f"expected {8 + length + end} bytes, found {total}")
        if sum(lengths) != n_tokens or any(
            (record.status == "ok") != (count > 0) for record, count in zip(records, lengths, strict=True)
        ):
            raise ValueError(f"its records do not match its {n_tokens} tokens")
        if n_tokens == 0:
            return FrameShard(path, records, lengths, np.zeros((0, size), np.float16))
        mapped: Any = np.memmap(path, dtype="<f2", mode="r", offset=8 + length + begin, shape=(n_tokens, width))
    except FileNotFoundError:
        raise InvalidDataError(f"{path}: this shard of the frame store does not exist. {_AGAIN}") from None
    except (OSError, ValueError, KeyError, TypeError, IndexError, RecursionError, struct.error) as error:
        raise InvalidDataError(f"{path} is not an intact shard of a frame store: {error}. {_AGAIN}") from None
    # A plain view, because indexing a memmap object is slow.
    return FrameShard(path, records, lengths, np.asarray(mapped))
