"""Claiming a run folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from iemomecp_dataset.errors import RunFolderError
from iemomecp_dataset.fingerprints import content_fingerprints
from iemomecp_dataset.trainers.options import TrainingOptions
from iemomecp_dataset.trainers.run_folder import RunFolder


def test_a_folder_left_by_a_run_that_was_killed_while_it_claimed_it_can_be_claimed(tmp_path: Path) -> None:
    (tmp_path / ".config.yaml.0123abcd.partial").write_text("seed: 4")
    assert RunFolder(tmp_path).claim(TrainingOptions(), {"train": "0"})
    assert not RunFolder(tmp_path).claim(TrainingOptions(), {"train": "0"})


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(RunFolderError, match="not empty"):
        RunFolder(tmp_path).claim(TrainingOptions(), {"train": "0"})


@pytest.mark.parametrize("finished", [False, True])
@pytest.mark.parametrize(
    ("data", "texts", "said"),
    [
        ("0", "1", None),
        ("9", "1", "the content of train has changed"),
        ("0", "9", "the content of train texts has changed"),
        ("0", None, "the content of train texts has changed"),
    ],
)
def test_a_run_is_not_continued_on_other_labels_or_texts(
    finished: bool, data: str, texts: str | None, said: str | None, tmp_path: Path
) -> None:
    folder = RunFolder(tmp_path / "run")
    assert folder.claim(TrainingOptions(), content_fingerprints({"train": "0"}, {"train": "1"}))
    if finished:
        record = {"data_fingerprint": {"train": "0"}, "text_fingerprint": {"train": "1"}}
        (folder.path / "results.json").write_text(json.dumps(record))
    found = content_fingerprints({"train": data}, {} if texts is None else {"train": texts})
    if said is None:
        assert not folder.claim(TrainingOptions(), found)
    else:
        with pytest.raises(RunFolderError, match=said):
            folder.claim(TrainingOptions(), found)


@pytest.mark.parametrize("checkpoint", [False, True])
def test_a_run_that_fails_before_its_first_checkpoint_gives_the_folder_back(checkpoint: bool, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    claimed = folder.claim(TrainingOptions(), {"train": "0"})
    folder.append_log({"event": "begin"})
    if checkpoint:
        folder.checkpoint(1, 0).mkdir()
    with pytest.raises(RuntimeError), folder.released_on_error(claimed):
        raise RuntimeError
    assert folder.path.exists() == checkpoint
    if not checkpoint:
        folder.claim(TrainingOptions.from_flat({"seed": 7}), {"train": "0"})
