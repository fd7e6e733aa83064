"""What an item of an explanation holds: its context, its emotion, and which turns are marked."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import pytest
from explained_dialogues import EMOTIONS, explained_dialogues

from iemomecp_dataset.errors import MissingDataError
from iemomecp_dataset.explanation_table import explanation_table
from iemomecp_dataset.trainers.explanation.items import (
    check_gold_causes,
    explanation_items,
    marked_turns,
    shuffled_turns,
)

ROWS = explained_dialogues()["train"]


def marks(item: Any) -> list[int]:
    return [turn.turn for turn in item.context if turn.marked] + [item.target_turn] * item.target_marked


def test_items_are_the_complete_explanations_in_order() -> None:
    table = explanation_table(ROWS)
    items = explanation_items(ROWS, EMOTIONS)
    assert [(item.dialogue_id, item.target_turn) for item in items] == list(
        zip(table.dialogue_ids.tolist(), table.target_turns.tolist(), strict=True)
    )
    assert [item.reference for item in items] == list(table.references)
    assert [item.emotion for item in items] == [EMOTIONS[emotion] for emotion in table.emotions]


@pytest.mark.parametrize(("turns", "expected"), [(0, []), (1, [2]), (2, [1, 2]), (9, [1, 2])])
def test_the_context_is_the_turns_before(turns: int, expected: list[int]) -> None:
    item = explanation_items(ROWS, EMOTIONS, context_turns=turns)[0]
    assert [turn.turn for turn in item.context] == expected


@pytest.mark.parametrize(("causes", "expected"), [("none", []), ("gold", [1]), ("last", [2]), ("predicted", [2, 3])])
def test_causes_are_marked(causes: Any, expected: list[int]) -> None:
    predicted = {("train0", 3): (2, 3)}
    items = explanation_items(ROWS, EMOTIONS, causes=causes, predicted_causes=predicted)
    assert marks(items[0]) == expected
    if causes == "predicted":
        assert not any(marks(item) for item in items[1:])


def test_shuffled_marks_depend_on_seed_and_item_alone() -> None:
    visible = (2, 3, 5)
    drawn = {seed: [shuffled_turns(f"d{n}", 5, visible, (1, 2, 3), seed) for n in range(40)] for seed in (0, 1)}
    assert drawn[0] == [shuffled_turns(f"d{n}", 5, visible, (1, 2, 3), 0) for n in range(40)]
    assert drawn[0] != drawn[1]
    assert {turn for turns in drawn[0] for turn in turns} == set(visible)
    assert all(len(set(turns)) == 2 for turns in drawn[0])
    assert marked_turns("shuffled", "d", 4, visible=(3, 4), gold=(), seed=0) == ()


@pytest.mark.parametrize("gold", [(), (1,), (3,), (3, 4), (2, 5), (3, 4, 5), (2, 3, 4, 5), (1, 2, 3, 4, 5)])
def test_shuffled_marks_are_each_selection_of_as_many_turns_but_the_gold_one(gold: tuple[int, ...]) -> None:
    visible = (2, 3, 4, 5)
    marked = tuple(turn for turn in gold if turn in visible)
    others = {*itertools.combinations(visible, len(marked))} - {marked}
    draws = Counter(shuffled_turns(f"d{n}", 5, visible, gold, 7) for n in range(600))
    assert set(draws) == (others or {marked}), "the gold selection where there is no other"
    # Each is equally likely: within five standard deviations.
    share = 1 / len(draws)
    spread = 5 * (600 * share * (1 - share)) ** 0.5
    assert all(abs(count - 600 * share) <= spread for count in draws.values())


@pytest.mark.parametrize(
    ("causes", "context_turns", "gold", "message"),
    [
        (
            "gold",
            3,
            (),
            "--causes gold needs gold causes, and of the 1 explanations of test none has one. .*--ecf_root",
        ),
        ("shuffled", 3, (), "--causes shuffled needs gold causes, and of the 1 explanations of test"),
        ("gold", 1, (1, 4), "none has one among the target and --context_turns 1 before it"),
        ("gold", 2, (1, 4), None),
        ("shuffled", 0, (3,), None),
        ("last", 3, (), None),
        ("predicted", 3, (), None),
        ("none", 3, (), None),
    ],
)
def test_gold_causes_of_a_split_must_be_known_and_read(
    causes: Any, context_turns: int, gold: tuple[int, ...], message: str | None
) -> None:
    row = {**ROWS[1], "explanations": [{**ROWS[1]["explanations"][0], "cause_turns": list(gold)}]}
    splits = {"train": ROWS, "validation": [{**ROWS[1], "explanations": []}], "test": [row]}
    if context_turns < 2:
        splits.pop("train")
    if message is None:
        check_gold_causes(causes, context_turns, splits)
    else:
        with pytest.raises(MissingDataError, match=message):
            check_gold_causes(causes, context_turns, splits)


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_as_many_shuffled_marks_are_visible_as_gold_ones(turns: int) -> None:
    gold = explanation_items(ROWS, EMOTIONS, context_turns=turns, causes="gold")
    drawn: set[int] = set()
    for seed in range(20):
        shuffled = explanation_items(ROWS, EMOTIONS, context_turns=turns, causes="shuffled", seed=seed)
        assert [len(marks(item)) for item in shuffled] == [len(marks(item)) for item in gold]
        drawn |= set(marks(shuffled[0]))
    # The first item is of turn 3, its gold cause is turn 1.
    assert drawn == ({2, 3} if turns >= 2 else set())


def test_emotions_are_those_predicted_or_none() -> None:
    predicted = {("train0", 3): "anger"}
    items = explanation_items(ROWS, EMOTIONS, emotion="predicted", predicted_emotions=predicted)
    assert [item.emotion for item in items[:2]] == ["anger", None]
    assert {item.emotion for item in explanation_items(ROWS, EMOTIONS, emotion="none")} == {None}


@pytest.mark.parametrize("asked", [{"emotion": "predicted"}, {"causes": "predicted"}])
def test_predictions_that_are_asked_for_must_be_given(asked: dict[str, Any]) -> None:
    with pytest.raises(MissingDataError, match="none are given"):
        explanation_items(ROWS, EMOTIONS, **asked)
