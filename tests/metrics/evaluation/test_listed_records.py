"""Records out of JSON inside a text: the last answer counts, damaged ones are read, nothing is made up."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iemomecp_dataset.metrics.evaluation.listed_records import (
    json_values,
    listed_records,
    records_of,
    turns_of,
    without_thoughts,
)


def found(text, target=None):
    records = listed_records(text, target, {"joy": "joy", "happy": "joy"})
    if records is None:
        return None
    return [(record.target, *(entry for _, listed in record.lists for entry in listed)) for record in records[0]]


ONE = '{"records": [{"target": 3, "emotion": "joy", "causes": [1]}]}'
OTHER = '{"records": [{"target": 4, "emotion": "joy", "causes": [4]}]}'


def test_an_example_or_a_draft_is_not_the_answer():
    assert found(f"Example: {OTHER}\nMy answer: {ONE}") == [(3, 1)]
    assert found(without_thoughts(f"<think>perhaps {OTHER}? no.</think> {ONE}")) == [(3, 1)]
    assert without_thoughts(f"[THINK]{ONE}") == ""
    assert found(f"{ONE} as in [2].", target=3) == [(3, 1)]


def test_objects_that_follow_each_other_are_one_answer_and_one_further_on_is_another():
    lines = '{"target": 3, "causes": [1]}\n{"target": 4, "causes": [4]}'
    assert found(lines) == [(3, 1), (4, 4)]
    for between in ("\n2. ", "\n2) ", "\n- ", "\n* ", " and ", ", "):
        text = f'1. {{"target": 3, "causes": [1]}}{between}{{"target": 4, "causes": [4]}}'
        assert found(text) == [(3, 1), (4, 4)]
        assert listed_records(text, None, {})[1:] == (0, 0)
    assert found('{"target": 3, "causes": [1]} would be wrong. {"target": 4, "causes": [4]}') == [(4, 4)]


@pytest.mark.parametrize(
    "text",
    [
        ONE.replace("]}]}", "],}],}"),
        ONE.replace('"', "'"),
        ONE.replace('"', "'").replace("'joy'", "null"),
        ONE.replace('"joy"', '"Ann\'s"').replace("]}", ",]}"),
        '{"records": {"target": 3, "emotion": "joy", "causes": [1]}}',
        '{"answer": {"records": [{"target": 3, "causes": 1}]}}',
        "[[3, 1]]",
        "[(3, 1)]",
        '{"pairs": [[3, 1]]}',
        '[["3_joy", "1"]]',
        '[[3, "joy", 1]]',
        '{"pairs": ["3_joy, 1"]}',
        ONE[:-1],
    ],
)
def test_usable_json_is_read_in_whatever_form(text):
    (record,) = listed_records(text, None, {"joy": "joy"})[0]
    assert turns_of(record.target, Counter()) == [3]
    assert [turns_of(entry, Counter()) for _, listed in record.lists for entry in listed] == [[1]]


def test_an_entry_that_cannot_be_read_leaves_the_others():
    text = '{"records": [7, {"target": 3, "causes": [1]}, {"x": 1}]}'
    records, n_bad, _ = listed_records(text, None, {})
    assert ([record.target for record in records], n_bad) == ([3], 2)
    assert listed_records('{"records": [7, {"x": 1}]}', None, {}) is None


def test_of_an_object_that_is_cut_off_a_list_is_no_answer():
    assert found('{"emotion": "joy", "causes": [1], "context": [2]', target=3) is None
    assert found("I say [1, 2].", target=3) == [(3, 1, 2)]


def test_the_target_that_was_asked_about_is_meant_unless_several_are_named_or_a_pair_is_written():
    assert found('{"target": 2, "causes": [1]}', target=3) == [(3, 1)]
    assert found('[{"target": 2, "causes": [1]}, {"target": 3, "causes": [3]}]', target=3) == [(2, 1), (3, 3)]
    assert found("[[2, 1]]", target=3) == [(2, 1)]


@pytest.mark.parametrize(
    "text", ["", "{smile}", "[", "{'a': {1, 2}}", "['\\d']", "[" * 3000, '{"answer":' * 500, "{'" * 300]
)
def test_what_is_no_record_is_none(text):
    assert listed_records(text, None, {}) is None


@settings(max_examples=150, deadline=None)
@given(
    st.text(alphabet="{}[]()\"':,.\\_ 123 ntargeculsjoy\n", max_size=80),
    st.sampled_from([None, 3]),
    st.sampled_from(["", ONE]),
)
def test_any_text_is_read_or_not_and_a_whole_answer_at_its_end_is(text, target, answer):
    listed_records(text, target, {"joy": "joy"})
    for value, start, end, _ in json_values(text):
        assert start < end <= len(text)
        assert isinstance(value, dict | list)
        assert json.loads(json.dumps(value)) == value
        assert (records := records_of(value, target, {})) is None or records[1] >= 0
    if answer and "{" not in text and "[" not in text:
        assert found(f"{text} {answer}") == [(3, 1)]


def test_what_another_answer_in_the_same_text_has_replaced_is_counted():
    assert listed_records(f"{OTHER} No: {OTHER} No: {ONE}", None, {})[2] == 2
    assert listed_records(f"{ONE} as in [2].", 3, {})[2] == 1
    assert listed_records(ONE, None, {})[2] == 0


def test_keys_in_capitals_and_json_within_a_json_text_are_read():
    assert found(ONE.replace("records", "Records").replace("causes", "CAUSES")) == [(3, 1)]
    assert found(json.dumps(ONE)) == [(3, 1)]
    assert found(json.dumps({"Answer": ONE})) == [(3, 1)]
