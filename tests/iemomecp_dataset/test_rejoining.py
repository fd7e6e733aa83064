"""Chunks rejoined to whole dialogues."""

from __future__ import annotations

import copy

import pytest

import iemomecp_dataset
from iemomecp_dataset.corpus import corpus_of, load_corpus, whole_corpus
from iemomecp_dataset.errors import InvalidDataError, UsageError
from iemomecp_dataset.fingerprints import data_fingerprint
from iemomecp_dataset.rejoining import whole_dialogues


def chunk(name, source_turns, source="d", session=1, **more):
    return {
        "dialogue_id": name,
        "source_dialogue_id": source,
        "chunk_index": 1,
        "session": session,
        "utterances": [
            {"turn": turn, "source_turn": number, "utterance_id": f"{source}_{number}", "emotion": 0, "text": ""}
            for turn, number in enumerate(source_turns, start=1)
        ],
        "pairs": [{"target_turn": 2, "cause_turn": 2, "label": 1}, {"target_turn": 2, "cause_turn": 1, "label": 0}],
        **more,
    }


def test_chunks_become_one_row_in_source_order():
    late = chunk("d__c2", [4, 5], gold_outside_candidates=[{"target_turn": 1, "cause_turn": 2}])
    rows = [late, chunk("e", [1, 3], source="e"), chunk("d__c1", [1, 2, 3])]
    before = copy.deepcopy(rows)
    whole, other = whole_dialogues(iter(rows))
    assert rows == before
    assert (whole["dialogue_id"], whole["source_dialogue_id"], whole["chunk_index"], whole["session"]) == (
        "d",
        "d",
        -1,
        1,
    )
    assert [(u["turn"], u["source_turn"]) for u in whole["utterances"]] == [(n, n) for n in range(1, 6)]
    assert [(pair["target_turn"], pair["cause_turn"]) for pair in whole["pairs"]] == [(2, 1), (2, 2), (5, 4), (5, 5)]
    assert iemomecp_dataset.gold_pairs(whole) == [(2, 1), (4, 5), (5, 4)]
    assert other == {**rows[1], "chunk_index": -1, "pairs": rows[1]["pairs"][::-1]}
    assert whole_dialogues([whole, other]) == [whole, other]


def test_a_row_without_source_is_a_dialogue_of_its_own():
    rows = [chunk(name, [None, None], source=None) for name in ("a", "b")]
    for row in rows:
        row["utterances"] = [{**utterance, "utterance_id": None} for utterance in row["utterances"]]
    assert [row["dialogue_id"] for row in whole_dialogues(rows)] == ["a", "b"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([chunk("a", [1, 2]), chunk("b", [2, 3])], "chunk 'b' begins at source turn 2, but 'a' ends at 2"),
        ([chunk("a", [1, 2, 5]), chunk("b", [3, 4])], "chunk 'b' begins at source turn 3, but 'a' ends at 5"),
        ([chunk("a", [1, 2]), chunk("a", [1, 2])], "Chunks must not overlap; are they rows of two configurations"),
        ([chunk("a", [2, 1]), chunk("b", [3, 4])], "the utterances of 'a' have no ascending source_turn"),
        ([chunk("a", [1, 2]), chunk("b", [None, None])], "the utterances of 'b' have no ascending source_turn"),
        ([chunk("a", [1, 2]), chunk("b", [3, 4], session=2)], r"a, b are of different sessions \(1, 2\)"),
        ([chunk("a", [1, 2]), chunk("b", [3])], r"a pair of 'b' is of turns \(2, 2\), which the row does not have"),
    ],
)
def test_chunks_that_overlap_or_contradict_are_refused(rows, message):
    with pytest.raises(InvalidDataError, match=message) as caught:
        whole_dialogues(rows)
    assert "Dialogue 'd'" in str(caught.value)


def test_an_utterance_under_two_turns_is_refused():
    rows = [chunk("a", [1, 2]), chunk("b", [3, 4])]
    rows[1]["utterances"][0]["utterance_id"] = "d_1"
    with pytest.raises(InvalidDataError, match="utterance 'd_1' occurs more than once"):
        whole_dialogues(rows)


def test_a_whole_corpus_has_tables_and_fingerprints_of_its_own(synthetic_dir):
    corpus = load_corpus("3class", synthetic_dir)
    whole = whole_corpus(corpus)
    for split, table in corpus.tables.items():
        assert set(whole.tables[split].dialogue_ids) == set(table.source_dialogue_ids)
        assert sorted(whole.tables[split].labels) == sorted(table.labels)
        assert whole.tables[split].emotional_targets.sum() == table.emotional_targets.sum()
        assert whole.fingerprints[split] != corpus.fingerprints[split]
        assert whole.text_fingerprints[split] != corpus.text_fingerprints[split]
    again = whole_corpus(whole)
    assert (again.rows, again.fingerprints) == (whole.rows, whole.fingerprints)


def test_a_dialogue_in_two_splits_cannot_be_rejoined():
    corpus = corpus_of({"train": [chunk("a", [1, 2])], "test": [chunk("b", [3, 4])]}, config_name="rows")
    with pytest.raises(InvalidDataError, match="dialogue 'd': it has chunks in both train and test"):
        whole_corpus(corpus)


def test_a_whole_dataset_or_rows_of_something_else_are_refused() -> None:
    with pytest.raises(UsageError, match="takes the rows of one split"):
        whole_dialogues({"train": []})  # type: ignore[arg-type]
    with pytest.raises(InvalidDataError, match="Row 0 lacks dialogue_id"):
        whole_dialogues([{"a": 1}])


def test_explanations_follow_their_turns():
    def written(text, target, *causes):
        return [{"target_turn": target, "text": text, "status": 0, "cause_turns": list(causes)}]

    first = chunk("d__c1", [1, 2], explanations=written("first", 2, 1))
    second = chunk("d__c2", [3, 4], explanations=written("second", 1, 1, 2))
    (whole,) = whole_dialogues([second, first])
    assert whole["explanations"] == [*written("first", 2, 1), *written("second", 3, 3, 4)]
    assert second["explanations"] == written("second", 1, 1, 2)
    with pytest.raises(InvalidDataError, match="an explanation of 'd__c1' is of turn 7, which the row does not have"):
        whole_dialogues([chunk("d__c1", [1, 2], explanations=written("x", 2, 7))])


def test_explanations_enter_the_fingerprint_where_there_are_some():
    row = chunk("d", [1, 2])
    part = {"target_turn": 2, "text": "It rains.", "status": 0, "cause_turns": []}
    plain, explained = data_fingerprint([row]), data_fingerprint([{**row, "explanations": [part]}])
    assert data_fingerprint([{**row, "explanations": []}]) == plain != explained
    for changed in ({"text": "It snows."}, {"status": 1}, {"target_turn": 1}):
        assert data_fingerprint([{**row, "explanations": [{**part, **changed}]}]) != explained
    assert data_fingerprint([{**row, "explanations": [{**part, "cause_turns": [1]}]}]) == explained
