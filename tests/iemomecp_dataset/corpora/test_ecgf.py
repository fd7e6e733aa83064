"""ECGF, whose keys are not documented."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from corpus_case import CorpusCase
from corpus_files import ecf_text, write
from reader_case import ReaderCase

import iemomecp_dataset
from iemomecp_dataset.benchmark.runs.contamination import SplitData, contamination_warnings
from iemomecp_dataset.corpora.ecgf import read_ecgf
from iemomecp_dataset.corpus import load_corpus
from iemomecp_dataset.errors import InvalidDataError


def conversations(number=1):
    spoken = [
        {"utterance_ID": 1, "text": "The rain is over.", "speaker": "Ann", "emotion": "joy", "cause": "It got dry."},
        {"utterance_ID": 2, "text": "Yes.", "speaker": "Bob", "emotion": "neutral", "cause": "There is no cause."},
        {"utterance_ID": 3, "text": "It is back.", "speaker": "Bob", "emotion": "sad", "cause": " "},
    ]
    return [{"conversation_ID": number, "conversation": spoken}]


class TestEcgf(CorpusCase):
    name = "ecgf"
    gold = {str(number): set() for number in (1, 2, 3)}  # noqa: RUF012

    def write(self, folder):
        for number, file in enumerate(("train.json", "dev.json", "test.json"), start=1):
            write(folder / file, conversations(number))


class TestEcgfFile(ReaderCase):
    of = read_ecgf
    file = "train.json"

    @pytest.fixture
    def content(self):
        return json.dumps(conversations(), indent=1).encode()

    def read(self, path):
        return list(read_ecgf(path, Counter()))


def test_a_cause_is_an_explanation_unless_the_utterance_is_neutral(tmp_path):
    write(tmp_path / "train.json", conversations())
    rows = iemomecp_dataset.load("ecgf", data_dir=tmp_path, split="train")
    assert rows[0]["explanations"] == [{"target_turn": 1, "text": "It got dry.", "status": 0, "cause_turns": []}]
    assert [u["utterance_id"] for u in rows[0]["utterances"]] == ["dia1utt1", "dia1utt2", "dia1utt3"]
    assert "train: sentences of neutral utterances (no explanations) 1" in rows.info.description
    assert "train: emotional utterances without a cause 1" in rows.info.description


def test_other_spellings_and_objects_by_id_are_taken(tmp_path):
    spoken = [{"utterance": "Rain.", "speaker": "Ann", "emotion": "Anger", "explanation": "It rains."}]
    for content in ({"7": spoken}, {"7": {"dialogue": spoken}}, [{"dia_id": "7", "utterances": spoken}]):
        write(tmp_path / "train.json", content)
        row = iemomecp_dataset.load("ecgf", data_dir=tmp_path, split="train")[0]
        assert (row["dialogue_id"], row["explanations"][0]["text"]) == ("7", "It rains.")


def test_its_dialogues_are_those_of_ecf(tmp_path):
    write(tmp_path / "ecgf" / "train.json", conversations(7))
    write(tmp_path / "ecf" / "test.txt", ecf_text(7))
    corpora = [load_corpus(name, tmp_path / name, for_training=False) for name in ("ecgf", "ecf")]
    data = [SplitData(c.name, split, rows, c.data_dir) for c in corpora for split, rows in c.rows.items()]
    said = contamination_warnings(data)
    assert said[0] == "ecgf/train and ecf/test share 3 utterances; such as 7 dia7utt1, 7 dia7utt2, 7 dia7utt3."


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"cause": "It', '"why": "It', "turn 1: there is no key for the cause; .* found the keys utterance_ID, .* why"),
        ('"conversation":', '"lines":', "no key for the list of utterances; .* found the keys conversation_ID, lines"),
        ('"speaker"', '"who"', "turn 1: there is no key for the speaker"),
        ('"joy"', '"glee"', "turn 1: unknown emotion 'glee'"),
        ('"utterance_ID": 2', '"utterance_ID": 3', "turn 2: expected utterance 2, found number '3'"),
        ('"It got dry."', "4", "turn 1: the cause must be text"),
        ('"Ann"', '""', "turn 1: the speaker must be text"),
        ('"conversation_ID": 1', '"conversation_ID": null', "the id of the conversation must be a number or text"),
    ],
)
def test_what_is_missing_is_named_with_what_was_found(tmp_path, old, new, said):
    content = json.dumps(conversations())
    assert old in content
    write(tmp_path / "train.json", content.replace(old, new))
    with pytest.raises(InvalidDataError, match=said):
        iemomecp_dataset.load("ecgf", data_dir=tmp_path)


@pytest.mark.parametrize("other", ["1", 1, " 1 "])
def test_an_id_that_repeats_in_a_file_is_refused(tmp_path, other):
    write(tmp_path / "train.json", [*conversations(1), *conversations(other)])
    with pytest.raises(InvalidDataError, match=r"train\.json, dialogue '1': this id already occurs in .*train\.json"):
        iemomecp_dataset.load("ecgf", data_dir=tmp_path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({}, r"train\.json: expected a list of conversations.* found an empty object"),
        ([], r"train\.json: expected a list of conversations.* found an empty list"),
        ({"data": 3}, r"train\.json, conversation at position 1: expected a list of utterances, found an integer"),
    ],
)
def test_a_file_without_conversations_is_one_sentence(tmp_path, content, said):
    write(tmp_path / "train.json", content)
    with pytest.raises(InvalidDataError, match=said):
        iemomecp_dataset.load("ecgf", data_dir=tmp_path)
