"""Checks of decoded values: what passes, and what the error says about everything else."""

from __future__ import annotations

import pytest

from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.field_checks import check_pair, check_text_fields, is_integer, json_kind


@pytest.mark.parametrize(
    ("value", "kind", "integer"),
    [
        (3, "an integer", True),
        (-1, "an integer", True),
        (True, "a boolean", False),
        (3.0, "a number", False),
        ("3", "text", False),
        (None, "null", False),
        ([], "a list", False),
        ({}, "an object", False),
    ],
)
def test_kinds_of_values(value, kind, integer):
    assert json_kind(value) == kind
    assert is_integer(value) is integer


def test_text_fields_must_be_present_and_hold_text():
    check_text_fields({"text": "", "turn": 1}, ["text"], "x.json, turn 1")
    for entry in ({}, {"text": None}, {"text": 5}):
        with pytest.raises(InvalidDataError, match=r"x\.json, turn 1: 'text' must be text, but is"):
            check_text_fields(entry, ["text"], "x.json, turn 1")


@pytest.mark.parametrize("pair", [(0, 1), (1, 0), (4, 1), (1, 4), (-1, 2)])
def test_pairs_outside_the_dialogue_are_refused(pair):
    with pytest.raises(InvalidDataError) as caught:
        check_pair(*pair, 3, "x.json, dialogue 'd'")
    assert f"x.json, dialogue 'd', pair ({pair[0]}, {pair[1]})" in str(caught.value)
    assert "turns 1 to 3" in str(caught.value)


def test_pairs_within_the_dialogue_come_back():
    assert [check_pair(target, cause, 3, "x") for target in (1, 3) for cause in (1, 3)] == (
        [(1, 1), (1, 3), (3, 1), (3, 3)]
    )
