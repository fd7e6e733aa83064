"""Every candidate exactly once, or the difference by name."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.metrics.evaluation.coverage import aligned_order, check_no_repeats, sparse_order

TURNS = st.integers(1, 12) | st.sampled_from([2**16, 2**16 + 1, 2**31 - 2, 2**31 - 1]) | st.integers(1, 2**31 - 1)
PAIRS = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c10", "c1"]), TURNS, TURNS),
    unique=True,
    min_size=1,
    max_size=40,
)


def columns(pairs):
    return tuple(map(list, zip(*pairs, strict=True)))


@given(PAIRS, st.randoms(use_true_random=False))
def test_order_brings_pairs_into_line(pairs, random):
    shuffled = list(pairs)
    random.shuffle(shuffled)
    order = aligned_order("p", columns(shuffled), columns(pairs))
    assert [shuffled[i] for i in order] == pairs


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@pytest.mark.parametrize("largest", [2**31 - 1, 2**31 - 5])
def test_a_huge_turn_makes_no_pairs_equal(largest, dtype):
    # Products of such turns pass 64 bits: the keys of different dialogues would meet.
    pairs = [(f"d{i}", turn, 1) for i in range(8) for turn in (1, largest)]
    ids, *turns = columns(pairs)
    keys = (ids, *(np.array(column, dtype=dtype) for column in turns))
    check_no_repeats("p", keys)
    assert aligned_order("p", tuple(column[::-1] for column in keys), keys).tolist() == list(range(len(pairs)))[::-1]


def test_missing_repeated_and_unknown_pairs_are_counted_and_named():
    wanted = columns([("a", 1, 1), ("a", 2, 1), ("a", 2, 2), ("b", 1, 1)])
    found = columns([("a", 1, 1), ("a", 1, 1), ("a", 2, 3), ("b", 1, 1), ("c", 1, 1)])
    with pytest.raises(InvalidDataError) as caught:
        aligned_order("p.csv", found, wanted)
    message = str(caught.value)
    assert "2 pairs missing: (dialogue a, target 2, cause 1), (dialogue a, target 2, cause 2)" in message
    assert "1 pair given more than once: (dialogue a, target 1, cause 1)" in message
    unknown = "(dialogue a, target 2, cause 3), (dialogue c, target 1, cause 1)"
    assert f"2 pairs not among the candidates of the gold: {unknown}" in message
    assert message.startswith("p.csv")


def test_long_lists_are_cut_and_counted():
    wanted = columns([("a", turn, 1) for turn in range(1, 101)])
    with pytest.raises(InvalidDataError, match=r"99 pairs missing: .* and 94 more"):
        aligned_order("p", columns([("a", 1, 1)]), wanted)


def test_turn_zero_is_unknown_and_meets_no_other_pair():
    with pytest.raises(
        InvalidDataError, match=r"1 pair not among the candidates of the gold: \(.* target 0, cause 5\)"
    ):
        aligned_order("p", columns([("a", 0, 5), ("a", 1, 1)]), columns([("a", 1, 1)]))
    with pytest.raises(InvalidDataError, match=r"target 2, cause -1"):
        aligned_order("p", columns([("a", 2, -1), ("a", 1, 1)]), columns([("a", 1, 1)]))


def test_repeats_alone():
    check_no_repeats("p", columns([("a", 1, 1), ("b", 1, 1)]))
    with pytest.raises(InvalidDataError, match="2 pairs given more than once"):
        check_no_repeats("p", columns([("a", 1, 1)] * 3))


def test_many_pairs_are_aligned_without_a_loop():
    n = 200_000
    keys = (
        np.repeat([f"d{i}" for i in range(100)], n // 100),
        np.tile(np.arange(n // 100), 100),
        np.zeros(n, dtype=int),
    )
    order = aligned_order("p", tuple(column[::-1] for column in keys), keys)
    assert order[0] == n - 1


@given(PAIRS, PAIRS, st.randoms(use_true_random=False))
def test_a_sparse_file_is_placed_as_a_dictionary_would(wanted, found, random):
    dialogues = {pair[0] for pair in wanted}
    found = [pair for pair in found if pair[0] in dialogues]
    random.shuffle(found)
    keys = columns(found) if found else ([], [], [])
    order, outside = sparse_order("p", keys, columns(wanted))
    place = {pair: i for i, pair in enumerate(found)}
    assert order.tolist() == [place.get(pair, -1) for pair in wanted]
    assert sorted(outside.tolist()) == [i for i, pair in enumerate(found) if pair not in wanted]


def test_repeats_and_unknown_dialogues_are_no_sparse_file():
    wanted = columns([("a", 1, 1), ("a", 2, 1)])
    with pytest.raises(
        InvalidDataError, match=r"1 pair given more than once.*; 1 pair of dialogues that the gold does"
    ):
        sparse_order("p.csv", columns([("a", 1, 1), ("a", 1, 1), ("b", 1, 1)]), wanted)
