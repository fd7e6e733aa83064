"""SemEval-2024 Task 3 JSON, both subtasks, there and back."""

import json

import pytest
from reader_case import ReaderCase

from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.metrics.evaluation.semeval import read_semeval, write_semeval
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
