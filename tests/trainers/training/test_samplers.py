"""Mini-batches: everything once, the same again from seed and epoch alone, shared out by cost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from iemomecp_dataset.trainers.training.distributed import Processes
from iemomecp_dataset.trainers.training.samplers import Drawn, LengthBatches, RandomBatches


@given(n=st.integers(1, 50), size=st.integers(1, 9), seed=st.integers(0, 5), epoch=st.integers(0, 5))
def test_sampler_covers_every_dialogue_once_and_repeats_itself(n: int, size: int, seed: int, epoch: int) -> None:
    sampler = RandomBatches(n, size, seed=seed)
    sampler.set_epoch(epoch)
    batches = list(sampler)
    assert sorted(i for batch in batches for i in batch) == list(range(n))
    assert len(batches) == len(sampler)
    fresh = RandomBatches(n, size, seed=seed)
    fresh.set_epoch(epoch)
    assert list(fresh) == batches, "an epoch's order does not depend on the ones before it"
    fresh.done = epoch
    assert list(fresh) == batches[epoch:]
    assert len(fresh) == len(batches), "the length is the whole epoch's"


@given(costs=st.lists(st.integers(1, 40), min_size=1, max_size=50), count=st.integers(2, 4), seed=st.integers(0, 3))
def test_processes_take_shares_of_like_cost_of_the_same_batches(costs: list[int], count: int, seed: int) -> None:
    def shares(index: int) -> list[list[int]]:
        return list(RandomBatches(len(costs), 5, seed=seed, processes=Processes(count, index), costs=costs))

    whole = list(RandomBatches(len(costs), 5 * count, seed=seed, costs=costs))
    for batch, *shared in zip(whole, *map(shares, range(count)), strict=True):
        real = [[p for p in share if p >= 0] for share in shared]
        assert sorted(p for share in real for p in share) == sorted(batch), "everything once"
        if len(batch) == 5 * count:
            totals = [sum(costs[p] for p in share) for share in real]
            assert max(totals) - min(totals) <= max(costs[p] for p in batch) - min(costs[p] for p in batch)


@given(
    costs=st.lists(st.integers(1, 40), min_size=1, max_size=60),
    pooled=st.integers(1, 5),
    epoch=st.integers(0, 3),
    count=st.integers(1, 3),
)
def test_pooled_batches_hold_everything_once_and_repeat_themselves(
    costs: list[int], pooled: int, epoch: int, count: int
) -> None:
    sampler, fresh = (
        RandomBatches(len(costs), 4, costs=costs, pooled=pooled, processes=Processes(count)) for _ in range(2)
    )
    for order in (sampler, fresh):
        order.set_epoch(epoch)
    fresh.done = epoch
    batches = list(sampler)
    assert sorted(p for batch in sampler.batches() for p in batch) == list(range(len(costs)))
    assert len(batches) == len(sampler)
    assert list(fresh) == batches[epoch:]


def test_pooled_batches_have_items_of_like_cost_in_another_order_each_epoch() -> None:
    costs = [(7 * i) % 97 for i in range(97)]

    def padded(pooled: int, epoch: int) -> tuple[int, list[list[int]]]:
        order = RandomBatches(97, 4, costs=costs, pooled=pooled)
        order.set_epoch(epoch)
        return sum(max(costs[p] for p in batch) * len(batch) for batch in order), list(order)

    assert padded(24, 0)[0] < 1.1 * sum(costs) < 1.3 * sum(costs) < padded(1, 0)[0]
    assert sorted(map(sorted, padded(25, 0)[1])) == sorted(map(sorted, padded(25, 1)[1])), "one pool of everything"
    assert padded(25, 0)[1] != padded(25, 1)[1]
    assert sorted(map(sorted, padded(5, 0)[1])) != sorted(map(sorted, padded(5, 1)[1]))
    in_order = list(RandomBatches(97, 4, costs=costs, pooled=97, shuffle=False))
    assert [costs[p] for batch in in_order for p in batch] == sorted(costs)


def test_a_process_takes_what_was_dealt_to_it() -> None:
    costs = [9, 1, 5, 8, 2, 6]
    for count, shares in ((1, [[0, 1, 2, 3, 4, 5]]), (2, [[0, 2, 4], [3, 5, 1]]), (3, [[0, 1], [3, 4], [5, 2]])):
        dealt = Processes(count).deal([0, 1, 2, 3, 4, 5], costs)
        assert [Processes(count, index).share(dealt) for index in range(count)] == shares
    assert [Processes(3, index).share([4, 7]) for index in range(3)] == [[4], [7], [~4]]


def test_epochs_and_seeds_differ() -> None:
    orders = []
    for seed, epoch in ((0, 0), (0, 1), (1, 0)):
        sampler = RandomBatches(40, 40, seed=seed)
        sampler.set_epoch(epoch)
        orders.append(tuple(next(iter(sampler))))
    assert len(set(orders)) == 3
    assert next(iter(RandomBatches(4, 4, shuffle=False))) == [0, 1, 2, 3]


@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=60), budget=st.integers(1, 200), seed=st.integers(0, 3)
)
def test_length_batches_hold_each_pair_once_within_the_budget(lengths: list[int], budget: int, seed: int) -> None:
    order = LengthBatches(lengths, budget, seed=seed)
    epochs = []
    for epoch in (0, 1):
        order.set_epoch(epoch)
        batches = list(order)
        assert len(batches) == len(order), "as many in every epoch: the schedule relies on it"
        assert sorted(p for batch in batches for p in batch) == list(range(len(lengths)))
        for batch in batches:
            assert len(batch) == 1 or max(lengths[p] for p in batch) * len(batch) <= budget
        epochs.append(batches)
    order.set_epoch(0)
    assert list(order) == epochs[0]


@given(
    parts=st.lists(st.tuples(st.integers(1, 12), st.integers(1, 30)), min_size=1, max_size=3),
    epoch=st.integers(0, 3),
    count=st.integers(1, 2),
)
def test_an_epoch_draws_of_each_part_what_is_asked_for_as_evenly_as_it_goes(
    parts: list[tuple[int, int]], epoch: int, count: int
) -> None:
    drawn = [Drawn(*part) for part in parts]
    size = sum(part.size for part in drawn)
    sampler, fresh = (RandomBatches(size, 4, seed=1, drawn=drawn, processes=Processes(count)) for _ in range(2))
    for order in (sampler, fresh):
        order.set_epoch(epoch)
    positions = [p for batch in sampler.batches() for p in batch]
    assert len(positions) == sampler.epoch_size == sum(part.number for part in drawn)
    assert len(list(sampler.batches())) == len(sampler)
    first = 0
    for part in drawn:
        times = [positions.count(p) for p in range(first, first + part.size)]
        assert sum(times) == part.number
        assert max(times) - min(times) <= 1
        first += part.size
    assert list(fresh.batches()) == list(sampler.batches()), "seed and epoch alone decide"


def test_each_epoch_draws_others() -> None:
    order = RandomBatches(40, 4, drawn=[Drawn(40, 20)])
    found = []
    for epoch in range(2):
        order.set_epoch(epoch)
        found.append({p for batch in order for p in batch})
    assert len(found[0]) == len(found[1]) == 20
    assert found[0] != found[1]
