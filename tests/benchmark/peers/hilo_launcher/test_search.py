"""The reading that gives the printed score is found, and only that one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from iemomecp_dataset.benchmark.peers.hilo_launcher.data_files import Dialogue, Split
from iemomecp_dataset.benchmark.peers.hilo_launcher.printed_scores import PrintedScore, printed_scores
from iemomecp_dataset.benchmark.peers.hilo_launcher.readings import RULES, Bindings, Decisions, Reading
from iemomecp_dataset.benchmark.peers.hilo_launcher.search import Match, Search, _choose, find_reading, read_again

# Sixty dialogues, one in each step; three pair logits, emotions with five classes and causes with two.
LONGER = Split(
    "test",
    [
        Dialogue(number, n, frozenset((i, j) for i in range(n) for j in range(n) if (7 * i + 3 * j + number) % 5 == 0))
        for number, n in enumerate([5, 3, 7, 1, 6, 4, 8, 2, 7, 5, 3, 6] * 5)
    ],
)


def outputs(seed: int = 0) -> list[dict[str, Any]]:
    drawn = np.random.default_rng(seed)
    return [
        {
            "batch.id": np.array([dialogue.id]),
            **{f"output.{name}": drawn.normal(size=(dialogue.n_turns, dialogue.n_turns, 2)) for name in "abc"},
            "output.e": drawn.normal(size=(dialogue.n_turns, 5)),
            "output.k": drawn.normal(size=(dialogue.n_turns, 2)),
            "output.window": np.abs(np.subtract.outer(*[np.arange(dialogue.n_turns)] * 2)) < 3,
        }
        for dialogue in LONGER.dialogues
    ]


def decided(steps: list[dict[str, Any]], names: str, keep: Any, last: Any) -> list[Any]:
    """Decisions in a loop over pairs; ``keep(e, c, i, j)`` is the filter, ``last(i)`` the last cause of a target."""
    made = []
    for step in steps:
        total = sum(step[f"output.{name}"] for name in names)
        emotion, cause = step["output.e"].argmax(1) == 1, step["output.k"].argmax(1) == 1
        size = range(len(total))
        made.append(
            np.array(
                [
                    [total[i, j, 1] >= total[i, j, 0] and keep(emotion, cause, i, j) and j <= last(i) for j in size]
                    for i in size
                ]
            ).ravel()
        )
    return made


def score_of(predicted: Any, split: Split) -> str:
    correct = (predicted & split.gold).sum()
    precision, recall = correct / predicted.sum(), correct / split.gold.sum()
    return f"{precision:.6f} {recall:.6f} {2 * precision * recall / (precision + recall):.6f}"


def either(emotion: Any, cause: Any, i: int, j: int) -> bool:
    return bool(emotion[i] or cause[j])


@pytest.mark.parametrize(
    ("names", "keep", "last", "found"),
    [
        ("abc", either, lambda i: i, {"filter": "predicted id 1 of the target's emotion or of the cause"}),
        ("ac", either, lambda i: i, {"pair_logits": "output.a+output.c"}),
        ("b", either, lambda i: i, {"pair_logits": "output.b"}),
        ("abc", either, lambda i: 99, {"mask": "all"}),
        ("abc", lambda e, c, i, j: True, lambda i: i, {"filter": "none"}),
        ("abc", lambda e, c, i, j: e[i] and c[j], lambda i: i, {"filter": RULES["both"]}),
        ("abc", lambda e, c, i, j: e[i] or c[i], lambda i: i, {"filter": RULES["target"]}),
        ("abc", lambda e, c, i, j: abs(i - j) < 3, lambda i: i, {"filter": "output.window"}),
    ],
    ids=[
        "as documented",
        "two logits",
        "one",
        "future causes",
        "no filter",
        "both ids",
        "ids of the target",
        "a window",
    ],
)
def test_the_reading_with_the_printed_score_is_found(names: str, keep: Any, last: Any, found: dict[str, str]) -> None:
    steps, search = outputs(), Search()
    predicted = np.concatenate(decided(steps, names, keep, last))
    printed = printed_scores(score_of(predicted, LONGER))
    match = find_reading(steps, LONGER, printed, Bindings(), search)
    assert match is not None, search.problem
    assert (match.decisions.predicted == predicted).all()
    assert {name: match.reading.in_words()[name] for name in found} == found
    # Other outputs are read in the same way.
    others = outputs(1)
    again = read_again(others, LONGER, match)
    assert again is not None
    assert (again.predicted == np.concatenate(decided(others, names, keep, last))).all()


def test_causes_in_rows_are_found() -> None:
    steps = outputs()
    predicted = np.concatenate(decided(steps, "abc", either, lambda i: i))
    for step in steps:
        step.update({f"output.{name}": step[f"output.{name}"].transpose(1, 0, 2) for name in "abc"})
    printed = printed_scores(score_of(predicted, LONGER))
    match = find_reading(steps, LONGER, printed, Bindings(), Search())
    assert match is not None
    assert match.reading.in_words()["rows"] == "causes"
    assert (match.decisions.predicted == predicted).all()


def test_readings_that_fit_but_differ_are_refused_unless_validation_decides() -> None:
    def match(probability: list[float]) -> Match:
        cells = np.ones(len(probability), dtype=bool)
        made = Decisions(np.array(probability), cells, cells)
        reading = Reading("layout", (f"p{probability[0]}",))
        return Match(reading, made, PrintedScore(1, 1, 1, 1, 0), (1, 1, 1), ["layout"])

    first, second = match([0.9, 0.1]), match([0.1, 0.9])
    search = Search()
    assert _choose([first, second], search) is None
    assert "which differ" in search.problem
    assert _choose([first, second], search, lambda found: found is second) is second
    agreeing = _choose([match([0.9, 0.1]), match([0.8, 0.1])], search)
    assert agreeing is not None
    assert "same decisions with other probabilities" in agreeing.remarks[0]
