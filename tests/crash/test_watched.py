"""The damage itself: what is lost, and what is not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

WATCHED = Path(__file__).resolve().parents[1] / "processes" / "watched"
# Events of a careful writer, and then of a careless one.
WRITES = """
import os, sys
folder = sys.argv[1]
with open(f"{folder}/.a.partial", "w") as file:
    file.write("new")
    file.flush()
    os.fsync(file.fileno())
os.rename(f"{folder}/.a.partial", f"{folder}/a")
with open(f"{folder}/b", "w") as file:
    file.write("new")
with open(f"{folder}/log", "a") as file:
    file.write("2")
os.mkdir(f"{folder}/end")
"""
EVENTS = ["open", "fsync", "os.rename", "open", "open", "os.mkdir", "end"]


def damaged(folder: Path, event: int, damage: str) -> tuple[int, str, dict[str, str]]:
    folder.mkdir()
    (folder / "a").write_text("old")
    (folder / "log").write_text("1")
    record = folder.parent / "events"
    plan = {"watched": [str(folder)], "event": event, "damage": damage, "record": str(record)}
    done = subprocess.run(
        [sys.executable, "-c", WRITES, folder],
        env={**os.environ, "PYTHONPATH": str(WATCHED), "FILE_EVENTS": json.dumps(plan)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert [line.split()[0] for line in record.read_text().splitlines()] == [
        *EVENTS[: event or None], *(["end"] if damage == "full" else [])
    ]  # fmt: skip
    left = {path.name: path.read_text() if path.is_file() else "" for path in folder.iterdir()}
    return done.returncode, done.stderr, left


def test_without_damage_everything_is_written(tmp_path: Path) -> None:
    assert damaged(tmp_path / "watched", 0, "") == (0, "", {"a": "new", "b": "new", "log": "12", "end": ""})


@pytest.mark.parametrize(
    ("event", "damage", "left"),
    [
        (1, "kill", {"a": "old", "log": "1"}),
        (3, "kill", {".a.partial": "new", "a": "old", "log": "1"}),
        (2, "power", {".a.partial": "", "a": "old", "log": "1"}),
        (3, "power", {".a.partial": "new", "a": "old", "log": "1"}),
        (6, "kill", {"a": "new", "b": "new", "log": "12"}),
        # Neither the new file nor what the other one grew by was synced.
        (6, "power", {"a": "new", "b": "", "log": "1"}),
        (7, "power", {"a": "new", "b": "", "log": "1", "end": ""}),
    ],
)
def test_a_process_ends_before_the_event_and_loses_what_it_did_not_sync(
    event: int, damage: str, left: dict[str, str], tmp_path: Path
) -> None:
    assert damaged(tmp_path / "watched", event, damage) == (-signal.SIGKILL, "", left)


def test_a_full_disk_takes_no_new_file(tmp_path: Path) -> None:
    code, said, left = damaged(tmp_path / "watched", 4, "full")
    assert (code, left) == (1, {"a": "new", "log": "1"})
    assert "OSError: [Errno 28] No space left on device" in said


def test_a_cut_disk_takes_the_beginning_of_a_file(tmp_path: Path) -> None:
    folder = tmp_path / "watched"
    folder.mkdir()
    plan = {"watched": [str(folder)], "event": 2, "damage": "cut", "record": ""}
    write = "import sys, pathlib\nfor name in 'ab': pathlib.Path(sys.argv[1], name).write_text(name * 3000)"
    done = subprocess.run(
        [sys.executable, "-c", write, folder],
        env={**os.environ, "PYTHONPATH": str(WATCHED), "FILE_EVENTS": json.dumps(plan)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "OSError: [Errno 27] File too large" in done.stderr
    assert {path.name: path.stat().st_size for path in folder.iterdir()} == {"a": 3000, "b": 1024}
