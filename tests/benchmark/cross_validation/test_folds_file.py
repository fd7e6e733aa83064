"""The folds of a runs folder are made once, and others than are asked for are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from iemomecp_dataset.benchmark.cross_validation.folds_file import FOLDS_FILE, folds_of_folder
from iemomecp_dataset.corpus import Corpus, corpus_of
from iemomecp_dataset.errors import InvalidDataError, UsageError


def corpus(count: int) -> Corpus:
    """ECF of some dialogues of one turn, and one for validation."""

    def dialogue(name: str) -> dict[str, object]:
        text = {"utterance_id": f"{name}_1", "turn": 1, "text": f"text of {name}", "speaker": "A", "emotion": None}
        pairs = [{"target_turn": 1, "cause_turn": 1, "label": 0}]
        return {"dialogue_id": name, "source_dialogue_id": None, "utterances": [text], "pairs": pairs}

    splits = {"train": [dialogue(str(number)) for number in range(count)], "validation": [dialogue("v")]}
    return corpus_of(splits, config_name="ecf")


def test_folds_are_made_once_and_read_again(tmp_path: Path) -> None:
    runs = tmp_path / "runs" / "cv"
    planned = folds_of_folder(corpus(9), runs, 3, "train", "salt", write=False)
    assert not runs.exists(), "a plan writes nothing"
    made = folds_of_folder(corpus(9), runs, 3, "train", "salt")
    written = (runs / FOLDS_FILE).read_bytes()
    assert folds_of_folder(corpus(9), runs, 3, "train", "salt") == made == planned
    assert (runs / FOLDS_FILE).read_bytes() == written


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ((4, "train", "salt"), r"other folds: --folds 3 there and 4 here\. Give the same, or another --runs_dir"),
        ((3, "validation", "salt"), r"--folds_of train there and validation here"),
        ((3, "train", "pepper"), r"--salt 'salt' there and 'pepper' here"),
        ((2, "train", "pepper"), r"--folds 3 there and 2 here; --salt"),
    ],
)
def test_other_folds_than_are_asked_for_are_refused(asked: tuple[int, str, str], message: str, tmp_path: Path) -> None:
    folds_of_folder(corpus(9), tmp_path, 3, "train", "salt")
    with pytest.raises(UsageError, match=message):
        folds_of_folder(corpus(9), tmp_path, *asked)


def test_a_corpus_that_has_changed_is_refused(tmp_path: Path) -> None:
    folds_of_folder(corpus(9), tmp_path, 3, "train", "salt")
    with pytest.raises(InvalidDataError):
        folds_of_folder(corpus(10), tmp_path, 3, "train", "salt")
