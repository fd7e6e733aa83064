"""Feature tables from Parquet files: their vectors, and every malformed file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from iemomecp_dataset.errors import InvalidDataError, MissingDataError
from iemomecp_dataset.features import read_feature_table


def write(path: Path, ids: list[str], vectors: list, **columns: list) -> Path:
    pq.write_table(
        pa.table({"utterance_id": ids, "vector": pa.array(vectors, pa.list_(pa.float32())), **columns}), path
    )
    return path


def test_vectors_by_utterance(tmp_path: Path) -> None:
    table = read_feature_table(write(tmp_path / "f.parquet", ["a", "b", "c"], [[1, 2], None, [5, 6]]))
    assert table.size == 2
    found = table.select(["c", "a", "c"])
    assert {key: vector.tolist() for key, vector in found.items()} == {"c": [5, 6], "a": [1, 2]}


def test_missing_vectors_are_left_out_within_tolerance_and_named_beyond(tmp_path: Path) -> None:
    table = read_feature_table(write(tmp_path / "f.parquet", ["a", "b", "c"], [[1, 2], None, [5, 6]]))
    assert set(table.select(["a", "b", "c", "d"], tolerance=0.5)) == {"a", "c"}
    with pytest.raises(InvalidDataError, match=r"2 of 4 utterances have no feature vector \(50\.0%.*b, d"):
        table.select(["a", "b", "c", "d"], tolerance=0.4)


@pytest.mark.parametrize(
    ("ids", "vectors", "message"),
    [
        (["a", "b"], [[1.0, 2.0], [3.0]], "vectors differ in width; a has 2, b has 1"),
        (["a", "b"], [[1.0, 2.0], [np.nan, 1.0]], "1 vectors have NaN or infinite.*that of b"),
        (["a", "b"], [[1.0], [np.inf]], "that of b"),
        (["a", "b", "a"], [[1.0], [2.0], [3.0]], "utterance a occurs more than once"),
        (["a"], [None], "no feature vector at all"),
    ],
)
def test_bad_tables(ids: list[str], vectors: list, message: str, tmp_path: Path) -> None:
    path = write(tmp_path / "bad.parquet", ids, vectors)
    with pytest.raises(InvalidDataError, match=message) as error:
        read_feature_table(path)
    assert str(path) in str(error.value)


def test_other_files(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match=r"none\.parquet is not there"):
        read_feature_table(tmp_path / "none.parquet")
    (tmp_path / "text.parquet").write_text("no parquet")
    with pytest.raises(InvalidDataError, match="cannot be read as Parquet"):
        read_feature_table(tmp_path / "text.parquet")
    pq.write_table(pa.table({"id": ["a"], "vector": [[1.0]]}), tmp_path / "columns.parquet")
    with pytest.raises(InvalidDataError, match=r"no column 'utterance_id'; .* found id, vector"):
        read_feature_table(tmp_path / "columns.parquet")
    pq.write_table(pa.table({"utterance_id": ["a"], "vector": [1.0]}), tmp_path / "scalar.parquet")
    with pytest.raises(InvalidDataError, match="must have lists of floats, but has double"):
        read_feature_table(tmp_path / "scalar.parquet")
