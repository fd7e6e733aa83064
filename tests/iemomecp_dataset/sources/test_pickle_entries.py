"""Chosen entries of a pickle: the values that pickle itself reads, without the memory of the others."""

from __future__ import annotations

import contextlib
import os
import pickle
import random
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UnsafeFileError
from iemomecp_dataset.sources.pickle_entries import open_pickle_entries
from iemomecp_dataset.sources.restricted_pickle import read_restricted_pickle

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


def plain(value: Any) -> Any:
    """Lists in the place of arrays, whatever shape a reader gives them."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return set(value)
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


def read(path: Path, wanted: set[int]) -> dict[int, Any]:
    with open_pickle_entries(path, lambda _: wanted) as opened:
        return {number: plain(opened.load(value)) for number, value in opened.entries.items()}


def entries(rng: np.random.Generator) -> list[Any]:
    keys = ["Ses01F_impro01", "a dialogue of one turn", 7, (1, "two")]
    shared = rng.normal(size=(3, 40)).astype(np.float32)
    return [
        {key: rng.normal(size=(n + 1, 130)).astype(np.float32) for n, key in enumerate(keys)},
        {key: rng.normal(size=(n + 1, 130)).tolist() for n, key in enumerate(keys)},
        {key: [rng.normal(size=12) for _ in range(n + 1)] for n, key in enumerate(keys)},
        {key: [[0, 1], [1, 0]] for key in keys},
        {key: ["caf\u00e9 \u2019", "x" * 5000, ""] for key in keys},
        {key: np.asfortranarray(shared) for key in keys},
        dict.fromkeys(keys, shared),
        {
            "floats": [0.5] * 2500,
            "few": [1.5, 2.5],
            "mixed": [1, *([0.25] * 20), "end"],
            "led": ["start", *([0.25] * 20)],
            "pair": [*([0.5] * 9), (1.5, 2.5)],
        },
        set(keys),
        keys,
        (*([0.125] * 10),),
        {"scalar": np.float32(0.5), "empty": np.zeros((0, 4)), "objects": np.array([[1.0, 2.0], [3.0]], dtype=object)},
    ]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("kind", [tuple, list])
def test_every_entry_alone_is_what_pickle_reads(tmp_path: Path, protocol: int, kind: type) -> None:
    content = kind(entries(np.random.default_rng(0)))
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    whole = read_restricted_pickle(path)
    for number, value in enumerate(content):
        assert read(path, {number}) == {number: plain(value)}, number
        assert plain(whole[number]) == plain(value)
    assert read(path, set(range(12))) == {number: plain(value) for number, value in enumerate(content)}


@settings(max_examples=40, deadline=None)
@given(
    protocol=st.sampled_from(list(PROTOCOLS)),
    content=st.lists(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
            lambda inner: st.lists(inner, max_size=12) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
            max_leaves=30,
        )
        | st.lists(st.floats(allow_nan=False, width=32), max_size=60),
        max_size=6,
    ),
    data=st.data(),
)
def test_any_containers(
    tmp_path_factory: pytest.TempPathFactory, protocol: int, content: list, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("any") / "x.pkl"
    path.write_bytes(pickle.dumps(tuple(content), protocol=protocol))
    wanted = data.draw(st.sets(st.integers(0, 6)))
    expected = {number: plain(content[number]) for number in sorted(wanted) if number < len(content)}
    assert read(path, wanted) == expected


def test_strings_of_python_2_are_latin_1(tmp_path: Path) -> None:
    path = tmp_path / "x.pkl"
    raw = b"caf\xc3\xa9" * 80
    path.write_bytes(b"(U\x04a\xe9bcT" + len(raw).to_bytes(4, "little") + raw + b"t.")
    assert read(path, {0, 1}) == {0: "a\u00e9bc", 1: raw.decode("latin-1")}


@pytest.mark.parametrize("as_lists", [False, True])
def test_memory_is_that_of_the_chosen_entry(tmp_path: Path, as_lists: bool) -> None:
    rng = np.random.default_rng(0)
    keys = list(range(60))

    def one() -> dict[int, Any]:
        rows = {key: rng.normal(size=(6, 256)).astype(np.float32) for key in keys}
        return {key: value.tolist() for key, value in rows.items()} if as_lists else rows

    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps(tuple(one() for _ in range(12)), protocol=2))
    kept = 60 * 6 * 256 * 4
    open_buffer = 1 << 20
    tracemalloc.start()
    with open_pickle_entries(path, lambda n: {n - 2}) as opened:
        found = {key: np.asarray(opened.load(value), np.float32) for key, value in opened.entries[10].items()}
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found) == 60
    assert peak < 3 * kept + open_buffer
    assert path.stat().st_size > 10 * kept


def test_memory_does_not_grow_with_the_other_entries(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)

    def peak(n_entries: int) -> int:
        entries = [{key: [rng.normal(size=4) for _ in range(4)] for key in range(250)} for _ in range(n_entries)]
        path = tmp_path / f"{n_entries}.pkl"
        path.write_bytes(pickle.dumps(tuple(entries), protocol=3))
        del entries
        tracemalloc.start()
        with open_pickle_entries(path, lambda n: {n - 1}) as opened:
            assert len(opened.entries[n_entries - 1]) == 250
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    # One other entry at a time is being built.
    assert peak(10) < 2 * peak(2)


class Hostile:
    def __reduce__(self) -> tuple:
        return os.system, ("touch /tmp/this-must-not-exist",)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("wanted", [set(), {0}, {1}])
def test_code_is_refused_wherever_it_is(tmp_path: Path, protocol: int, wanted: set) -> None:
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps(([1.0] * 20, [Hostile()]), protocol=protocol))
    with pytest.raises(UnsafeFileError, match=r"references .*system"):
        read(path, wanted)
    assert not Path("/tmp/this-must-not-exist").exists()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_damaged_files_are_one_sentence(tmp_path: Path, protocol: int) -> None:
    whole = pickle.dumps(tuple(entries(np.random.default_rng(1))[:9]), protocol=protocol)
    path = tmp_path / "x.pkl"
    rng = random.Random(protocol)
    for _ in range(25):
        at = rng.randrange(len(whole))
        for damaged in (whole[:at], whole[:at] + bytes([rng.randrange(256)]) + whole[at + 1 :]):
            path.write_bytes(damaged)
            # Damage can leave a pickle of other numbers.
            with contextlib.suppress(InvalidDataError, UnsafeFileError):
                read(path, {0, 1})


@pytest.mark.parametrize("content", [{}, 5, "text", [0.5] * 20 + [{}]])
def test_a_tuple_of_entries_is_expected(tmp_path: Path, content: object) -> None:
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps(content))
    if isinstance(content, list):
        assert read(path, {20}) == {20: {}}
        return
    with pytest.raises(InvalidDataError, match="not a readable pickle"):
        read(path, {0})
    with pytest.raises(MissingDataError):
        read(tmp_path / "none.pkl", {0})


def doubled(levels: int, *, by: bytes = b"h") -> bytes:
    """A tuple of the tuple before twice, and so on: hashed, it takes two to the power of the levels."""
    twice = {
        b"h": lambda n: b"0(h" + bytes([n]) + b"h" + bytes([n]) + b"tq" + bytes([n + 1]),
        b"g": lambda n: b"0(g%d\ng%d\ntp%d\n" % (n, n, n + 1),
        b"\x86": lambda n: b"0h" + bytes([n]) + b"h" + bytes([n]) + b"\x86\x94",
        b"2": lambda n: b"2\x86",
        b"N0": lambda n: b"0(h" + bytes([n]) + b"h" + bytes([n]) + b"tN0q" + bytes([n + 1]),
    }[by]
    first = {b"2": b")", b"\x86": b")\x94", b"g": b")p0\n"}.get(by, b")q\x00")
    return first + b"".join(map(twice, range(levels)))


WAYS = (b"h", b"g", b"\x86", b"2", b"N0")
HASHED = {
    "dict": lambda key: b"(" + key + b"Nd",
    "setitem": lambda key: b"}" + key + b"Ns",
    "setitems": lambda key: b"}(" + key + b"Nu",
    "set": lambda key: b"\x8f(" + key + b"\x90",
    "frozenset": lambda key: b"(" + key + b"\x91",
    "called": lambda key: b"cbuiltins\nset\n((" + key + b"ltR",
    "ordered": lambda key: b"ccollections\nOrderedDict\n(((" + key + b"NlltR",
}


@pytest.mark.parametrize("hashed", HASHED)
@pytest.mark.parametrize("way", WAYS, ids=repr)
def test_keys_that_would_be_hashed_for_ever_are_refused(way: bytes, hashed: str, tmp_path: Path) -> None:
    path = tmp_path / "x.pkl"
    path.write_bytes(b"(" + HASHED[hashed](doubled(60, by=way)) + b"t.")
    with pytest.raises(InvalidDataError, match="has more than 1,000 parts"):
        read_restricted_pickle(path)
    with pytest.raises(InvalidDataError, match="has more than 1,000 parts"):
        read(path, {0})
    # Few levels are a key as any other.
    path.write_bytes(b"(" + HASHED[hashed](doubled(4, by=way)) + b"t.")
    assert len(read_restricted_pickle(path)[0]) == len(read(path, {0})[0]) == 1


def test_values_that_are_shared_again_and_again_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.pkl"
    value: Any = ["x"]
    for _ in range(60):
        value = [value, value]
    itself: list[Any] = []
    itself.append(itself)
    for found, said in ((value, "more than 100 times as many values"), (itself, "a list holds itself")):
        path.write_bytes(pickle.dumps(({"a": found},)))
        with pytest.raises(InvalidDataError, match=said):
            read_restricted_pickle(path)
        with pytest.raises(InvalidDataError, match=said):
            read(path, {0})


def test_tuples_that_are_shared_in_keys_are_read(tmp_path: Path) -> None:
    path = tmp_path / "x.pkl"
    shared = ("a", 1)
    content = tuple({(shared, (shared, n)): shared for n in range(50)} for _ in range(3))
    for protocol in PROTOCOLS:
        path.write_bytes(pickle.dumps(content, protocol=protocol))
        assert read_restricted_pickle(path) == content
