"""Scores of validation are told from those of other splits, and what is not certain is doubted."""

from __future__ import annotations

import pytest

from iemomecp_dataset.benchmark.speed.printed_course import PrintedCourse

# As many as ECF has.
GOLD = {"train": 7055, "validation": 866, "test": 1873}


def scores(true_positives: int, predicted: int, gold: int) -> tuple[float, float, float]:
    """In percent."""
    return (
        100 * true_positives / predicted,
        100 * true_positives / gold,
        200 * true_positives / (predicted + gold),
    )


VALIDATION, TEST = scores(356, 648, 866), scores(494, 1031, 1873)


def found_in(*lines: str, gold: dict[str, int] = GOLD) -> list[tuple[float, str]]:
    course = PrintedCourse(gold)
    return [(found.f1, found.doubt) for line in lines if (found := course.read(f"{line}\n")) is not None]


def printed(values: tuple[float, ...], digits: int = 4) -> str:
    return " ".join(f"{value:.{digits}f}" for value in values)


@pytest.mark.parametrize(
    "lines",
    [
        [printed(VALIDATION)],
        ["epoch 3 loss 0.2511", f"valid {printed(VALIDATION)}", f"test {printed(TEST)}"],
        [f"12:00:01.123 {name}: {value}" for name, value in zip("PRF", VALIDATION, strict=True)],
        ["f1 p r", *(f"{value:.4f}" for value in (VALIDATION[2], *VALIDATION[:2]))],
        [printed(tuple(value / 100 for value in VALIDATION), 8)],
    ],
)
def test_a_score_of_validation_is_found_once(lines: list[str]) -> None:
    ((f1, doubt),) = found_in(*lines)
    assert f1 == pytest.approx(47.0277, abs=1e-3)
    assert not doubt


def test_each_evaluation_is_found_even_with_the_same_score() -> None:
    assert [f1 for f1, _ in found_in(*[printed(VALIDATION), "epoch", printed(TEST)] * 3)] == [47.0277] * 3


@pytest.mark.parametrize(
    "line",
    [
        printed(TEST),
        printed(scores(356, 648, 867)),
        "54.9383 41.1085 47.0377",
        printed((0.0, 0.0, 0.0)),
        "loss 0.25 0.31",
        "Pair F1 of validation: 47.0277",
    ],
)
def test_what_is_no_score_of_validation_is_passed_over(line: str) -> None:
    assert found_in(line) == []


@pytest.mark.parametrize(
    ("line", "gold", "doubt"),
    [
        (printed(scores(10, 40, 20)), {"validation": 20, "test": 40, "train": 31}, "could be those of test, too"),
        (printed(VALIDATION, 2), GOLD, "rounded too coarsely"),
        (f"{printed(VALIDATION)} after filter {printed(scores(300, 500, 866))}", GOLD, "several scores"),
    ],
)
def test_a_score_that_could_be_another_is_doubted(line: str, gold: dict[str, int], doubt: str) -> None:
    ((_, found),) = found_in(line, gold=gold)
    assert doubt in found


def test_numbers_that_are_far_apart_are_no_score() -> None:
    precision, recall, f1 = printed(VALIDATION).split()
    assert found_in(precision, recall, *["."] * 40, f1) == []
    assert len(found_in(precision, recall, *["."] * 20, f1)) == 1
