"""The file that completes a checkpoint: what was written is read, and nothing else."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from iemomecp_dataset.errors import RunFolderError
from iemomecp_dataset.files import file_digest
from iemomecp_dataset.trainers.training import progress
from iemomecp_dataset.trainers.training.progress import (
    PROGRESS_FILE,
    DamagedCheckpointError,
    Progress,
    SavedProgress,
    check_digests,
    file_digests,
    read_progress,
    write_progress,
)

SAVED = SavedProgress(
    Progress(epoch=2, batches=3, best_epoch=1, best_score=0.1 + 0.2, threshold=0.25, seconds=1.5),
    ({"supervised": 1 / 3}, {"supervised": 2.0}),
    {"model.safetensors": "0a"},
    "1b",
)
NO_NUMBER = float("nan")


def test_it_gives_back_what_was_written(tmp_path: Path) -> None:
    for saved in (SAVED, SavedProgress(Progress(), ({},), {"a": "b"})):
        write_progress(tmp_path, saved)
        assert read_progress(tmp_path) == saved
    write_progress(tmp_path, SAVED)
    found = read_progress(tmp_path)
    assert [found.of_process(index).losses for index in range(found.processes)] == list(SAVED.losses)


def test_every_flipped_bit_is_noticed(tmp_path: Path) -> None:
    write_progress(tmp_path, SAVED)
    path = tmp_path / PROGRESS_FILE
    content = path.read_bytes()
    for position in range(0, len(content), 3):
        for bit in (0, 5):
            damaged = bytearray(content)
            damaged[position] ^= 1 << bit
            path.write_bytes(damaged)
            try:
                found = read_progress(tmp_path)
            except RunFolderError:
                continue
            assert found == SAVED  # a line end became another character between values


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"null", b"3", b"\xff\xfe{", b"[" * 100_000], ids=repr)
def test_another_file_of_that_name_is_damaged(content: bytes, tmp_path: Path) -> None:
    (tmp_path / PROGRESS_FILE).write_bytes(content)
    with pytest.raises(DamagedCheckpointError, match=r"progress\.json is damaged"):
        read_progress(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"threshold": NO_NUMBER}, {"best_score": NO_NUMBER}, {"lowest_loss": "x"}, {"epoch": -1}, {"epoch": 1e400},
        {"epoch": True}, {"batches": "3"}, {"seconds": float("inf")}, {"complete": 1}, {"losses": 3}, {"losses": []},
        {"losses": [{"supervised": "x"}]}, {"processes": [1]}, {"processes": 3}, {"files": []}, {"files": {"a": 1}},
        {"best": 3}, {"another": 1}, {"seconds": 10**400}, {"x" * 10**5: 1}, {"version": 1}, {"version": "2"},
        {"version": -1},
    ],
    ids=lambda change: str(change)[:40],
)  # fmt: skip
def test_values_that_no_run_writes_are_refused_whatever_the_digest(change: dict[str, Any], tmp_path: Path) -> None:
    write_progress(tmp_path, SAVED)
    path = tmp_path / PROGRESS_FILE
    content = {name: value for name, value in json.loads(path.read_text()).items() if name != "digest"} | change
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    path.write_text(json.dumps({**content, "digest": digest}))
    with pytest.raises(DamagedCheckpointError, match="damaged") as error:
        read_progress(tmp_path)
    assert len(str(error.value)) < 1000


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / PROGRESS_FILE)
    with pytest.raises(DamagedCheckpointError, match=r"progress\.json cannot be read \(is a named pipe"):
        read_progress(tmp_path)


def test_a_later_version_is_named_and_an_earlier_one_is_read_without_digests(tmp_path: Path) -> None:
    write_progress(tmp_path, SAVED)
    path = tmp_path / PROGRESS_FILE
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "version": 3, "new": "x"}))
    with pytest.raises(RunFolderError, match="was written by a later version of the package"):
        read_progress(tmp_path)
    for name in ("version", "digest", "files", "best"):
        del content[name]
    path.write_text(json.dumps(content))
    assert read_progress(tmp_path) == replace(SAVED, files=None, best=None)


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "said"),
    [(_flip, "is damaged: its content has another digest"), (Path.unlink, "is not there")],
    ids=["flip", "absent"],
)
def test_files_are_compared_with_their_digests(damage: Callable[[Path], None], said: str, tmp_path: Path) -> None:
    (tmp_path / "rank").mkdir()
    for name in ("model.safetensors", "rank/states.pt", PROGRESS_FILE):
        (tmp_path / name).write_bytes(name.encode() * 100)
    digests = file_digests(tmp_path)
    assert digests == {name: file_digest(tmp_path / name) for name in ("model.safetensors", "rank/states.pt")}
    _flip(tmp_path / PROGRESS_FILE)
    check_digests(tmp_path, digests)
    damage(tmp_path / "rank" / "states.pt")
    with pytest.raises(DamagedCheckpointError, match=rf"rank.states\.pt {said}"):
        check_digests(tmp_path, digests)


def test_files_that_are_not_compared_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("best.safetensors", "optimizer.bin"):
        (tmp_path / name).write_bytes(b"x")
    read: list[str] = []
    monkeypatch.setattr(progress, "file_digest", lambda path: read.append(path.name) or file_digest(path))
    check_digests(tmp_path, {"best.safetensors": file_digest(tmp_path / "best.safetensors")})
    assert read == ["best.safetensors"]
