"""Examples of prompts: whose explanations they are, and in which order."""

from __future__ import annotations

from dataclasses import replace

import pytest

from iemomecp_dataset.trainers.explanation.examples import with_examples
from iemomecp_dataset.trainers.explanation.prompts import ExplanationItem


def item(dialogue: str, text: str, emotion: str | None = "joy") -> ExplanationItem:
    return ExplanationItem(dialogue, 1, f"{dialogue}_1", "Ann", text, emotion, (), reference=f"Because of {dialogue}.")


POOL = [
    item("d1", "It rains."),
    item("d2", "We won the game!"),
    item("d3", "We won the game!", "anger"),
    item("d4", "We won the game!"),
    item("d5", "The game is on."),
]


@pytest.mark.parametrize(
    ("asked", "count", "expected"),
    [
        # The nearest last; of d2 and d4, which are equal, the first is the nearest.
        (item("t1", "They won the game!"), 2, ["d4", "d2"]),
        (item("t1", "They won the game!"), 9, ["d1", "d5", "d4", "d2"]),
        (item("t1", "They won the game!", "anger"), 2, ["d3"]),
        (item("t1", "They won the game!", "fear"), 2, []),
        (item("d2", "They won the game!"), 1, ["d4"]),
        (item("t1", "They won the game!"), 0, []),
    ],
)
def test_examples_are_the_nearest_of_the_emotion(asked: ExplanationItem, count: int, expected: list[str]) -> None:
    (found,) = with_examples([asked], POOL, count)
    assert [example.dialogue_id for example in found.examples] == expected
    assert replace(found, examples=()) == asked
    assert all(example.reference for example in found.examples)


def test_chunks_of_one_dialogue_are_no_examples_for_each_other() -> None:
    asked = item("d9", "They won the game!")
    (found,) = with_examples([asked], POOL, 1, {"d9": "whole", "d2": "whole"})
    assert [example.dialogue_id for example in found.examples] == ["d4"]


def test_without_emotions_in_prompts_any_example_will_do() -> None:
    pool = [replace(one, emotion=None) for one in POOL]
    (found,) = with_examples([item("t1", "They won the game!", None)], pool, 3)
    assert [example.dialogue_id for example in found.examples] == ["d4", "d3", "d2"]


def test_items_keep_their_order() -> None:
    asked = [item("t1", "It rains.", "anger"), item("t2", "It rains."), item("t3", "It rains.", "anger")]
    found = with_examples(asked, POOL, 1)
    assert [one.dialogue_id for one in found] == ["t1", "t2", "t3"]
    assert [one.examples[0].dialogue_id for one in found] == ["d3", "d1", "d3"]
