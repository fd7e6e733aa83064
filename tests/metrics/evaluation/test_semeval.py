"""SemEval-2024 Task 3 JSON, both subtasks, there and back."""

import json
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reader_case import ReaderCase

from iemomecp_dataset.corpora.ecf_json import read_ecf_json
from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.metrics.evaluation.ladder import BY_SCHEMA, IN_WORDS, INSIDE_TEXT, NO_TURN, REPEATED, UNUSABLE
from iemomecp_dataset.metrics.evaluation.semeval import missing_and_further, read_semeval, write_semeval
from iemomecp_dataset.metrics.set_scores import pair_set

CONVERSATION = [
    {"utterance_ID": 1, "text": "Rain again.", "speaker": "A", "emotion": "sadness"},
    {"utterance_ID": 2, "text": "We have cake.", "speaker": "B", "emotion": "joy"},
]


def write(path, *entries):
    path.write_text(json.dumps(list(entries)))
    return path


def triples(pairs):
    return list(
        zip(
            pairs.dialogue_ids.tolist(),
            pairs.target_turns.tolist(),
            pairs.cause_turns.tolist(),
            pairs.emotions.tolist(),
            strict=True,
        )
    )


class TestSemeval(ReaderCase):
    of = read_semeval
    file = "x.json"

    @pytest.fixture
    def content(self):
        pairs = [["2_joy", "1_Rain again."], ["1_sadness", "1"]]
        return json.dumps([entry(*pairs), {"conversation_ID": 8, "emotion-cause_pairs": []}], indent=1).encode()


def test_both_subtasks_are_read(tmp_path):
    path = write(
        tmp_path / "gold.json",
        {
            "conversation_ID": 7,
            "conversation": CONVERSATION,
            "emotion-cause_pairs": [["2_joy", "2"], ["1_sadness", "1"]],
        },
        {
            "conversation_ID": 8,
            "conversation": CONVERSATION,
            "emotion-cause_pairs": [["2_joy", "1_Rain again."], ["2_joy", "1_again"], ["2_joy", "2_We have\ncake."]],
        },
        {"conversation_ID": 9, "conversation": CONVERSATION, "emotion-cause_pairs": []},
    )
    read = read_semeval(path)
    assert triples(read.pairs) == [
        ("7", 2, 2, "joy"),
        ("7", 1, 1, "sadness"),
        ("8", 2, 1, "joy"),
        ("8", 2, 2, "joy"),
    ]
    assert read.n_repeated == 1
    assert len(read.conversations) == 3


def test_what_is_written_is_read_back_with_every_conversation(tmp_path):
    conversations = [
        {"conversation_ID": 7, "conversation": CONVERSATION, "emotion-cause_pairs": [["1_sadness", "2"]]},
        {"conversation_ID": 8, "conversation": CONVERSATION},
    ]
    pairs = pair_set(["7", "7"], [2, 1], [1, 1], ["joy", "sadness"])
    write_semeval(tmp_path / "out.json", pairs, conversations)
    content = json.loads((tmp_path / "out.json").read_text())
    assert [entry["emotion-cause_pairs"] for entry in content] == [[["1_sadness", "1"], ["2_joy", "1"]], []]
    assert content[0]["conversation"] == CONVERSATION
    assert sorted(triples(read_semeval(tmp_path / "out.json").pairs)) == sorted(triples(pairs))


def entry(*pairs, **changes):
    return {"conversation_ID": 7, "conversation": CONVERSATION, "emotion-cause_pairs": list(pairs)} | changes


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([entry(["2", "1"])], r"conversation 7: \['2', '1'\] is not a pair"),
        ([entry(["2_joy"])], "is not a pair"),
        ([entry(["2_joy", "x"])], "is not a pair"),
        ([entry(["3_joy", "1"])], r"there is no utterance 3 \(emotion\)"),
        ([entry(["2_joy", "0"])], r"there is no utterance 0 \(cause\)"),
        ([entry(), entry()], "conversation 7 occurs twice"),
        ([{"conversation": []}], "entry 1 is not a conversation"),
        ([entry(conversation=[{"text": "a"}])], "utterance_ID"),
    ],
)
def test_what_is_not_the_format_is_refused_by_place(tmp_path, entries, words):
    with pytest.raises(InvalidDataError, match=words):
        read_semeval(write(tmp_path / "bad.json", *entries))


