"""Arrays have the vectors of the store in the order of the mapping, which NumPy 1 and 2 both read."""

from __future__ import annotations

import ast
import pickletools
import warnings
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from peer_dialogues_case import peer_corpus

from iemomecp_dataset.benchmark.peers.exports.feature_arrays import (
    CONSTANT,
    ArrayOptions,
    write_feature_array,
    write_mapping,
)
from iemomecp_dataset.benchmark.peers.exports.peer_dialogues import PeerDialogue, integer_ids, peer_dialogues
from iemomecp_dataset.errors import InvalidDataError, MissingDataError
from iemomecp_dataset.features.store.feature_store import read_feature_table

ALL = [f"dia{name}utt{turn}" for name, n in (("9", 2), ("10", 3), ("2", 1), ("4", 2), ("7", 2), ("1", 2))
       for turn in range(1, n + 1)]  # fmt: skip


@pytest.fixture(name="splits")
def fixture_splits() -> dict[str, list[PeerDialogue]]:
    corpus = peer_corpus()
    names = {name: name for name in corpus.emotion_names}
    return peer_dialogues(corpus, peer="X", positive="pair", emotions=names, ids=integer_ids(corpus))[0]


def write_store(path: Path, ids: list[str], width: int = 3) -> Path:
    """The vector of the utterance at place i is i, i + 1000, i + 2000."""
    vectors = [[float(ALL.index(key)) + 1000 * column for column in range(width)] for key in ids]
    pq.write_table(pa.table({"utterance_id": ids, "vector": pa.array(vectors, pa.list_(pa.float32()))}), path)
    return path


def write(path: Path, splits: dict[str, list[PeerDialogue]], **options: object):
    ordered = [dialogue for of_split in splits.values() for dialogue in of_split]
    return write_feature_array(path, splits, ordered[::-1], ArrayOptions(**options))


def test_rows_follow_the_order_that_is_given(tmp_path: Path, splits: dict[str, list[PeerDialogue]]) -> None:
    store = write_store(tmp_path / "a.parquet", ALL[::-1])
    written = write(tmp_path / "out" / "a.npy", splits, store=store, width=3)
    array = np.load(tmp_path / "out" / "a.npy")
    assert array.dtype == np.float32
    assert array[0].tolist() == [0, 0, 0]
    order = [10, 11, 8, 9, 6, 7, 5, 2, 3, 4, 0, 1]  # The dialogues backwards, their turns forwards.
    assert array[1:].tolist() == [[i, i + 1000, i + 2000] for i in order]
    assert (written.width, written.missing) == (3, {})
    assert written.digest == read_feature_table(store).digest(ALL)[0]


def test_missing_vectors_are_zeros_and_counted(tmp_path: Path, splits: dict[str, list[PeerDialogue]]) -> None:
    store = write_store(tmp_path / "a.parquet", [key for key in ALL if key not in ("dia4utt1", "dia7utt2")])
    written = write(tmp_path / "a.npy", splits, store=store, max_missing=0.2)
    assert written.missing == {"validation": 1, "test": 1}
    assert np.flatnonzero(~np.load(tmp_path / "a.npy").any(axis=1)).tolist() == [0, 4, 5]
    with pytest.raises(InvalidDataError, match=r"2 of 12 utterances have no vector \(16.7%, more than the 10.0%"):
        write(tmp_path / "b.npy", splits, store=store, max_missing=0.1)
    assert not (tmp_path / "b.npy").exists()


def test_other_features_are_refused(tmp_path: Path, splits: dict[str, list[PeerDialogue]]) -> None:
    store = write_store(tmp_path / "a.parquet", ALL)
    with pytest.raises(InvalidDataError, match="its vectors have width 3, and 6373 is asked for"):
        write(tmp_path / "a.npy", splits, store=store, width=6373)
    table = pa.table({"utterance_id": ["other"], "vector": [[1.0]]})
    pq.write_table(table, tmp_path / "other.parquet")
    with pytest.raises(InvalidDataError, match="none of the 12 utterances is in it"):
        write(tmp_path / "a.npy", splits, store=tmp_path / "other.parquet", max_missing=1.0)
    with pytest.raises(MissingDataError):
        write(tmp_path / "a.npy", splits, store=tmp_path / "none.parquet")


def test_without_a_store_there_is_one_constant_column(tmp_path: Path, splits: dict[str, list[PeerDialogue]]) -> None:
    written = write(tmp_path / "a.npy", splits)
    assert (written.width, written.digest) == (1, None)
    assert np.load(tmp_path / "a.npy").tolist() == [[CONSTANT]] * 13


def test_the_mapping_is_read_by_this_numpy_without_a_warning(tmp_path: Path) -> None:
    keys = [f"dia{number}utt1" for number in range(300)]
    write_mapping(tmp_path / "m.npy", [*keys, "dia0utt1"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        array = np.load(tmp_path / "m.npy", allow_pickle=True)
    assert (array.shape, array.dtype) == ((), np.dtype(object))
    rows = array.item()
    assert rows == {key: row for row, key in enumerate(keys, start=1)}
    assert {type(row) for row in rows.values()} == {int}
    # MECPE evaluates the array's text.
    assert ast.literal_eval(str(array)) == rows


def test_the_mapping_names_what_old_numpy_has(tmp_path: Path) -> None:
    write_mapping(tmp_path / "m.npy", ["dia1utt1", "dia1utt2"])
    content = (tmp_path / "m.npy").read_bytes()
    start = content.index(b"\n") + 1
    assert content.startswith(b"\x93NUMPY\x01\x00")
    assert start % 64 == 0
    assert int.from_bytes(content[8:10], "little") == start - 10
    operations = list(pickletools.genops(content[start:]))
    assert operations[0][1] == 2  # The protocol that is stated, and the largest that an operation needs.
    assert max(code.proto for code, _, _ in operations) == 2
    modules = {argument for code, argument, _ in operations if code.name == "GLOBAL"}
    assert modules == {"numpy.core.multiarray _reconstruct", "numpy ndarray", "numpy dtype", "_codecs encode"}
