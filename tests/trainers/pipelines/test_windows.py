"""Windows over long conversations: none too long, no pair lost, each from the window where it lies deepest."""

from __future__ import annotations

import numpy as np
import pytest

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.trainers.pipelines.windows import MAX_WHOLE, Stitched, Window, reading, separate_reading

LENGTHS = (1, 2, 7, 19, 33, 70)
SEEN = (1, 2, 5, 9, 18, 40)
ASKED = (None, 1, 3, 17, 0)


@pytest.mark.parametrize("choose", [reading, separate_reading])
@pytest.mark.parametrize("space", ["all", "past"])
def test_every_pair_nearer_than_the_reach_is_scored_and_no_other(choose, space):
    for turns in LENGTHS:
        for longest in SEEN:
            for window in ASKED:
                read = choose(turns, longest, window)
                stitched = Stitched(turns, read.reach, 1)
                for one in read.windows:
                    targets, causes = one.candidates(space, len(one) if choose is reading else read.reach)
                    stitched.add(one, targets, causes, np.zeros((len(targets), 1)), {})
                found = stitched.pairs()
                expected = [
                    (target, cause)
                    for target in range(1, turns + 1)
                    for cause in range(1, turns + 1)
                    if abs(target - cause) < read.reach and (space == "all" or cause <= target)
                ]
                assert list(zip(found[0].tolist(), found[1].tolist(), strict=True)) == expected, (
                    turns,
                    longest,
                    window,
                )
                if window is None and choose is reading:
                    assert max(map(len, read.windows)) <= longest or turns <= longest
                if window == 0 or (window is None and turns <= longest):
                    assert read.whole
                if window:
                    assert read.reach == min(turns, window)


def test_a_model_reads_as_much_as_it_has_seen_and_reaches_seven_eighths_of_it():
    read = reading(200, longest=64)
    assert {len(window) for window in read.windows} == {64}
    assert read.reach == 58
    assert read.windows[-1].stop == 200


def test_a_pair_comes_from_the_window_in_which_it_is_farthest_from_an_edge():
    turns, read = 40, reading(40, longest=12)
    stitched = Stitched(turns, read.reach, 1)
    for number, window in enumerate(read.windows):
        targets, causes = window.candidates("all", len(window))
        stitched.add(
            window, targets, causes, np.full((len(targets), 1), number), {"number": np.full(len(window), float(number))}
        )

    def depth(window: Window, *turn: int) -> float:
        if min(turn) < window.start or max(turn) >= window.stop:
            return -1
        left = np.inf if window.start == 0 else min(turn) - window.start
        right = np.inf if window.stop == turns else window.stop - 1 - max(turn)
        return min(left, right)

    for target, cause, number in zip(*stitched.pairs(), strict=True):
        depths = [depth(window, target - 1, cause - 1) for window in read.windows]
        assert int(number[0]) == int(np.argmax(depths)), (target, cause)
    for turn, number in enumerate(stitched.of_turns()["number"]):
        assert int(number) == int(np.argmax([depth(window, turn) for window in read.windows]))


def test_the_ends_of_a_conversation_are_no_edges():
    inf = np.iinfo(np.int64).max
    for window, margins in (
        (Window(0, 3, 3), [inf, inf, inf]),
        (Window(0, 3, 9), [2, 1, 0]),
        (Window(3, 6, 9), [0, 1, 0]),
        (Window(6, 9, 9), [0, 1, 2]),
    ):
        assert window.margins().tolist() == margins, window


def test_pairs_that_are_scored_alone_are_scored_once():
    read = separate_reading(50, longest=9, window=6)
    listed = []
    for window in read.windows:
        targets, causes = window.candidates("all", read.reach)
        listed += list(zip((targets + window.start).tolist(), (causes + window.start).tolist(), strict=True))
    assert len(listed) == len(set(listed)) == 50 * 11 - 2 * sum(range(6))


@pytest.mark.parametrize("choose", [reading, separate_reading])
@pytest.mark.parametrize(
    ("turns", "window", "message"),
    [
        (MAX_WHOLE + 1, 0, "A window of 0 reads a conversation whole, but one has 1,025 turns .* Leave window= out"),
        (5, -1, "window must be a number of turns, or 0 .* but is -1"),
        (5, True, "but is True"),
        (5, 2.5, "but is 2.5"),
        (5, MAX_WHOLE + 1, "window= may be at most 1,024 turns, but is 1,025"),
    ],
)
def test_a_window_that_cannot_be_read_is_refused(choose, turns, window, message):
    with pytest.raises(UsageError, match=message):
        choose(turns, 64, window)


def test_ten_thousand_turns_take_memory_by_the_reach():
    read = reading(10_000, longest=64)
    stitched = Stitched(10_000, read.reach, 2)
    assert sum(array.nbytes for array in (stitched._best, stitched._pairs)) < 40e6
