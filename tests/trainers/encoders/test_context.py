"""Dialogues are divided into sequences that fit, and each utterance keeps its own place in one of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iemomecp_dataset.trainers.dialogue.modeling import DialogueScorerConfig
from iemomecp_dataset.trainers.encoders.context import IN_CONTEXT, TextContext, TextInContext, with_text_context
from iemomecp_dataset.trainers.encoders.text import load_tokenizer
from iemomecp_dataset.trainers.options import TrainingOptions

FRAME = (2, 1)


def tokens_of(lengths: list[int]) -> int:
    return FRAME[0] + sum(lengths) + FRAME[1] * (len(lengths) - 1)


@given(
    lengths=st.lists(st.integers(0, 9), min_size=1, max_size=12),
    before=st.integers(0, 4),
    after=st.integers(0, 3),
    block=st.integers(1, 5),
    limit=st.integers(3, 40),
)
def test_every_turn_has_its_place_in_one_sequence_that_fits(
    lengths: list[int], before: int, after: int, block: int, limit: int
) -> None:
    names = [f"{number}" for number in range(len(lengths))]
    found = TextContext(before, after, block).split(names, lengths, FRAME, limit)
    assert [one.turns[one.place] for one in found] == names
    for turn, one in enumerate(found):
        numbers = [int(name) for name in one.turns]
        assert numbers == [*range(numbers[0], numbers[-1] + 1)]
        assert tokens_of([lengths[number] for number in numbers]) <= limit or numbers == [turn]
        assert turn - block + 1 - before <= numbers[0]
        assert numbers[-1] <= turn + block - 1 + after
        if block == 1:
            whole = numbers[0] == max(0, turn - before) and numbers[-1] == min(len(names) - 1, turn + after)
            assert one.shortened == (not whole)
        if before == 0:  # the sequence begins with its block
            asked = min(len(names), min(len(names), numbers[0] + block) + after)
            assert one.shortened == (numbers[-1] + 1 < asked)


def test_the_nearest_turns_stay_where_there_is_no_room_for_all() -> None:
    found = TextContext(before=3, after=3).split([*"abcdefg"], [1] * 7, FRAME, limit=tokens_of([1] * 4))
    assert found[3] == TextInContext(("b", "c", "d", "e"), 2, shortened=True)


def test_blocks_are_smaller_where_their_turns_do_not_fit() -> None:
    found = TextContext(before=1, block=3).split([*"abcd"], [2, 2, 2, 2], FRAME, limit=tokens_of([2, 2]))
    assert found == [
        *(TextInContext(("a", "b"), place, shortened=True) for place in (0, 1)),
        *(TextInContext(("c", "d"), place, shortened=True) for place in (0, 1)),
    ]
    # A block of one turn, where more were asked for, is a turn that is encoded alone.
    alone = TextContext(block=3).split([*"abc"], [2, 2, 2], FRAME, limit=tokens_of([2]))
    assert [(one.turns, one.shortened) for one in alone] == [(("a",), True), (("b",), True), (("c",), False)]


def test_rows_get_texts_in_context_and_keep_what_they_have(tiny_encoder: Path) -> None:
    tokenizer = load_tokenizer(str(tiny_encoder))
    row: dict[str, Any] = {
        "utterances": [
            {"text": "What happened?", "speaker": "Ada"},
            {"text": None, "speaker": "Ben"},
            {"text": "We lost the match.", "speaker": None},
        ]
    }
    (found,) = with_text_context([row], TextContext(before=1), tokenizer, 64)
    texts = [utterance[IN_CONTEXT] for utterance in found["utterances"]]
    assert [one.turns for one in texts] == [
        ("What happened?",), ("What happened?", ""), ("", "We lost the match."),
    ]  # fmt: skip
    assert IN_CONTEXT not in row["utterances"][0], "rows are copied"
    window = {"utterances": found["utterances"][1:]}
    (again,) = with_text_context([window], TextContext(before=1), tokenizer, 64)
    assert [utterance[IN_CONTEXT] for utterance in again["utterances"]] == texts[1:], "a window keeps what was before"


@pytest.mark.parametrize(
    ("options", "used"),
    [
        ({}, False),
        ({"text_context": 1}, True),
        ({"text_context_after": 1}, True),
        ({"text_block": 2}, True),
        ({"text_block": 2, "text_alone": True}, True),
    ],
)
def test_options_and_saved_configurations_say_the_same(options: dict[str, Any], used: bool) -> None:
    of_run = TextContext.of(TrainingOptions.from_flat(options).model)
    config = DialogueScorerConfig.from_dict(DialogueScorerConfig(**options).to_dict())
    assert of_run == TextContext.of(config)
    assert of_run.used == used


def test_a_model_that_was_saved_before_there_was_context_has_none() -> None:
    saved = DialogueScorerConfig().to_dict()
    for name in ("text_context", "text_context_after", "text_block", "text_alone"):
        del saved[name]
    assert not TextContext.of(DialogueScorerConfig.from_dict(saved)).used
    assert not TextContext.of(object()).used