def test_what_is_not_a_list_is_refused(tmp_path):
    (tmp_path / "b.json").write_text("{}")
    with pytest.raises(InvalidDataError, match="expected a list"):
        read_semeval(tmp_path / "b.json")


def test_only_pairs_with_emotions_of_given_conversations_are_written(tmp_path):
    with pytest.raises(InvalidDataError, match="needs an emotion"):
        write_semeval(tmp_path / "out.json", pair_set(["7"], [1], [1]), [{"conversation_ID": 7}])
    with pytest.raises(InvalidDataError, match="dialogue 6, target 1, cause 1"):
        write_semeval(tmp_path / "out.json", pair_set(["6"], [1], [1], ["joy"]), [{"conversation_ID": 7}])


@pytest.mark.parametrize(
    ("pair", "liberty"),
    [
        (["2_joy", "1"], None),
        (["2_joy", " 1"], "blanks around numbers"),
        ([" 2 _joy", "1 "], "blanks around numbers"),
        (["U2_joy", "U1"], "a U before numbers"),
        (["2_joy", 1], "numbers that are not text"),
        (["U2_joy", "U1_Rain again."], "a U before numbers"),
    ],
)
def test_scorer_and_loader_take_what_the_official_evaluator_takes(tmp_path, pair, liberty):
    path = write(tmp_path / "Subtask_2_test.json", entry(pair, conversation_ID="7"))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    read = read_semeval(path)
    assert triples(read.pairs) == [("7", 2, 1, "joy")]
    assert dict(read.readings) == ({liberty: 1} if liberty else {})
    (dialogue,) = read_ecf_json(path, Counter())
    assert (dialogue.dialogue_id, dialogue.gold) == ("7", {(2, 1)})


def as_text(conversation):
    return [{**utterance, "utterance_ID": str(utterance["utterance_ID"])} for utterance in conversation]


def test_numbers_of_utterances_may_be_text(tmp_path):
    path = write(tmp_path / "train.json", entry(["2_joy", "1"], conversation=as_text(CONVERSATION)))
    assert len(read_semeval(path).pairs) == len(next(iter(read_ecf_json(path, Counter()))).gold) == 1


@pytest.mark.parametrize(
    "read", [read_semeval, lambda path: list(read_ecf_json(path, Counter()))], ids=["scorer", "loader"]
)
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('"emotion_cause_pairs": []', "Did you mean 'emotion_cause_pairs'"),
        ('"pairs": []', "no key 'emotion-cause_pairs'"),
        ('"emotion-cause_pairs": [], "emotion-cause_pairs": []', "given twice"),
        ('"emotion-cause_pairs": "none"', "emotion-cause_pairs|is not a pair"),
        ('"emotion-cause_pairs": [["99999999999_joy", "1"]]', "pair"),
        ('"emotion-cause_pairs": [["1_joy", 99999999999]]', "pair"),
    ],
)
def test_keys_and_numbers_that_cannot_be_meant_are_refused_by_scorer_and_loader(tmp_path, read, text, words):
    path = tmp_path / "train.json"
    path.write_text(f'[{{"conversation_ID": 7, "conversation": {json.dumps(CONVERSATION)}, {text}}}]')
    with pytest.raises(InvalidDataError, match=words) as caught:
        read(path)
    assert str(path) in str(caught.value)


FREE = [
    ["2_joy", "1."],
    ["1_sad", " 2"],
    "2_joy, 2",
    ["2_joy", "none"],
    ["2_joy", "1 or 2"],
    ["9_joy", "1"],
    ["2_joy", "1"],
]


def test_lenient_reading_counts_every_kind(tmp_path):
    read = read_semeval(write(tmp_path / "free.json", entry(*FREE)), reading="leniently")
    assert triples(read.pairs) == [
        ("7", 2, 1, "joy"), ("7", 1, 2, "sadness"), ("7", 2, 2, "joy"), ("7", 9, 1, "joy"),
    ]  # fmt: skip
    assert dict(read.readings) == {
        "full stops around numbers": 1,
        "emotion aliases": 1,
        "blanks around numbers": 1,
        "pairs written as one text": 1,
        "words for none": 1,
        "entries that cannot be read (left out)": 1,
        "turns outside the dialogue (kept as wrong pairs)": 1,
    }
    assert read.n_repeated == 1
    assert any("1 pairs are given more than once" in note for note in read.notes)
    assert any("emotion aliases 1" in note for note in read.notes)


