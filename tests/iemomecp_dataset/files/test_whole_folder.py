"""A folder that is written as a whole: at every moment there is the earlier one or the new one."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.files.whole_folder import whole_folder

# Writes a folder in a child that ends before its n-th file event, for every n; prints what is there then, and what is
# left after the next writer.
KILLED = """
import contextlib, json, os, shutil, sys
from pathlib import Path
from iemomecp_dataset.files import whole_folder as module
from iemomecp_dataset.files.whole_folder import whole_folder

place, earlier = Path(sys.argv[1]), sys.argv[2] == "earlier"
if sys.argv[3] == "by two renames":
    module._exchanged = lambda one, other: False
target = place / "O"

def write(text):
    with whole_folder(target, lambda folder, files: None) as new:
        for name in ("a.txt", "data/b.txt"):
            (new / name).parent.mkdir(exist_ok=True)
            (new / name).write_text(text)

def killed(n):
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    events = 0
    def count(event, args):
        nonlocal events
        if event in ("os.mkdir", "os.rename", "os.remove", "os.rmdir") or (event == "open" and args[2] & os.O_CREAT):
            events += 1
            if events == n:
                os._exit(137)
    sys.addaudithook(count)
    write("new")
    os._exit(0)

def held():
    return sorted({path.read_text() for path in target.rglob("*.txt")}), len(list(target.rglob("*.txt")))

found, code, n = [], 137, 0
while code == 137:
    shutil.rmtree(place)
    place.mkdir()
    if earlier:
        write("old")
    n += 1
    code = killed(n)
    after_kill = held()
    with contextlib.suppress(RuntimeError), whole_folder(target, lambda folder, files: None):
        raise RuntimeError
    found.append([after_kill, held(), [path.name for path in place.iterdir() if path.name != "O"]])
print(json.dumps(found))
"""


@pytest.mark.parametrize(
    ("earlier", "how"), [(True, "in one step"), (True, "by two renames"), (False, "by two renames")]
)
def test_a_killed_writer_leaves_the_earlier_folder_or_the_new_one(tmp_path, earlier, how):
    (tmp_path / "place").mkdir()
    command = [sys.executable, "-c", KILLED, str(tmp_path / "place"), "earlier" if earlier else "none", how]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ})
    found = json.loads(done.stdout)
    old, new, absent = [["old"], 2], [["new"], 2], [[], 0]
    before = old if earlier else absent
    assert len(found) > 10
    assert found[-1][0] == new
    assert all(left == [] for _, _, left in found)
    if earlier and how == "by two renames":
        # Absent for one moment, between two renames; the next writer puts the earlier folder back.
        assert sum(state == absent for state, _, _ in found) == 1
    elif earlier and sys.platform == "linux":
        assert all(state != absent for state, _, _ in found)
    assert all(state in (before, new, absent) and after in (before, new) for state, after, _ in found)


def test_what_a_living_process_writes_is_left(tmp_path):
    with whole_folder(tmp_path / "O", lambda folder, files: None) as first:
        (first / "a.txt").write_text("first")
        with whole_folder(tmp_path / "O", lambda folder, files: None) as second:
            (second / "a.txt").write_text("second")
        assert (first / "a.txt").read_text() == "first"
    assert (tmp_path / "O" / "a.txt").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["O"]


def test_an_error_leaves_the_earlier_folder(tmp_path):
    (tmp_path / "O").mkdir()
    (tmp_path / "O" / "a.txt").write_text("old")

    def fail():
        with whole_folder(tmp_path / "O", lambda folder, files: None) as new:
            (new / "a.txt").write_text("new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert (tmp_path / "O" / "a.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["O"]


def test_a_file_added_during_the_work_is_not_lost(tmp_path):
    def refuse(folder: Path, files: list[str]) -> None:
        raise UsageError(f"{folder} has {files}")

    def write():
        with whole_folder(tmp_path / "O", refuse):
            (tmp_path / "O").mkdir()
            (tmp_path / "O" / "thesis.txt").write_text("mine")

    with pytest.raises(UsageError, match="thesis"):
        write()
    assert (tmp_path / "O" / "thesis.txt").read_text() == "mine"


def test_a_link_is_followed_and_rights_are_kept(tmp_path):
    (tmp_path / "far" / "O").mkdir(parents=True)
    (tmp_path / "far" / "O").chmod(0o750)
    (tmp_path / "O").symlink_to(tmp_path / "far" / "O")
    with whole_folder(tmp_path / "O", lambda folder, files: None) as new:
        (new / "a.txt").write_text("new")
    assert (tmp_path / "O").is_symlink()
    assert (tmp_path / "far" / "O" / "a.txt").read_text() == "new"
    assert (tmp_path / "far" / "O").stat().st_mode & 0o777 == 0o750


def test_the_current_folder_is_not_replaced(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with (
        pytest.raises(UsageError, match=r"is the current folder, .* Name a folder in it, such as merged"),
        whole_folder(Path(), lambda folder, files: None),
    ):
        pass


def test_without_locks_what_others_have_left_is_said(tmp_path, monkeypatch, caplog):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    (tmp_path / ".O.0123abcd.building").mkdir()
    with whole_folder(tmp_path / "O", lambda folder, files: None) as new:
        (new / "a.txt").write_text("new")
    assert (tmp_path / "O" / "a.txt").read_text() == "new"
    assert (tmp_path / ".O.0123abcd.building").is_dir()
    assert ".O.0123abcd.building: was left by an earlier command; whether a process still writes it" in caplog.text
