"""Damage to Parquet files: of columns, types, rows and metadata."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from damage import damage_bytes, damage_json
from hypothesis import strategies as st

__all__ = ["damage_parquet"]

_TYPES = (
    pa.string(), pa.large_string(), pa.binary(), pa.bool_(), pa.int8(), pa.uint64(), pa.int64(), pa.float16(),
    pa.float32(), pa.float64(), pa.decimal128(20, 3), pa.date32(), pa.timestamp("ns"), pa.duration("s"), pa.null(),
    pa.list_(pa.float64()), pa.struct([("a", pa.int64())]), pa.dictionary(pa.int32(), pa.string()),
)  # fmt: skip
_VALUES = (
    None, True, -1, 0, 1, 2, 7, 2**31, -(2**31) - 1, 2**62, 0.5, 1.5, float("nan"), float("inf"),
    -float("inf"), 1e300, 1e-320,
    "", " ", "x", "1", "NaN", "\0", "é", "\u202e", "x" * 100_000, " " * 100_000, b"\xff\xfe", [],
    [1.0], [None], [float("nan")], {"a": 1},
)  # fmt: skip


def damage_parquet(draw: Callable[[st.SearchStrategy[Any]], Any], content: bytes) -> tuple[bytes, str]:
    """Damages what a Parquet file holds.

    Args:
        draw: As hypothesis gives it.
        content: The file.

    Returns:
        The damaged file, and the damage.
    """
    try:
        table = pq.read_table(io.BytesIO(content))
    except (pa.ArrowException, OSError, ValueError):
        return damage_bytes(draw, content)
    if not table.num_columns:
        return damage_bytes(draw, content)
    here = draw(st.integers(0, table.num_columns - 1))
    name = table.column_names[here]
    row = draw(st.integers(0, max(table.num_rows - 1, 0)))
    try:
        table, words = _damaged(draw, table, here, name, row)
        sink = io.BytesIO()
        pq.write_table(table, sink)
    except (pa.ArrowException, OSError, ValueError, TypeError, OverflowError, KeyError):
        return damage_bytes(draw, content)
    return sink.getvalue(), words


def _damaged(draw: Any, table: pa.Table, here: int, name: str, row: int) -> tuple[pa.Table, str]:
    column = table.column(here)
    values = column.to_pylist()
    match draw(st.integers(0, 11)):
        case 0:
            kind = draw(st.sampled_from(_TYPES))
            try:
                new = column.cast(kind, safe=False)
            except (pa.ArrowException, NotImplementedError):
                new = pa.nulls(table.num_rows, kind)
            return table.set_column(here, name, new), f"{name} of type {kind}"
        case 1:
            return table.remove_column(here), f"without {name}"
        case 2:
            other = draw(st.sampled_from((*table.column_names, "", "x", name.upper(), f" {name}")))
            names = [*table.column_names[:here], other, *table.column_names[here + 1 :]]
            return table.rename_columns(names), f"{name} is called {other!r}"
        case 3:
            return table.append_column(name, column), f"{name} twice"
        case 4 | 5 | 6 if values:
            value = draw(st.sampled_from(_VALUES))
            values[row] = value
            try:
                array = pa.array(values, type=column.type)
            except (pa.ArrowException, TypeError, ValueError, OverflowError):
                array = pa.array([value] * len(values))
            return table.set_column(here, name, array), f"{name} is {value!r:.40} at row {row}"
        case 7:
            return pa.concat_tables([table, table.slice(row, 1)]), f"row {row} twice"
        case 8:
            size = draw(st.sampled_from((0, 1, max(table.num_rows - 1, 0))))
            return table.slice(0, size), f"{size} rows"
        case 9 if values:
            other = draw(st.integers(0, len(values) - 1))
            values[row], values[other] = values[other], values[row]
            return table.set_column(here, name, pa.array(values, type=column.type)), f"{name} of two rows exchanged"
        case 10:
            order = draw(st.permutations(range(min(table.num_rows, 20))))
            return table.take(pa.array(order, pa.int64())), "rows in another order"
        case _:
            metadata = dict(table.schema.metadata or {})
            key = draw(st.sampled_from((*sorted(metadata), b"iemomecp", b"pandas")))
            stated = metadata.get(key, b"{}")
            try:
                metadata[key], words = damage_json(draw, stated)
            except ValueError:
                metadata[key], words = damage_bytes(draw, stated)
            return table.replace_schema_metadata(metadata), f"metadata {key!r}: {words}"