def test_entries_are_read_by_the_steps_of_a_language_models_answers(tmp_path):
    record = {"target": 2, "emotion": "happy", "causes": [1, "x", 2]}
    entries = [
        ["2_joy", "1"],
        f"<think>[[1, 1]]?</think> The answer: {json.dumps([record])}",
        record,
        "(1, 1)",
        "It is hard to say.",
        ["1_joy", "1 or 2"],
    ]
    read = read_semeval(write(tmp_path / "free.json", entry(*entries)), reading="leniently")
    assert triples(read.pairs) == [("7", 2, 1, "joy"), ("7", 2, 2, "joy"), ("7", 1, 1, "other")]
    assert dict(read.ladder.steps) == {BY_SCHEMA: 1, INSIDE_TEXT: 2, IN_WORDS: 1, UNUSABLE: 2}
    assert (read.ladder.listed, read.ladder.kept, dict(read.ladder.refused)) == (8, 3, {REPEATED: 3, NO_TURN: 2})
    assert read.readings["reasoning before the answer (left out)"] == 1
    assert read.notes[-1] == (
        "Of 6 entries, by the step at which they were read: valid by schema 1, JSON inside text 2, in words 1, "
        "unusable 2. Of the 8 pairs that they list: kept 3, repeated 3, turn outside the dialogue 2."
    )


LOOSE = st.one_of(
    st.integers(-2, 9), st.sampled_from(["2_joy", "1", " 1.", "none", "U2", "1, 2", "2_x"]), st.text(max_size=4)
)
ENTRIES = st.one_of(
    LOOSE,
    st.lists(LOOSE, max_size=3),
    st.fixed_dictionaries({"target": LOOSE, "causes": st.lists(LOOSE, max_size=3)}, optional={"context": LOOSE}),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(ENTRIES, ENTRIES.map(json.dumps), st.text("[](){}\"',_. 12joy", max_size=30)), max_size=6))
def test_every_entry_is_at_one_step_and_every_listed_pair_counted_once(entries):
    with tempfile.TemporaryDirectory() as folder:
        read = read_semeval(write(Path(folder) / "free.json", entry(*entries)), reading="leniently")
    assert read.ladder.answers == sum(read.ladder.steps.values()) == len(entries)
    assert read.ladder.kept == len(read.pairs)
    assert read.ladder.listed == read.ladder.kept + read.ladder.refused.total()
    assert read.ladder.refused[REPEATED] == read.n_repeated


def test_the_strict_error_says_how_many_leniency_would_read(tmp_path):
    with pytest.raises(
        InvalidDataError, match=r"'2_joy', '1\.'\] is not a pair.* 5 such entries, of which 4 .*--read len"
    ):
        read_semeval(write(tmp_path / "free.json", entry(*FREE)))


@pytest.mark.parametrize("emotions", ["gold", "predicted"])
def test_a_file_states_that_its_emotions_are_gold(tmp_path, emotions):
    pairs = pair_set(["7"], [2], [1], ["joy"])
    path = tmp_path / "out.json"
    write_semeval(path, pairs, [entry(), entry(conversation_ID=8)], emotions=emotions)
    assert read_semeval(path).emotions == emotions
    assert [found.get("emotions") for found in json.loads(path.read_text())] == [{"gold": "gold"}.get(emotions)] * 2
    # Written again from what was read, it says what is true then.
    write_semeval(path, pairs, read_semeval(path).conversations.values(), emotions="predicted")
    assert read_semeval(path).emotions == "predicted"


def test_further_conversations_are_named_and_missing_ones_refused(tmp_path):
    assert missing_and_further(tmp_path, ["1", "2", "9"], ["2", "1"]) == ["9"]
    read = read_semeval(write(tmp_path / "p.json", entry(["2_joy", "1"]), entry(["1_joy", "1"], conversation_ID=8)))
    assert triples(read.only(["8"]).pairs) == [("8", 1, 1, "joy")]
    with pytest.raises(InvalidDataError, match=r"1 of the 2 conversations of the gold are missing \(2\)"):
        missing_and_further(tmp_path, ["1"], ["2", "1"])
