"""Writes the feature arrays and the mapping that HiLo and MECPE-2step read, such as ``video_id_mapping.npy``.

The names are those of ECF's files; the widths are free. Row 0 is unused, and the others follow the utterances of
``all_data_pair.txt``.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from iemomecp_dataset.benchmark.peers.exports.peer_dialogues import PeerDialogue
from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.features.store.feature_store import FeatureTable, read_feature_table
from iemomecp_dataset.files import atomic_write, write_bytes

__all__ = ["CONSTANT", "ArrayOptions", "WrittenArray", "write_feature_array", "write_mapping"]

CONSTANT = 1.0
"""The one column that stands for features that there are none of."""


@dataclass(frozen=True)
class ArrayOptions:
    """Where an array is from.

    Attributes:
        store: Feature store, or Parquet file with ``utterance_id`` and ``vector``; None for a constant column.
        width: Width that the vectors must have; None for any.
        max_missing: Share of the utterances that may lack a vector.
    """

    store: Path | None = None
    width: int | None = None
    max_missing: float = 0.01


@dataclass(frozen=True)
class WrittenArray:
    """An array that was written.

    Attributes:
        width: Its width.
        digest: Hash of the vectors, as a run's record has it; None for a constant column.
        missing: By split the utterances without a vector, whose row is zeros.
    """

    width: int
    digest: str | None
    missing: Mapping[str, int]


def write_feature_array(
    path: Path, splits: Mapping[str, Sequence[PeerDialogue]], order: Iterable[PeerDialogue], options: ArrayOptions
) -> WrittenArray:
    """Writes the vectors of all utterances, float32 ``(utterances + 1, width)``.

    Args:
        path: The ``.npy`` file.
        splits: The dialogues by split.
        order: All of them, in the order of the mapping.
        options: Where the vectors are from.

    Returns:
        What was written.

    Raises:
        MissingDataError: The store does not exist.
        InvalidDataError: It is malformed, its vectors have another width, or too many utterances lack a vector.
    """
    utterances = [utterance for dialogue in order for utterance in dialogue.utterances]
    if options.store is None:
        # All rows, the unused one included: scaling a column of one value gives one value.
        with atomic_write(path) as partial, partial.open("wb") as stream:
            np.save(stream, np.full((len(utterances) + 1, 1), CONSTANT, dtype=np.float32), allow_pickle=False)
        return WrittenArray(1, None, {})
    table = read_feature_table(options.store)
    if options.width is not None and table.size != options.width:
        raise InvalidDataError(
            f"{options.store}: its vectors have width {table.size}, and {options.width} is asked for. Give the store "
            "of that width, or ask for the store's, and set it in the configuration of the peer."
        )
    ids = [utterance.utterance_id or "" for utterance in utterances]
    _check_share(table, ids, options)
    missing = {
        split: sum((u.utterance_id or "") not in table.place_of for dialogue in of_split for u in dialogue.utterances)
        for split, of_split in splits.items()
    }
    with atomic_write(path) as partial:
        # Row by row into the file: the arrays of ECF have hundreds of megabytes.
        array = np.lib.format.open_memmap(
            partial, mode="w+", dtype=np.float32, shape=(len(ids) + 1, table.size), version=(1, 0)
        )
        for row, key in enumerate(ids, start=1):
            place = table.place_of.get(key)
            if place is not None:
                array[row] = table.shards[place[0]][place[1]]
        array.flush()
        del array
    return WrittenArray(table.size, table.digest(ids)[0], {split: count for split, count in missing.items() if count})


def _check_share(table: FeatureTable, ids: Sequence[str], options: ArrayOptions) -> None:
    lacking = [key for key in ids if key not in table.place_of]
    if len(lacking) == len(ids):
        raise InvalidDataError(
            f"{options.store}: none of the {len(ids)} utterances is in it, such as {ids[0]!r}: these are features of "
            "another corpus. Give the features of this one."
        )
    if len(lacking) > options.max_missing * len(ids):
        reasons = [f"{key} ({reason})" if (reason := table.missing.get(key)) else key for key in lacking[:5]]
        raise InvalidDataError(
            f"{options.store}: {len(lacking)} of {len(ids)} utterances have no vector "
            f"({len(lacking) / len(ids):.1%}, more than the {options.max_missing:.1%} allowed), for example "
            f"{', '.join(reasons)}. Extract the missing ones, or raise --max-missing-features: the peer then gets "
            "zeros for them, since it has no mask."
        )


def write_mapping(path: Path, keys: Iterable[str]) -> None:
    """Writes ``video_id_mapping.npy``: a 0-dimensional object array that holds ``{key: row}``.

    The pickle is put together here and not by NumPy: NumPy 2 names a module that the NumPy 1.18 of MECPE does not have,
    and the names of NumPy 1 are read by both. Rows are plain integers, since MECPE evaluates the array's text.

    Args:
        path: The file.
        keys: Keys of rows 1, 2, …; a repeated key keeps its first row.
    """
    rows: dict[str, int] = {}
    for row, key in enumerate(keys, start=1):
        rows.setdefault(key, row)
    write_bytes(path, _object_array(rows))


def _object_array(content: dict[str, int]) -> bytes:
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (), }"
    # Magic, version and the header's length are 10 bytes; the data begins at a multiple of 64.
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + _pickled_array(content)


def _pickled_array(content: dict[str, int]) -> bytes:
    """A pickle of protocol 2 of the array: opcodes as in :mod:`pickletools`."""
    protocol, stop = b"\x80\x02", b"."
    items = pickle.dumps(content, protocol=2).removeprefix(protocol).removesuffix(stop)

    def name(module: str, of: str) -> bytes:
        return f"c{module}\n{of}\n".encode()

    def text(value: str) -> bytes:
        return b"X" + len(value).to_bytes(4, "little") + value.encode()

    def integer(value: int) -> bytes:
        return b"J" + value.to_bytes(4, "little", signed=True)

    empty = name("numpy.core.multiarray", "_reconstruct")
    empty += name("numpy", "ndarray") + integer(0) + b"\x85"  # (0,)
    empty += name("_codecs", "encode") + text("b") + text("latin1") + b"\x86R"  # b"b", as protocol 2 has no bytes
    empty += b"\x87R"
    kind = name("numpy", "dtype") + text("O8") + integer(0) + integer(1) + b"\x87R"
    kind += b"(" + integer(3) + text("|") + b"NNN" + integer(-1) + integer(-1) + integer(63) + b"tb"
    state = b"(" + integer(1) + b")" + kind + b"\x89" + b"]" + items + b"a" + b"tb"
    return protocol + empty + state + stop
