"""The reading ladder: counts add up, and what is kept can be predicted."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iemomecp_dataset.trainers.language_model.answers import (
    BY_SCHEMA,
    IN_WORDS,
    INSIDE_TEXT,
    NO_TARGET,
    NO_TURN,
    OUTSIDE,
    OVER,
    REPEATED,
    STEPS,
    UNLISTED,
    UNUSABLE,
    Ladder,
    ReadPair,
    Reads,
    read_answer,
    read_emotions,
    read_explanation,
)
from iemomecp_dataset.trainers.language_model.schemas import (
    dialogue_schema,
    emotions_schema,
    explanation_schema,
    target_schema,
)

EMOTIONS = ("neutral", "joy", "anger")
PAST = frozenset((target, cause) for target in range(1, 5) for cause in range(1, target + 1))
READS = Reads(4, PAST, EMOTIONS)
SCHEMA = dialogue_schema(4, EMOTIONS[1:])
ABOUT_3 = Reads(4, PAST, EMOTIONS, target=3)
SCHEMA_3 = target_schema(4, EMOTIONS)


def record(target: object, emotion: object, *causes: object) -> dict[str, object]:
    return {"target": target, "emotion": emotion, "causes": list(causes)}


def answer(*records: object) -> str:
    return json.dumps({"records": list(records)})


def pairs(text: str, reads: Reads = READS, schema: object = None) -> list[tuple[int, int]]:
    found = read_answer(text, reads, schema or (SCHEMA if reads.target is None else SCHEMA_3))
    return [(pair.target, pair.cause) for pair in found.pairs]


def test_a_valid_answer_is_read_at_the_first_step_and_an_empty_one_too():
    found = read_answer(answer(record(3, "joy", 1, 3), record(4, "anger", 4)), READS, SCHEMA)
    assert found.step == BY_SCHEMA
    assert [(p.target, p.cause) for p in found.pairs] == [(3, 1), (3, 3), (4, 4)]
    assert found.emotions == {3: "joy", 4: "anger"}
    assert read_answer('{"records": []}', READS, SCHEMA).step == BY_SCHEMA
    found = read_answer('{"emotion": "joy", "causes": [1]}', ABOUT_3, SCHEMA_3)
    assert (found.step, found.pairs) == (BY_SCHEMA, (ReadPair(3, 1),))


@pytest.mark.parametrize(
    "text",
    [
        "```json\n" + answer(record(3, "joy", 1)) + "\n```",
        "Here it is: " + answer(record(3, "joy", 1)) + " I hope this helps {smile}.",
        json.dumps([record("U3", "Happy", " 1")]),
        json.dumps({"pairs": [{"emotion_turn": 3, "emotion": "joy", "cause_turn": "1"}]}),
        json.dumps({"records": [{**record(3, "joy", 1), "why": "she won"}]}),
    ],
)
def test_json_of_a_like_form_is_read_at_the_second_step(text):
    found = read_answer(text, READS, SCHEMA)
    assert (found.step, found.pairs, found.emotions) == (INSIDE_TEXT, (ReadPair(3, 1),), {3: "joy"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3_joy, 1", [(3, 1)]),
        ("(3, 1)", [(3, 1)]),
        ("The pairs are (3, 1) and (4, 4).", [(3, 1), (4, 4)]),
        ("3_joy, 1.\n4_anger, 4", [(3, 1), (4, 4)]),
        ("There is none.", []),
    ],
)
def test_pairs_in_words_are_read_at_the_third_step(text, expected):
    found = read_answer(text, READS, SCHEMA)
    assert found.step == IN_WORDS
    assert sorted((p.target, p.cause) for p in found.pairs) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" 1", [1]),
        ("1.", [1]),
        ("U3", [3]),
        ("1, 3", [1, 3]),
        ("There is no cause.", []),
        ("3_joy, 1", [1]),
        ("3_joy, none", []),
        ("(3, 1)", [1]),
        ("(1, 2)", [1, 2]),
        ("Turn 3: joy\nCauses: 1", [1]),
        ("Emotion: joy, causes: 1, 2", [1, 2]),
        ("The cause is turn 3 itself.", [3]),
        ("1\n2", [1, 2]),
    ],
)
def test_causes_of_one_target_are_read_in_words(text, expected):
    found = read_answer(text, ABOUT_3, SCHEMA_3)
    assert found.step in (IN_WORDS, INSIDE_TEXT)
    assert [(p.target, p.cause) for p in found.pairs] == [(3, cause) for cause in expected]


@pytest.mark.parametrize("text", ["turn 3", "Ann feels joy in turn 3.", "Turn 3: joy", "The cause of 3_joy is 1"])
def test_what_repeats_the_question_names_no_cause(text):
    assert read_answer(text, ABOUT_3, SCHEMA_3).step == UNUSABLE


def test_of_causes_and_context_in_words_each_has_its_role():
    found = read_answer("Emotion: joy\nCauses: 1\nContext: 2", ABOUT_3, SCHEMA_3)
    assert (found.step, found.emotions) == (IN_WORDS, {3: "joy"})
    assert found.pairs == (ReadPair(3, 1, "causes"), ReadPair(3, 2, "context"))


def test_a_pair_of_another_target_than_the_one_asked_about_is_not_kept():
    for text in ("2_joy, 1", "[[2, 1]]"):
        found = read_answer(text, ABOUT_3, SCHEMA_3)
        assert (found.pairs, found.emotions, dict(found.refused)) == ((), {}, {OUTSIDE: 1})


def test_what_a_model_thinks_before_it_answers_is_no_answer_and_counted():
    text = f"<think>Perhaps {answer(record(4, 'anger', 4))}? No.</think> {answer(record(3, 'joy', 1))}"
    found = read_answer(text, READS, SCHEMA)
    assert (found.step, found.pairs, found.emotions) == (INSIDE_TEXT, (ReadPair(3, 1),), {3: "joy"})
    assert found.remarks == {"reasoning before the answer (left out)": 1}
    found = read_answer(text.split("</think>")[0], READS, SCHEMA, finish_reason="length")
    assert (found.step, found.ending) == (UNUSABLE, "cut off")
    text = '<think>{"emotions": ["joy", "joy"]}</think> {"emotions": ["joy", "anger"]}'
    reads = Reads(2, frozenset(), EMOTIONS)
    assert read_emotions(text, reads, emotions_schema(2, EMOTIONS)).emotions == {1: "joy", 2: "anger"}
    assert read_emotions('{"Emotions": ["joy", "anger"]}', reads, emotions_schema(2, EMOTIONS)).emotions[2] == "anger"
    assert read_explanation('{"Explanation": "Ann won."}', explanation_schema()).text == "Ann won."
    text = '<think>Why?</think> {"explanation": "Ann won.", "sure": true}'
    assert read_explanation(text, explanation_schema()).text == "Ann won."


def test_the_last_answer_of_a_known_form_counts():
    text = f"Example: {answer(record(4, 'anger', 4))}\nMy answer: {answer(record(3, 'joy', 1))}"
    assert pairs(text) == [(3, 1)]


def test_turns_with_words_around_them_are_read_and_a_record_that_cannot_be_leaves_the_others():
    found = read_answer(answer(record("3. Ann", "joy", "turn 1"), 7), READS, SCHEMA)
    assert (found.pairs, found.listed) == ((ReadPair(3, 1),), 1)
    assert found.remarks == {"turns with words around them": 2, "records that cannot be read (left out)": 1}


def test_the_cap_is_on_targets_with_or_without_an_emotion_and_not_on_pairs():
    reads = Reads(4, PAST, EMOTIONS, most_records=2)
    text = json.dumps([[4, 1], [4, 2], [3, 1], [4, 3], [2, 1], [3, 3]])
    found = read_answer(text, reads, SCHEMA)
    assert [(p.target, p.cause) for p in found.pairs] == [(4, 1), (4, 2), (3, 1), (4, 3), (3, 3)]
    assert dict(found.refused) == {OVER: 1}
    reads = Reads(4, PAST, EMOTIONS, most_causes=2)
    assert pairs(json.dumps([[4, 1], [4, 2], [4, 3], [3, 1]]), reads) == [(4, 1), (4, 2), (3, 1)]


def test_what_was_asked_about_is_what_is_answered_about():
    found = read_answer('{"target": 2, "emotion": "joy", "causes": [1]}', ABOUT_3, SCHEMA_3)
    assert found.pairs == (ReadPair(3, 1),)


@pytest.mark.parametrize("text", ["", "Sorry, I do not know.", "[1, 2", "{}", "true", "\x00" * 30])
def test_what_says_nothing_is_unusable_and_predicts_nothing(text):
    found = read_answer(text, READS, SCHEMA)
    assert (found.step, found.pairs, found.listed) == (UNUSABLE, (), 0)


def test_every_pair_that_is_not_kept_has_its_reason():
    text = answer(
        record(3, "joy", 1, 1, 9, 4), record(2, "neutral", 1), record(7, "joy", 1), record(4, "anger", 4, 3, 2, 1, 3)
    )
    found = read_answer(text, READS, SCHEMA)
    assert dict(found.refused) == {REPEATED: 2, NO_TURN: 2, OUTSIDE: 1, NO_TARGET: 1}
    assert found.listed == len(found.pairs) + sum(found.refused.values()) == 11
    over = read_answer(answer(record(4, "joy", 1, 2, 3, 4)), Reads(4, PAST, EMOTIONS, most_causes=2), SCHEMA)
    assert dict(over.refused) == {OVER: 2}
    over = read_answer(
        answer(record(4, "joy", 1), record(3, "joy", 1)), Reads(4, PAST, EMOTIONS, most_records=1), SCHEMA
    )
    assert [p.target for p in over.pairs] == [4]
    assert dict(over.refused) == {OVER: 1}


def test_an_emotion_outside_the_list_is_counted_and_its_pair_kept():
    found = read_answer(answer(record(3, "melancholy", 1), record(4, "Angry.", 4)), READS, SCHEMA)
    assert [(p.target, p.cause) for p in found.pairs] == [(3, 1), (4, 4)]
    assert found.emotions == {4: "anger"}
    assert found.remarks[UNLISTED] == 1


def test_an_answer_that_is_cut_off_is_counted_and_read_as_far_as_it_is_complete():
    text = answer(record(3, "joy", 1), record(4, "anger", 4))[:-20]
    found = read_answer(text, READS, SCHEMA, finish_reason="length")
    assert (found.ending, found.step, found.pairs) == ("cut off", INSIDE_TEXT, (ReadPair(3, 1),))
    found = read_answer('{"records": [{"tar', READS, SCHEMA, finish_reason="length")
    assert (found.ending, found.step) == ("cut off", UNUSABLE)


def test_a_refusal_is_unusable_whatever_it_says():
    for text in ("I cannot help with 3_joy, 1", answer(record(3, "joy", 1))):
        found = read_answer(text, READS, SCHEMA, finish_reason="refusal")
        assert (found.step, found.ending, found.pairs) == (UNUSABLE, "refused", ())


def test_roles_are_told_apart_and_a_pair_has_one():
    schema = dialogue_schema(4, EMOTIONS[1:], True)
    text = json.dumps({"records": [{"target": 3, "emotion": "joy", "causes": [1], "context": [2, 1]}]})
    found = read_answer(text, READS, schema)
    assert found.step == BY_SCHEMA
    assert found.pairs == (ReadPair(3, 1, "causes"), ReadPair(3, 2, "context"))
    assert dict(found.refused) == {REPEATED: 1}


def test_emotions_and_explanations_have_the_same_steps():
    schema = emotions_schema(2, EMOTIONS)
    reads = Reads(2, frozenset(), EMOTIONS)
    steps = [read_emotions(text, reads, schema).step for text in
             ('{"emotions": ["joy", "anger"]}', '```{"emotions": ["happy"]}```', "joy, anger", "joy", "")]  # fmt: skip
    assert steps == [BY_SCHEMA, INSIDE_TEXT, IN_WORDS, UNUSABLE, UNUSABLE]
    assert read_emotions('{"emotions": ["joy", "anger"]}', reads, schema).emotions == {1: "joy", 2: "anger"}
    assert read_emotions("She feels joy.", Reads(2, frozenset(), EMOTIONS, target=2), schema).emotions == {2: "joy"}
    steps = [read_explanation(text, explanation_schema()).step for text in
             ('{"explanation": "a"}', '```{"explanation": "a", "b": 1}```', "a", "  ")]  # fmt: skip
    assert steps == list(STEPS)


@pytest.mark.parametrize(
    ("first", "then", "kept"), [("neutral", "joy", 0), ("joy", "neutral", 2), (None, "neutral", 0)]
)
def test_a_target_has_the_emotion_that_is_stated_first_and_keeps_no_pair_where_that_is_neutral(first, then, kept):
    found = read_answer(answer(record(3, first, 1), record(3, then, 2)), READS, SCHEMA)
    assert (found.listed, found.n_kept, found.emotions) == (2, kept, {3: first or then})
    assert dict(found.refused) == ({} if kept else {NO_TARGET: 2})
    assert found.remarks.get("another emotion for the same target (the first one is kept)", 0) == bool(first)


def test_pairs_of_turns_that_do_not_exist_are_a_set_with_roles():
    text = json.dumps({"records": [{"target": 3, "causes": [9, 9, "x"], "context": [9]}, record(8, "joy", 1, 1)]})
    found = read_answer(text, READS, SCHEMA)
    assert found.refused == {NO_TURN: 6}
    assert found.nowhere == {("3", "9", "causes"), ("3", "'x'", "causes"), ("3", "9", "context"), ("8", "1", "causes")}


def test_the_cap_of_contexts_is_not_that_of_causes():
    reads = Reads(4, PAST, EMOTIONS, most_causes=2)
    text = json.dumps({"records": [{"target": 4, "causes": [1, 2], "context": [3, 4]}]})
    found = read_answer(text, reads, dialogue_schema(4, EMOTIONS[1:], True))
    assert (found.n_kept, dict(found.refused)) == (4, {})


def test_a_filtered_text_is_no_explanation_and_a_filtered_list_is_read_as_far_as_it_goes():
    found = read_explanation("Because", explanation_schema(), finish_reason="content_filter")
    assert (found.step, found.text, found.ending) == (UNUSABLE, "", "content filter")
    found = read_answer("3_joy, 1", READS, SCHEMA, finish_reason="content_filter")
    assert (found.step, found.pairs, found.ending) == (IN_WORDS, (ReadPair(3, 1),), "content filter")


LOOSE = st.one_of(st.integers(-2, 9), st.text(max_size=4), st.none(), st.booleans(), st.floats(allow_nan=False))
RECORDS = st.lists(
    st.fixed_dictionaries(
        {"target": LOOSE, "causes": st.one_of(LOOSE, st.lists(LOOSE, max_size=6))},
        optional={"emotion": st.one_of(LOOSE, st.sampled_from(["joy", "Angry", "neutral", "odd"])), "more": LOOSE},
    ),
    max_size=6,
)
ANSWERS = st.one_of(
    RECORDS.map(lambda found: json.dumps({"records": found})),
    RECORDS.map(lambda found: "Sure! ```json\n" + json.dumps(found) + "\n```"),
    st.tuples(RECORDS, st.integers(0, 60)).map(lambda pair: json.dumps({"records": pair[0]})[: pair[1]]),
    st.text(alphabet='{}[]":,_().1234 joyanger\n', max_size=60),
    st.text(max_size=40),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(ANSWERS, st.sampled_from(["stop", "length", "refusal", "content_filter"])), max_size=4))
@pytest.mark.parametrize("reads", [READS, ABOUT_3], ids=["dialogue", "target"])
def test_counts_add_up_and_every_pair_that_is_kept_is_a_candidate(reads, answers):
    ladder = Ladder()
    for text, finish in answers:
        found = read_answer(text, reads, SCHEMA if reads is READS else SCHEMA_3, finish_reason=finish)
        ladder.add(found)
        assert {(pair.target, pair.cause) for pair in found.pairs} <= PAST
        assert len({(pair.target, pair.cause) for pair in found.pairs}) == len(found.pairs)
        assert found.listed == len(found.pairs) + sum(found.refused.values())
        assert set(found.emotions.values()) <= set(EMOTIONS)
    assert ladder.answers == sum(ladder.steps.values()) == len(answers)
    assert ladder.listed == ladder.kept + sum(ladder.refused.values())
    assert sum(ladder.endings.values()) == sum(finish != "stop" for _, finish in answers)
