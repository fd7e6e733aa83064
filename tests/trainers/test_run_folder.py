"""Claiming a run folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from iemomecp_dataset.errors import RunFolderError
from iemomecp_dataset.trainers.options import TrainingOptions
from iemomecp_dataset.trainers.run_folder import RunFolder
from iemomecp_dataset.trainers.run_inputs import RunInputs


def test_a_folder_left_by_a_run_that_was_killed_while_it_claimed_it_can_be_claimed(tmp_path: Path) -> None:
    (tmp_path / ".config.yaml.0123abcd.partial").write_text("seed: 4")
    assert RunFolder(tmp_path).claim(TrainingOptions(), RunInputs({"train": "0"}))
    assert not RunFolder(tmp_path).claim(TrainingOptions(), RunInputs({"train": "0"}))


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(RunFolderError, match="not empty"):
        RunFolder(tmp_path).claim(TrainingOptions(), RunInputs({"train": "0"}))


@pytest.mark.parametrize("checkpoint", [False, True])
def test_a_run_that_fails_before_its_first_checkpoint_gives_the_folder_back(checkpoint: bool, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    claimed = folder.claim(TrainingOptions(), RunInputs({"train": "0"}))
    folder.append_log({"event": "begin"})
    if checkpoint:
        folder.checkpoint(1, 0).mkdir()
    with pytest.raises(RuntimeError), folder.released_on_error(claimed):
        raise RuntimeError
    assert folder.path.exists() == checkpoint
    if not checkpoint:
        folder.claim(TrainingOptions.from_flat({"seed": 7}), RunInputs({"train": "0"}))
