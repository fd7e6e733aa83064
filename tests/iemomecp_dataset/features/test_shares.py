"""Who computes which shard file: each exactly once, by its utterances alone."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from iemomecp_dataset.features.shares import shares

PLANS = st.lists(st.text(min_size=1), unique=True, max_size=60).map(lambda ids: [[[key]] for key in ids])


@settings(deadline=None, max_examples=40)
@given(PLANS, st.integers(1, 9))
def test_every_file_has_one_process_and_the_numbers_differ_by_one_at_most(plan: list, n: int) -> None:
    found = shares(plan, n)
    assert len(found) == n
    assert sorted(number for share in found for number in share) == list(range(len(plan)))
    counts = [len(share) for share in found]
    assert max(counts) - min(counts) <= 1
    assert all(list(share) == sorted(share) for share in found)


@settings(deadline=None, max_examples=40)
@given(PLANS, st.integers(1, 5), st.integers(1, 4))
def test_more_processes_divide_the_shares_of_fewer(plan: list, n: int, times: int) -> None:
    few, many = shares(plan, n), shares(plan, n * times)
    for number, share in enumerate(few):
        assert set(share) == {file for other in range(number, n * times, n) for file in many[other]}


@settings(deadline=None, max_examples=40)
@given(PLANS, st.integers(1, 5), st.randoms())
def test_the_utterances_decide_and_not_the_number_of_the_file(plan: list, n: int, chance) -> None:
    order = list(range(len(plan)))
    chance.shuffle(order)
    moved = shares([plan[place] for place in order], n)
    assert [{order[file] for file in share} for share in moved] == [set(share) for share in shares(plan, n)]
