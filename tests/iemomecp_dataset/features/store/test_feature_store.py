"""Feature stores: written vectors come back, and a store whose parts do not belong together is refused."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import warnings
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reader_case import ReaderCase

from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UsageError
from iemomecp_dataset.features import STATUSES, StoreCard, open_store, read_card, read_feature_table
from iemomecp_dataset.features.store.store_card import check_store, claim_store
from iemomecp_dataset.features.store.store_index import COLUMNS, SHARDS_KEY, write_index
from iemomecp_dataset.features.store.store_layout import INDEX_NAME, shard_name
from iemomecp_dataset.features.store.store_rows import StoreRow
from iemomecp_dataset.features.store.store_shards import read_shard, shard_bytes, write_shard


def card(**changes: object) -> StoreCard:
    plain = StoreCard(
        modality="audio",
        model="m",
        revision="r",
        corpus="c",
        corpus_fingerprints={"train": "f"},
        utterances="u",
        n_utterances=5,
        n_shards=2,
        synthetic=True,
        size=3,
        dtype="float32",
        settings={"pooling": "mean"},
        versions={"torch": "2"},
    )
    return dataclasses.replace(plain, **changes)


def row(key: str, value: float | None) -> StoreRow:
    if value is None:
        return StoreRow(key, "missing_media", reason="no such file")
    return StoreRow(key, "ok", np.full(3, value, np.float32), n_frames=4, seconds=1.5, note="resampled")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    folder = tmp_path / "store"
    claim_store(folder, card())
    write_shard(folder / shard_name(0, 2), [row("d", 4), row("b", None), row("a", 1)], 3, "float32")
    write_shard(folder / shard_name(1, 2), [row("c", 3), row("e", 5)], 3, "float32")
    write_index(folder, card(), ["a", "b", "c", "d", "e"])
    return folder


def test_vectors_come_back_by_utterance(store: Path) -> None:
    table = read_feature_table(store)
    assert table.size == 3
    found = table.select(["e", "d", "a"])
    assert {key: vector.tolist() for key, vector in found.items()} == {"e": [5] * 3, "d": [4] * 3, "a": [1] * 3}
    assert all(vector.dtype == np.float32 for vector in found.values())
    index = pq.read_table(store / INDEX_NAME).to_pylist()
    assert [line["utterance_id"] for line in index] == ["a", "b", "c", "d", "e"]
    assert index[1] == {
        "utterance_id": "b",
        "shard": 0,
        "row": None,
        "n_frames": 0,
        "seconds": None,
        "status": "missing_media",
        "reason": "no such file",
        "note": None,
    }
    assert "SYNTHETIC" in (store / "README.md").read_text()


def test_missing_vectors_say_why_and_are_never_zeros(store: Path) -> None:
    table = read_feature_table(store)
    assert set(table.select(["a", "b"], tolerance=0.5)) == {"a"}
    with pytest.raises(InvalidDataError, match=r"1 of 2 .*b \(missing_media: no such file\)"):
        table.select(["a", "b"])


def test_a_store_of_another_corpus_is_refused(store: Path) -> None:
    with pytest.raises(InvalidDataError, match=r"none of the 2 requested .*another corpus.*SYNTHETIC corpus c"):
        read_feature_table(store).select(["x", "y"])


def test_vectors_are_mapped_not_read(store: Path) -> None:
    base = open_store(store).shards[0]
    while isinstance(base.base, np.ndarray):
        base = base.base
    assert isinstance(base, np.memmap)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.floats(-1000, 1000, width=16)), max_size=12),
    st.sampled_from(["float32", "float16"]),
)
def test_any_shard_round_trips_and_equal_rows_give_equal_bytes(values: list[float | None], dtype: str) -> None:
    rows = [row(f"u{i}é", value) for i, value in enumerate(values)]
    assert shard_bytes(rows, 3, dtype) == shard_bytes(rows, 3, dtype)
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "s.safetensors"
        write_shard(path, rows, 3, dtype)
        shard = read_shard(path)
        assert [record.utterance_id for record in shard.records] == [r.utterance_id for r in rows]
        expected = [[value] * 3 for value in values if value is not None]
        assert shard.vectors.tolist() == expected
        from safetensors.numpy import load_file

        assert load_file(path)["vectors"].tolist() == expected


def test_a_folder_is_claimed_once(tmp_path: Path) -> None:
    claim_store(tmp_path / "s", card())
    claim_store(tmp_path / "s", card())
    assert read_card(tmp_path / "s") == card()
    with pytest.raises(UsageError, match=r"contains another extraction: model is 'm' there and 'other' here"):
        claim_store(tmp_path / "s", card(model="other"))
    with pytest.raises(UsageError, match=r"settings is pooling 'mean' there and 'max' here"):
        claim_store(tmp_path / "s", card(settings={"pooling": "max"}))
    (tmp_path / "full").mkdir()
    (tmp_path / "full/thesis.doc").touch()
    with pytest.raises(UsageError, match="is neither empty nor a feature store"):
        claim_store(tmp_path / "full", card())


def test_an_unfinished_store_says_how_to_finish(store: Path) -> None:
    (store / INDEX_NAME).unlink()
    (store / shard_name(1, 2)).unlink()
    with pytest.raises(MissingDataError, match=r"not finished: 1 of its 2 shards.*Run the same"):
        read_feature_table(store)


def edit_index(store: Path, column: str, position: int, value: object) -> None:
    table = pq.read_table(store / INDEX_NAME)
    values = table[column].to_pylist()
    values[position] = value
    at = table.column_names.index(column)
    pq.write_table(
        table.set_column(at, table.field(column), pa.array(values, table.field(column).type)), store / INDEX_NAME
    )


@pytest.mark.parametrize(
    ("column", "position", "value", "message"),
    [
        ("row", 0, 0, "does not match its shards: utterance a"),
        ("row", 0, 17, "does not match its shards: utterance a"),
        ("row", 1, 0, "does not match its shards: utterance b"),
        ("row", 0, None, "does not match its shards: utterance a"),
        ("shard", 2, 0, "does not match its shards: utterance c"),
        ("status", 0, "fine", "utterance a has the unknown status 'fine'"),
        ("utterance_id", 0, "b", "occurs more than once"),
        ("utterance_id", 0, "z", "does not match its shards: utterance z"),
    ],
)
def test_an_index_that_does_not_fit_its_shards(
    store: Path, column: str, position: int, value: object, message: str
) -> None:
    edit_index(store, column, position, value)
    with pytest.raises(InvalidDataError, match=message) as error:
        read_feature_table(store)
    assert INDEX_NAME in str(error.value)


def test_every_single_damage_to_a_shard_is_found(store: Path, tmp_path: Path) -> None:
    path = store / shard_name(0, 2)
    good = path.read_bytes()
    for position in range(0, len(good), 7):
        path.write_bytes(good[:position] + bytes([good[position] ^ 0x10]) + good[position + 1 :])
        with pytest.raises(InvalidDataError):
            read_feature_table(store)
    for length in (0, 4, 20, len(good) - 1):
        path.write_bytes(good[:length])
        with pytest.raises(InvalidDataError, match="is not an intact shard"):
            read_feature_table(store)
    path.write_bytes(good)
    read_feature_table(store)
    path.unlink()
    with pytest.raises(InvalidDataError, match="does not exist"):
        read_feature_table(store)


def test_shards_of_another_store(store: Path) -> None:
    write_shard(store / shard_name(1, 2), [row("c", 3), row("x", 5)], 3, "float32")
    with pytest.raises(InvalidDataError, match=r"is damaged|does not match the index"):
        read_feature_table(store)
    with pytest.raises(InvalidDataError, match="2 differ, such as e"):
        write_index(store, card(), ["a", "b", "c", "d", "e"])
    wide = [StoreRow("c", "ok", np.zeros(4, np.float32)), row("e", None)]
    write_shard(store / shard_name(1, 2), wide, 4, "float32")
    with pytest.raises(InvalidDataError, match=r"has vectors of 4 x float32, but card\.json states 3 x float32"):
        read_feature_table(store)
    shutil.copy(store / shard_name(0, 2), store / shard_name(1, 2))
    with pytest.raises(InvalidDataError, match="utterance d is in two shards"):
        write_index(store, card(), ["a", "b", "c", "d", "e"])


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"format": 1}', '{"format": 2, "size": 3}', f'{{"format": 1, "{"x" * 10**5}": 1}}']
)
def test_cards_that_are_none(store: Path, content: str) -> None:
    (store / "card.json").write_text(content)
    with pytest.raises(InvalidDataError, match="is not a valid card of a feature store") as error:
        read_feature_table(store)
    assert len(str(error.value)) < 1000


def test_folders_that_are_no_store(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match=r"is not a feature store: it has no card\.json"):
        read_feature_table(tmp_path)


def test_the_index_knows_how_many(store: Path) -> None:
    content = json.loads((store / "card.json").read_text())
    (store / "card.json").write_text(json.dumps(content | {"n_utterances": 6}))
    with pytest.raises(InvalidDataError, match="has 5 rows, but the card states 6 utterances"):
        read_feature_table(store)


def test_all_utterances_of_iemocap_are_looked_up_without_reading_files_again(tmp_path: Path) -> None:
    ids = [f"Ses01F_impro01_F{i:04d}" for i in range(7433)]
    folder, big = tmp_path / "big", card(n_utterances=len(ids), n_shards=4, size=768)
    claim_store(folder, big)
    vectors = np.random.default_rng(0).normal(size=(len(ids), 768)).astype(np.float32)
    for n in range(4):
        rows = [StoreRow(ids[i], "ok", vectors[i], 1, 1.0) for i in range(n, len(ids), 4)]
        write_shard(folder / shard_name(n, 4), rows, 768, "float32")
    write_index(folder, big, ids)
    table = open_store(folder)
    shutil.rmtree(folder)
    found = table.select(ids)
    assert len(found) == len(ids)
    assert all(np.array_equal(found[key], vectors[i]) for i, key in enumerate(ids[:100]))


def test_a_broken_store_leaves_no_partial_files(store: Path) -> None:
    assert not [path for path in store.iterdir() if path.name.endswith(".partial")]


def test_the_page_names_every_status_and_column(repository: Path) -> None:
    page = (repository / "docs/features.md").read_text(encoding="utf-8")
    assert all(f"| `{status}` | {meaning} |" in page for status, meaning in STATUSES.items())
    assert f"`{', '.join(COLUMNS)}`" in page


# --- feature tables --------------------------------------------------------------------------------------------------


def write_table(path: Path, ids: list[str], vectors: list, **columns: list) -> Path:
    pq.write_table(
        pa.table({"utterance_id": ids, "vector": pa.array(vectors, pa.list_(pa.float32())), **columns}), path
    )
    return path


class TestFeatureTable(ReaderCase):
    of = read_feature_table
    file = "f.parquet"
    is_text = False

    @pytest.fixture
    def content(self, tmp_path: Path) -> bytes:
        return write_table(tmp_path / "good.parquet", ["a", "b", "c"], [[1, 2], None, [5, 6]]).read_bytes()


def test_vectors_by_utterance(tmp_path: Path) -> None:
    table = read_feature_table(write_table(tmp_path / "f.parquet", ["a", "b", "c"], [[1, 2], None, [5, 6]]))
    assert table.size == 2
    found = table.select(["c", "a", "c"])
    assert {key: vector.tolist() for key, vector in found.items()} == {"c": [5, 6], "a": [1, 2]}


def test_missing_vectors_are_left_out_within_tolerance_and_named_beyond(tmp_path: Path) -> None:
    table = read_feature_table(write_table(tmp_path / "f.parquet", ["a", "b", "c"], [[1, 2], None, [5, 6]]))
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
        (["a", "b"], [[], []], "its vectors are empty lists"),
        (["a", None, None], [[1.0], [2.0], None], "2 of 3 rows have no utterance_id, the first is row 2"),
    ],
)
def test_bad_feature_tables(ids: list[str], vectors: list, message: str, tmp_path: Path) -> None:
    path = write_table(tmp_path / "bad.parquet", ids, vectors)
    with pytest.raises(InvalidDataError, match=message) as error:
        read_feature_table(path)
    assert str(path) in str(error.value)


def test_ids_that_are_not_text_are_refused_by_file(tmp_path: Path) -> None:
    path = write_table(tmp_path / "f.parquet", ["aaaa", "bbbb"], [[1.0], [2.0]])
    path.write_bytes(path.read_bytes().replace(b"aaaa", b"aa\xffa"))
    with pytest.raises(InvalidDataError, match=r"f\.parquet"):
        read_feature_table(path)


def test_files_that_are_no_feature_table(tmp_path: Path) -> None:
    (tmp_path / "text.parquet").write_text("no parquet")
    with pytest.raises(InvalidDataError, match="cannot be read as Parquet"):
        read_feature_table(tmp_path / "text.parquet")
    pq.write_table(pa.table({"id": ["a"], "vector": [[1.0]]}), tmp_path / "columns.parquet")
    with pytest.raises(InvalidDataError, match=r"no column 'utterance_id'; .* found id, vector"):
        read_feature_table(tmp_path / "columns.parquet")
    pq.write_table(pa.table({"utterance_id": ["a"], "vector": [1.0]}), tmp_path / "scalar.parquet")
    with pytest.raises(InvalidDataError, match="must have lists of floats, but has double"):
        read_feature_table(tmp_path / "scalar.parquet")
    for ids in ([["a"]], [{"id": "a"}], [1.5], [float("nan")], [True], [b"a"]):
        pq.write_table(pa.table({"utterance_id": ids, "vector": [[1.0]]}), tmp_path / "ids.parquet")
        with pytest.raises(InvalidDataError, match=r"ids\.parquet: column 'utterance_id' must have texts, but has "):
            read_feature_table(tmp_path / "ids.parquet")


def test_integer_ids_are_read_as_their_text(tmp_path: Path) -> None:
    table = read_feature_table(write_table(tmp_path / "f.parquet", [7, 12], [[1.0], [2.0]]))
    assert table.select(["7", "12"]).keys() == {"7", "12"}


def test_vectors_that_float32_cannot_hold_are_called_that(tmp_path: Path) -> None:
    path = tmp_path / "f.parquet"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for numbers, message in (
            ([1e300, 1.0], r"1 vectors have numbers beyond the largest of float32, 3\.4e\+38, the first is that of b"),
            ([np.nan, 1.0], "1 vectors have NaN or infinite"),
            (["1", "2"], "must have lists of floats, but has list<"),
            ([True, False], "must have lists of floats, but has list<"),
        ):
            pq.write_table(pa.table({"utterance_id": ["b"], "vector": [numbers]}), path)
            with pytest.raises(InvalidDataError, match=message):
                read_feature_table(path)
    pq.write_table(pa.table({"utterance_id": ["a", "b"], "vector": [[1, 2], [3, 4]]}), path)
    assert read_feature_table(path).select(["b"])["b"].tolist() == [3.0, 4.0]


# What may stand in the place of any part of a card or a header.
ODD = [None, True, -1, 0, 1.5, 10**30, "", "\ud800", [], [None], {}, float("nan"), "[" * 10**5]


def places_in(document: object, at: tuple = ()) -> list[tuple]:
    """The place of every part of a JSON document, of lists the first two entries."""
    parts = {}
    if isinstance(document, dict):
        parts = document
    elif isinstance(document, list):
        parts = dict(enumerate(document[:2]))
    return [at, *(place for key, part in parts.items() for place in places_in(part, (*at, key)))]


def changed(document: object, place: tuple, value: object) -> object:
    """A document with another value at a place."""
    if not place:
        return value
    key, *rest = place
    copy = dict(document) if isinstance(document, dict) else list(document)
    copy[key] = changed(document[key], tuple(rest), value)
    return copy


def opens_or_says_why(store: Path) -> None:
    try:
        found = open_store(store, verify=False).select(["a", "c", "d", "e"])
    except (InvalidDataError, MissingDataError, UsageError):
        return
    assert {key: vector.tolist() for key, vector in found.items()} == {
        "a": [1.0] * 3, "c": [3.0] * 3, "d": [4.0] * 3, "e": [5.0] * 3
    }  # fmt: skip


@pytest.mark.parametrize("value", ODD, ids=range(len(ODD)))
def test_a_card_with_another_value_anywhere_is_refused_or_harmless(store: Path, value: object) -> None:
    document = json.loads((store / "card.json").read_text())
    for place in places_in(document):
        written = json.dumps(changed(document, place, value)) if value != ODD[-1] or place else ODD[-1]
        (store / "card.json").write_text(written)
        opens_or_says_why(store)


@pytest.mark.parametrize("value", ODD, ids=range(len(ODD)))
def test_a_header_with_another_value_anywhere_is_refused_or_harmless(store: Path, value: object) -> None:
    path = store / shard_name(0, 2)
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    rows = json.loads(header["__metadata__"]["rows"])
    odd = [changed(header, place, value) for place in places_in(header)]
    odd += [
        changed(header, ("__metadata__", "rows"), json.dumps(changed(rows, place, value))) for place in places_in(rows)
    ]
    for document in odd:
        text = json.dumps(document).encode()
        path.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + length :])
        opens_or_says_why(store)


def test_a_pipe_in_the_place_of_a_shard_is_not_waited_for(store: Path) -> None:
    path = store / shard_name(0, 2)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(InvalidDataError, match="it is not a file"):
        open_store(store)


@pytest.mark.parametrize(
    "damage", [None, b"", b"\xff", b"null", b"[null]", b'{"0": {}}', b"[[]]", b"[" * 10**5, b"9" * 5000]
)
def test_an_index_whose_list_of_shards_is_damaged(store: Path, damage: bytes | None) -> None:
    table = pq.read_table(store / INDEX_NAME)
    pq.write_table(table.replace_schema_metadata(damage and {SHARDS_KEY: damage}), store / INDEX_NAME)
    with pytest.raises(InvalidDataError, match=r"index\.parquet|does not match the index"):
        open_store(store)


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("values", [pa.nulls(5), pa.array([[1]] * 5), pa.array([b"\xff"] * 5), pa.array([1.5] * 5)])
def test_an_index_with_columns_of_other_types(store: Path, column: str, values: pa.Array) -> None:
    table = pq.read_table(store / INDEX_NAME)
    pq.write_table(table.set_column(COLUMNS.index(column), column, values), store / INDEX_NAME)
    with pytest.raises(InvalidDataError, match="is not the index of a feature store"):
        open_store(store)


def test_ids_of_an_index_that_are_no_text(store: Path) -> None:
    table = pq.read_table(store / INDEX_NAME)
    ids = pa.Array.from_buffers(pa.string(), 5, pa.array([b"\xff", b"b", b"c", b"d", b"e"]).buffers())
    pq.write_table(table.set_column(0, "utterance_id", ids), store / INDEX_NAME)
    with pytest.raises(InvalidDataError, match="cannot be read as Parquet: 'utf-8' codec"):
        open_store(store)


def odd_store(folder: Path, values: list[float]) -> Path:
    ids = [f"u{number}" for number in range(len(values))]
    of_store = card(n_utterances=len(ids), n_shards=1)
    claim_store(folder, of_store)
    write_shard(folder / shard_name(0, 1), [row(*pair) for pair in zip(ids, values, strict=True)], 3, "float32")
    write_index(folder, of_store, ids)
    return folder


def test_vectors_of_zeros_and_of_absurd_size_are_counted_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = odd_store(tmp_path / "store", [1.0, 0.0, 2.0, -3e7, 0.0, 5e3, 1.0, 1.5])
    file = write_table(tmp_path / "a.parquet", ["x", "y", "z"], [[1.0, 2.0], [0.0, 0.0], [2.0, 1.0]])
    for _ in range(2):
        open_store(store)
        read_feature_table(file)
    of_store, of_file = [record.message for record in caplog.records]
    assert of_store == (
        f"{store}: 2 of 8 vectors are zeros alone, such as u1, u4; 2 of 8 vectors have numbers beyond 1e+06, or 1000 "
        "times as large as is typical, such as u3, u5. A model takes them for features: check how they were made."
    )
    assert of_file.startswith(f"{file}: 1 of 3 vectors are zeros alone, such as y.")


def test_ordinary_vectors_are_not_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    open_store(odd_store(tmp_path / "store", [1e-3, 0.5, 1.0, 300.0, -400.0]))
    open_store(odd_store(tmp_path / "empty", [None, None]))
    assert not caplog.records


@pytest.mark.parametrize(
    ("stated", "used", "message"),
    [
        ({}, {"modality": "video"}, "has audio vectors, and is given as video features"),
        ({"modality": "text"}, {"modality": "event"}, None),
        ({"modality": "event"}, {"modality": "text"}, "has event vectors, and is given as text features"),
        ({"corpus": "ecf (ecf)"}, {"corpus": "meld"}, r"has vectors of ecf \(ecf\), and the corpus is meld"),
        ({"corpus": "meld (meld)"}, {"corpus": "ecem"}, None),
        ({"corpus": "iemomecp (3class)"}, {"corpus": "iemocap"}, None),
        ({"corpus": "of my own"}, {"corpus": "meld"}, None),
        ({"corpus": "unknown", "synthetic": False}, {"corpus": "meld", "synthetic": True}, None),
        ({"synthetic": True}, {"synthetic": False}, "has vectors of a SYNTHETIC corpus, and the corpus is real dialog"),
        ({"synthetic": False}, {"synthetic": True}, "has vectors of real dialogues, and the corpus is a SYNTHETIC"),
        ({"synthetic": True}, {"synthetic": True}, None),
    ],
)
def test_a_store_is_used_for_what_it_was_made_of(tmp_path: Path, stated: dict, used: dict, message: str | None) -> None:
    of_store = card(n_utterances=1, n_shards=1, **stated)
    claim_store(tmp_path / "store", of_store)
    write_shard(tmp_path / "store" / shard_name(0, 1), [row("a", 1)], 3, "float32")
    write_index(tmp_path / "store", of_store, ["a"])
    table = open_store(tmp_path / "store")
    if message is None:
        assert table.check_use(**used) is table
        check_store(tmp_path / "store", **used)
        return
    for check in (table.check_use, lambda **given: check_store(tmp_path / "store", **given)):
        with pytest.raises(UsageError, match=message):
            check(**used)


def test_names_on_the_card_are_words(store: Path) -> None:
    hostile = "`<script>alert(1)</script> [x](javascript:y) | z\n# w"
    write_index(store, card(model=hostile, settings={"audio": hostile}), ["a", "b", "c", "d", "e"])
    text = (store / "README.md").read_text(encoding="utf-8")
    assert "\\<script\\>alert(1)" in text
    assert not re.search(r"(?<!\\)(<script|\[x\])|^# w", text, re.MULTILINE)
