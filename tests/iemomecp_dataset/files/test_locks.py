"""Locks: whom they hold, and whom they do not."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from iemomecp_dataset.errors import RunFolderError, UsageError
from iemomecp_dataset.files import locks
from iemomecp_dataset.files.locks import LOCK_FILE, hold_folder, locked_file, marked_as_written, share_folder, take_lock

HOLDER = (
    "import pathlib, sys, time\nfrom iemomecp_dataset.files.locks import hold_folder\n"
    "with hold_folder(pathlib.Path(sys.argv[1])):\n print('held', flush=True)\n time.sleep(60)"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "run"


def test_a_folder_is_held_by_one_process_which_the_other_is_told_and_a_killed_one_holds_nobody(folder: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", HOLDER, folder], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        said = f"in use by process {process.pid} on {socket.gethostname()} since .* Wait until it has ended, or end it"
        with pytest.raises(RunFolderError, match=said), hold_folder(folder):
            pass
        assert folder.exists(), "what is refused removes nothing"
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert "process" in (folder / LOCK_FILE).read_text(), "left by the killed one"
    with hold_folder(folder):
        assert str(os.getpid()) in (folder / LOCK_FILE).read_text()


@pytest.mark.parametrize(
    "hold",
    [
        hold_folder,
        lambda folder: locked_file(folder / LOCK_FILE),
        lambda folder: marked_as_written(folder / LOCK_FILE),
    ],
)
def test_a_child_does_not_hold_what_its_parent_held(folder: Path, hold: Callable[[Path], Any]) -> None:
    folder.mkdir(parents=True)
    with hold(folder):
        goes_on, end = os.pipe()
        started, start = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(end)
            os.write(start, b"x")
            os.read(goes_on, 1)
            os._exit(0)
        os.close(goes_on)
        os.read(started, 1)
    try:
        with hold_folder(folder):
            pass
    finally:
        for descriptor in (end, started, start):
            os.close(descriptor)
        os.waitpid(child, 0)


def test_at_the_end_nothing_is_left_of_the_lock_and_content_stays(folder: Path) -> None:
    with hold_folder(folder):
        pass
    assert not folder.exists()
    with contextlib.suppress(KeyError), hold_folder(folder):
        (folder / "config.yaml").touch()
        raise KeyError
    assert [path.name for path in folder.iterdir()] == ["config.yaml"]


def test_a_lock_on_a_file_that_its_holder_has_removed_meanwhile_is_none(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    removals = [lambda: (folder / LOCK_FILE).unlink(), lambda: ((folder / LOCK_FILE).unlink(), folder.rmdir())]

    def after_the_removal(descriptor: int, path: Path, *, shared: bool) -> bool:
        if removals:
            removals.pop()()
        return take_lock(descriptor, path, shared=shared)

    monkeypatch.setattr(locks, "take_lock", after_the_removal)
    with hold_folder(folder):
        assert removals == []
        with pytest.raises(RunFolderError, match="in use"), hold_folder(folder):
            pass


def test_a_folder_is_shared_by_those_who_share_it_alone(folder: Path) -> None:
    with share_folder(folder) as one_is_alone:
        with share_folder(folder) as other_is_alone:
            assert not one_is_alone()
            assert not other_is_alone()
            with pytest.raises(RunFolderError, match="in use"), hold_folder(folder):
                pass
        assert (folder / LOCK_FILE).exists(), "one still uses it"
        assert one_is_alone()
    assert not folder.exists()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS])
def test_a_file_system_without_locks_is_said_and_the_work_goes_on(
    number: int, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def flock(descriptor: int, how: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    with hold_folder(folder):
        assert folder.is_dir()
    with share_folder(folder) as alone:
        assert not alone(), "nobody knows"
    assert f"cannot be locked ({os.strerror(number)})" in caplog.text


def test_a_disk_that_fails_is_an_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(descriptor: int, how: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(OSError, match="Input/output"), hold_folder(folder):
        pass


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="file/run: cannot be written"), hold_folder(tmp_path / "file" / "run"):
        pass
    (tmp_path / "run" / LOCK_FILE).mkdir(parents=True)
    with pytest.raises(UsageError, match=r"\.lock: cannot be written"), hold_folder(tmp_path / "run"):
        pass
