"""Parts, their failures, and the time limit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from iemomecp_dataset.benchmark.speed.gpu import parts as module
from iemomecp_dataset.benchmark.speed.gpu.parts import Finished, Part, Row


def run_parts(parts: list[Part], **given: Any) -> list[Finished]:
    """Without freeing memory: these parts take none."""
    return module.run_parts(parts, after=lambda: None, **given)


class Clock:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def part(self, name: str, seconds: float) -> Part:
        """A part that takes so long."""

        def rows() -> Iterator[Row]:
            self.now += seconds
            yield Row(name, 1.0, "pairs/s")

        return Part("training", name, rows)


def failing(error: BaseException) -> Callable[[], Iterator[Row]]:
    def rows() -> Iterator[Row]:
        yield Row("before", 1.0, "pairs/s")
        raise error

    return rows


def test_parts_that_the_time_does_not_reach_are_named() -> None:
    clock = Clock()
    parts = [clock.part("first", 50.0), clock.part("second", 20.0), clock.part("third", 1.0)]
    done = run_parts(parts, minutes=1, clock=clock)
    assert [(one.part.name, len(one.rows), one.reason) for one in done] == [
        ("first", 1, ""),
        ("second", 1, ""),
        ("third", 0, "not started: the 1 minutes were over"),
    ]
    assert [one.seconds for one in done] == [50.0, 20.0, 0.0]


def test_what_was_spent_before_counts() -> None:
    clock = Clock()
    (done,) = run_parts([clock.part("first", 1.0)], minutes=1, spent=61.0, clock=clock)
    assert done.reason.startswith("not started")


def test_a_part_in_progress_is_interrupted_when_the_time_is_over() -> None:
    def rows() -> Iterator[Row]:
        yield Row("before", 1.0, "pairs/s")
        try:
            while True:
                time.sleep(0.01)
        except Exception as error:  # what libraries have on the way
            raise AssertionError("the end was taken for an error of the part") from error

    done, after = run_parts([Part("compile", "base", rows), Part("predict", "base", list)], minutes=0.1 / 60)
    assert [row.what for row in done.rows] == ["before"]
    assert done.reason.startswith("interrupted: ")
    assert after.reason.startswith("not started: ")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError("CUDA out of memory.\n  Tried to allocate 2 GiB"), "RuntimeError: CUDA out of memory. Tried to"),
        (ImportError("no module named av"), "ImportError: no module named av"),
        (AssertionError(), "AssertionError"),
    ],
)
def test_a_part_that_fails_is_named_with_its_reason_and_the_rest_goes_on(error: Exception, reason: str) -> None:
    clock = Clock()
    failed, after = run_parts([Part("training", "base", failing(error)), clock.part("next", 1.0)], minutes=1)
    assert failed.reason.startswith(reason)
    assert "\n" not in failed.reason
    assert [row.what for row in failed.rows] == ["before"]
    assert after.reason == ""
    assert len(after.rows) == 1


def test_ctrl_c_ends_the_measurement() -> None:
    with pytest.raises(KeyboardInterrupt):
        run_parts([Part("training", "base", failing(KeyboardInterrupt()))], minutes=1)


def test_a_ratio_above_one_is_better_and_none_without_an_alternative() -> None:
    assert Row("rate", 6.0, "pairs/s", "loop", 2.0).ratio == 3.0
    assert Row("memory", 2.0, "MiB", "loop", 6.0, "smaller").ratio == 3.0
    assert Row("alone", 6.0, "pairs/s").ratio is None
    assert Row("nothing differs", 0.0, "", "tolerance", 1e-3, "smaller").ratio is None
