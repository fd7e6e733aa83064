"""Folds: a partition by ids, whatever the order; a corpus that changed is refused; no run sees its own fold."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iemomecp_dataset.corpus import Corpus, corpus_of
from iemomecp_dataset.errors import InvalidDataError, UsageError
from iemomecp_dataset.folds import fold_corpus, make_folds, read_folds, unit_of, write_folds


def dialogue(name: str, source: str | None = None, label: int = 0) -> dict[str, Any]:
    return {
        "dialogue_id": name,
        "source_dialogue_id": source,
        "utterances": [
            {"utterance_id": f"{name}_1", "turn": 1, "text": f"text of {name}", "speaker": "A", "emotion": None}
        ],
        "pairs": [{"target_turn": 1, "cause_turn": 1, "label": label}],
    }


def corpus(names: list[str], validation: tuple[str, ...] = ("v",), config_name: str = "ecf") -> Corpus:
    splits = {"train": [dialogue(name) for name in names]}
    if validation:
        splits["validation"] = [dialogue(name) for name in validation]
    return corpus_of(splits, config_name=config_name)


NAMES = [str(number) for number in range(23)]


@given(order=st.permutations(NAMES), n=st.integers(2, 7))
def test_the_fold_of_a_dialogue_does_not_depend_on_its_place(order: list[str], n: int) -> None:
    folds = make_folds(corpus(order), n)
    assert folds.fold_of == make_folds(corpus(NAMES), n).fold_of
    assert folds.digest == make_folds(corpus(NAMES), n).digest
    sizes = [counts["dialogues"] for counts in folds.counts]
    assert sum(sizes) == len(NAMES)
    assert max(sizes) - min(sizes) <= 1


def test_dialogues_are_dealt_in_the_order_of_their_hashes() -> None:
    def place(name: str) -> str:
        return hashlib.sha256(f"salt\0{name}".encode()).hexdigest()

    folds = make_folds(corpus(NAMES), 4, salt="salt")
    expected = {name: number % 4 + 1 for number, name in enumerate(sorted(NAMES, key=place))}
    assert folds.fold_of == expected
    assert make_folds(corpus(NAMES), 4, salt="other").fold_of != expected


def test_what_belongs_together_stays_together() -> None:
    chunks = [dialogue(f"{source}__c{n}", source) for source in "abcdefgh" for n in range(3)]
    folds = make_folds(corpus_of({"train": chunks, "validation": [dialogue("v")]}, config_name="ecf"), 3)
    for source in "abcdefgh":
        assert len({folds.fold_of[f"{source}__c{n}"] for n in range(3)}) == 1
    linked = make_folds(corpus(NAMES), 5, together=[("1", "2"), ("2", "3"), ("9", "8")])
    assert linked.fold_of["1"] == linked.fold_of["2"] == linked.fold_of["3"]
    assert linked.fold_of["8"] == linked.fold_of["9"]
    assert linked.digest != make_folds(corpus(NAMES), 5).digest


def test_parts_of_an_iemocap_recording_are_one_unit() -> None:
    parts = ["Ses05M_script01_1", "Ses05M_script01_1b", "Ses05M_script01_1b__c003"]
    rows = [dialogue(parts[0]), dialogue(parts[1]), dialogue(parts[2], "Ses05M_script01_1b")]
    assert {unit_of(row, "iemomecp") for row in rows} == {"Ses05M_script01_1"}
    others = ("Ses05F_script01_1", "Ses05M_script01_2", "Ses05M_impro01")
    assert {unit_of(dialogue(name), "iemomecp") for name in others} == set(others)
    assert unit_of(dialogue("Ses05M_script01_1b"), "ecf") == "Ses05M_script01_1b"


def test_a_fold_is_scored_and_not_trained_on() -> None:
    whole = corpus(NAMES)
    folds = make_folds(whole, 5)
    scored = []
    for fold in range(1, 6):
        part = fold_corpus(whole, folds, fold)
        of = {split: [row["dialogue_id"] for row in rows] for split, rows in part.rows.items()}
        assert of["validation"] == ["v"]
        assert of["test"] == [name for name in NAMES if folds.fold_of[name] == fold]
        assert of["train"] == [name for name in NAMES if folds.fold_of[name] != fold]
        assert len(part.tables["test"]) == len(of["test"])
        assert part.fingerprints["validation"] == whole.fingerprints["validation"]
        assert part.fingerprints["train"] != whole.fingerprints["train"]
        assert part.part == f"fold-{fold}-of-5.{folds.digest}"
        assert f"fold {fold} of 5" in part.statement
        scored += of["test"]
    assert sorted(scored) == sorted(NAMES)


def test_of_a_corpus_with_one_split_the_next_fold_chooses() -> None:
    whole = corpus_of({"validation": [dialogue(name) for name in NAMES]}, config_name="ecf")
    folds = make_folds(whole, 3, split="validation")
    for fold, chosen, left in ((1, 2, 3), (2, 3, 1), (3, 1, 2)):
        part = fold_corpus(whole, folds, fold)
        of = {split: {folds.fold_of[row["dialogue_id"]] for row in rows} for split, rows in part.rows.items()}
        assert of == {"test": {fold}, "validation": {chosen}, "train": {left}}
        assert f"fold {chosen} as validation" in part.statement
    with pytest.raises(UsageError, match="--folds must be at least 3, but is 2"):
        make_folds(whole, 2, split="validation")
    with pytest.raises(UsageError, match="has no train split to make folds of"):
        make_folds(whole, 3)


def test_train_without_validation_takes_the_next_fold_too() -> None:
    whole = corpus(NAMES, validation=())
    folds = make_folds(whole, 3)
    part = fold_corpus(whole, folds, 3)
    assert {folds.fold_of[row["dialogue_id"]] for row in part.rows["validation"]} == {1}


def test_numbers_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UsageError, match="--folds must be at least 2, but is 1"):
        make_folds(corpus(NAMES), 1)
    with pytest.raises(UsageError, match="--folds 24 is more than the 23 dialogues of the train split"):
        make_folds(corpus(NAMES), 24)
    with pytest.raises(UsageError, match=r"Folds are made of train or validation, not of 'test'"):
        make_folds(corpus(NAMES), 2, split="test")
    with pytest.raises(UsageError, match="There are the folds 1 to 2, but --fold is 3"):
        fold_corpus(corpus(NAMES), make_folds(corpus(NAMES), 2), 3)


def test_folds_come_back_as_they_were(tmp_path: Path) -> None:
    folds = make_folds(corpus(NAMES), 5)
    write_folds(tmp_path / "folds.json", folds)
    assert read_folds(tmp_path / "folds.json") == folds
    content = json.loads((tmp_path / "folds.json").read_text())
    assert [counts["fold"] for counts in content["counts"]] == [1, 2, 3, 4, 5]
    assert {"dialogues", "utterances", "pairs"} < content["counts"][0].keys()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"digest": "0" * 12}, "was changed after it was written"),
        ({"salt": "pepper"}, "was changed after it was written"),
        ({"fold_of": dict.fromkeys(NAMES, 1)}, "was changed after it was written"),
        ({"fold_of": {"1": 9}}, "the fold of dialogue '1' is 9; expected 1 to 5"),
        ({"fold_of": []}, r"fold_of is \[\], which no file of folds has"),
        ({"counts": [{"fold": 1}]}, "counts is"),
        ({"folds": True}, "folds is True"),
        ({"split": "test"}, "split is 'test'"),
        ({"format_version": 2}, "format_version 2, expected 1"),
    ],
)
def test_a_file_that_was_changed_is_refused(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    path = tmp_path / "folds.json"
    write_folds(path, make_folds(corpus(NAMES), 5))
    path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))
    with pytest.raises(InvalidDataError, match=message):
        read_folds(path)


def test_a_corpus_that_changed_is_refused() -> None:
    folds = make_folds(corpus(NAMES), 5)
    relabelled = corpus_of(
        {"train": [dialogue(name, label=1) for name in NAMES], "validation": [dialogue("v")]}, config_name="ecf"
    )
    with pytest.raises(
        InvalidDataError, match=r"another state of the train split of ecf: data \w+ when they were made"
    ):
        fold_corpus(relabelled, folds, 1)
    rows = [dialogue(name) for name in NAMES]
    rows[3]["utterances"][0]["text"] = "other words"
    retold = corpus_of({"train": rows, "validation": [dialogue("v")]}, config_name="ecf")
    with pytest.raises(InvalidDataError, match=r"of ecf: texts \w+ when they were made"):
        folds.check_corpus(retold, "runs/folds.json")
    with pytest.raises(InvalidDataError, match=r"The folds in f part the train split of ecf, but the data is mecad"):
        folds.check_corpus(corpus(NAMES, config_name="mecad"), "f")
    # Another validation split is another matter: the dialogues that are scored are the same.
    folds.check_corpus(corpus(NAMES, validation=("w", "x")))


def test_a_number_in_place_of_the_file_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"--folds 5 is no file: a single run takes the file of folds"):
        read_folds("5")


def test_files_of_folds_of_earlier_versions_are_read(tmp_path: Path) -> None:
    folds = make_folds(corpus(NAMES), 5)
    write_folds(tmp_path / "folds.json", folds)
    content = json.loads((tmp_path / "folds.json").read_text())
    del content["file_digest"]
    (tmp_path / "folds.json").write_text(json.dumps(content))
    assert read_folds(tmp_path / "folds.json") == folds
