"""Schemas of answers: what is valid by them."""

from __future__ import annotations

import pytest

from iemomecp_dataset.trainers.language_model.schemas import dialogue_schema, explanation_schema, fits, target_schema

SCHEMA = dialogue_schema(3, ("joy", "anger"))


def test_turns_are_listed_one_by_one():
    record = SCHEMA["properties"]["records"]["items"]["properties"]
    assert record["target"]["enum"] == [1, 2, 3]
    assert record["causes"]["items"]["enum"] == [1, 2, 3]
    assert SCHEMA["additionalProperties"] is False


@pytest.mark.parametrize(
    "records",
    [
        [{"target": 4, "emotion": "joy", "causes": [1]}],
        [{"target": True, "emotion": "joy", "causes": [1]}],
        [{"target": 1, "emotion": "neutral", "causes": [1]}],
        [{"target": 1, "emotion": "joy", "causes": [1] * 9}],
        [{"target": 1, "emotion": "joy", "causes": ["1"]}],
        [{"target": 1, "emotion": "joy"}],
        [{"target": 1, "emotion": "joy", "causes": [1], "why": ""}],
        [{"target": 1, "emotion": "joy", "causes": [1]}] * 33,
        {},
    ],
)
def test_what_is_not_valid_is_told(records):
    assert not fits(SCHEMA, {"records": records})


def test_roles_have_a_second_list_and_explanations_a_text():
    assert fits(target_schema(2, ("joy",), True), {"emotion": "joy", "causes": [2], "context": []})
    assert not fits(target_schema(2, ("joy",), True), {"emotion": "joy", "causes": [2]})
    assert fits(explanation_schema(), {"explanation": ""})


def test_every_field_is_required():
    record = SCHEMA["properties"]["records"]["items"]
    assert (SCHEMA["required"], record["required"]) == (["records"], ["target", "emotion", "causes"])
