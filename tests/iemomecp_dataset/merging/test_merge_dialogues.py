"""Whole dialogues of IEMOCAP for emotion recognition, from ConvECPE, and from the release where it is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import iemomecp_dataset
from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UsageError
from iemomecp_dataset.merging.merge_dialogues import dialogue_splits


def load(root, split=None, **options):
    return iemomecp_dataset.load("iemocap", data_dir=root, split=split, **options)


def test_rows_are_whole_dialogues_without_pairs(tree):
    loaded = load(tree.root)
    sessions = {"train": (1, 2, 3, 4), "test": (5,)}
    assert list(loaded) == list(sessions)
    for split, of_split in sessions.items():
        names = sorted(name for name in tree.dialogues if int(name[4]) in of_split)
        assert list(loaded[split]["dialogue_id"]) == list(loaded[split]["source_dialogue_id"]) == names
        for row in loaded[split]:
            name = row["dialogue_id"]
            assert (row["chunk_index"], row["session"], row["pairs"]) == (-1, int(name[4]), [])
            turns = range(1, len(tree.dialogues[name].emotions) + 1)
            assert (
                [u["turn"] for u in row["utterances"]] == [u["source_turn"] for u in row["utterances"]] == list(turns)
            )
            assert [u["emotion"] for u in row["utterances"]] == tree.dialogues[name].emotion_ids()
            for turn, utterance in zip(turns, row["utterances"], strict=True):
                assert utterance["text"] == tree.sentence(name, turn)
                assert utterance["utterance_id"] == tree.utterance_id(name, turn)
                assert (utterance["start"], utterance["end"]) == tree.times(turn)
                assert Path(utterance["wav"]).is_file()


def test_utterances_are_those_of_the_chunks(synthetic_dir):
    chunks = iemomecp_dataset.load("3class", data_dir=synthetic_dir)
    whole = load(synthetic_dir)
    assert list(whole) == ["train", "validation", "test"]
    assert iemomecp_dataset.is_synthetic(whole)

    def utterances(loaded):
        return {
            u["utterance_id"]: {key: value for key, value in u.items() if key != "turn"}
            for rows in loaded.values()
            for row in rows
            for u in row["utterances"]
        }

    assert utterances(whole) == utterances(chunks)
    # The test dialogues are the same, so that a system of the one task can be scored on the other.
    assert set(whole["test"]["dialogue_id"]) == set(chunks["test"]["source_dialogue_id"])


def test_every_way_of_loading_gives_the_same_rows(tree):
    rows = list(load(tree.root, "test"))
    assert list(load(tree.root, "test", streaming=True)) == rows
    for row, expected in zip(load(tree.root, "test", num_proc=2), rows, strict=True):
        assert row == expected


def test_neither_labels_nor_the_release_are_needed(tree, caplog):
    shutil.rmtree(tree.root / "labels")
    before = load(tree.root, "test")
    shutil.rmtree(tree.root / "IEMOCAP")
    after = load(tree.root, "test")
    assert "the text is ConvECPE's, and times and media are null" in caplog.text
    for row, other in zip(before, after, strict=True):
        assert [(u["text"], u["emotion"]) for u in row["utterances"]] == [
            (u["text"], u["emotion"]) for u in other["utterances"]
        ]
        assert {(u["start"], u["wav"]) for u in other["utterances"]} == {(None, None)}
    shutil.rmtree(tree.root / "ECPEC")
    with pytest.raises(MissingDataError, match=r"ConvECPE: missing \(looked for ECPEC or ConvECPE"):
        load(tree.root)


def test_sources_that_disagree_are_refused_as_in_the_merge_with_labels(tree):
    path = tree.transcript("Ses01F_impro01")
    path.write_text(path.read_text().replace("Line 1, of", "Another"))
    with pytest.raises(InvalidDataError, match=r"(?s)letters and digits only.*max_mismatch"):
        load(tree.root)
    assert load(tree.root, max_mismatch=0.5)
    assert load(tree.root, text_source="ecpec")


NAMES = [f"Ses0{n % 4 + 1}F_impro{n:02}" for n in range(25)]


@pytest.mark.parametrize(("rule", "chosen"), [("every_tenth", [9, 19]), ("first_tenth", [0, 1]), ("none", [])], ids=str)
def test_validation_is_a_part_of_the_sorted_train_dialogues(rule, chosen):
    ordered = sorted(NAMES)
    splits = dialogue_splits([*reversed(NAMES), "Ses05M_impro01"], Path("x.pkl"), rule)
    assert splits.get("validation", []) == [ordered[place] for place in chosen]
    assert splits["train"] == [name for place, name in enumerate(ordered) if place not in chosen]
    assert splits["test"] == ["Ses05M_impro01"]


@pytest.mark.parametrize("name", ["dia0", "Ses06F_impro01"])
def test_the_session_must_be_known(name):
    with pytest.raises(InvalidDataError, match=f"x.pkl, dialogue '{name}': expected the id of an IEMOCAP dialogue"):
        dialogue_splits([name], Path("x.pkl"), "none")


def test_options_of_other_configurations_are_refused(tree, synthetic_dir):
    for options, message in (
        ({"candidates": "past"}, "does not take the option 'candidates': IEMOCAP, .* has no causes"),
        ({"validation": "last_tenth"}, "validation cannot be 'last_tenth'"),
        ({"label_dir": "x"}, "does not take the option 'label_dir'"),
    ):
        with pytest.raises(UsageError, match=message):
            load(tree.root, **options)
    with pytest.raises(UsageError, match="'3class' does not take the option 'validation'"):
        iemomecp_dataset.load("3class", data_dir=tree.root, validation="none")
    whole = load(synthetic_dir, validation="none")
    assert list(whole) == ["train", "test"]
    assert len(whole["train"]) == sum(len(rows) for split, rows in load(synthetic_dir).items() if split != "test")


@pytest.mark.slow
def test_the_full_synthetic_corpus_has_as_many_dialogues_as_the_release(full_dir):
    sizes = {split: len(rows) for split, rows in load(full_dir).items()}
    assert sizes == {"train": 108, "validation": 12, "test": 31}
