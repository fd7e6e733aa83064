"""Damage at a chosen file event: Python imports this module at its start where its folder is on PYTHONPATH.

The environment variable ``FILE_EVENTS`` is JSON: ``watched``, folders; ``event``, a number; ``damage``, what happens
just before that event in one of them; ``record``, a file that gets the events, one a line. A file event is an opening
for writing, a rename, a removal, a new folder, a link, a sync, or the end of the process. Libraries that write without
Python (safetensors, Arrow with a path) are seen by the rename that follows.

* ``kill``: the process is gone.
* ``power``: so is the power. What was not synced is lost: a file that was never synced is empty, one that grew since
  has its earlier length. File systems keep the order of renames, so these stay.
* ``full``: from then on no file and no folder can be made; removals and renames work.
* ``cut``: from then on no file can grow beyond 1024 bytes, whoever writes it: writes end in the middle.

The variable is removed, so that the events of processes started by this one are not counted.
"""

from __future__ import annotations

import atexit
import errno
import json
import os
import resource
import signal
import stat
import sys
from typing import Any, NoReturn

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate"}


class _Watch:
    """Counts file events and does the damage."""

    def __init__(self, watched: list[str], event: int, damage: str, record: str):
        self.folders = [os.path.realpath(folder) for folder in watched]
        self.event, self.damage, self.record = event, damage, record
        self.count, self.process, self.busy = 0, os.getpid(), False
        # (device, inode) -> (size, time of change) of what is safe on disk
        self.safe = {key: state for _, key, state in self.files()}

    def files(self) -> list[tuple[str, tuple[int, int], tuple[int, int]]]:
        found = []
        for folder in self.folders:
            for root, _, names in os.walk(folder):
                for name in names:
                    path = os.path.join(root, name)
                    state = os.lstat(path)
                    if stat.S_ISREG(state.st_mode):
                        found.append((path, *_state(state)))
        return found

    def inside(self, path: Any, folder: Any = -1) -> str | None:
        """The path, if it lies in a watched folder."""
        if isinstance(path, int):
            path = os.readlink(f"/proc/self/fd/{path}")
        path = os.fsdecode(path)
        if isinstance(folder, int) and folder >= 0:
            path = os.path.join(os.readlink(f"/proc/self/fd/{folder}"), path)
        path = os.path.join(os.path.realpath(os.path.dirname(path) or "."), os.path.basename(path))
        return path if any(path == one or path.startswith(f"{one}/") for one in self.folders) else None

    def happens(self, what: str, path: str) -> None:
        """Counts an event that is about to happen."""
        if self.busy or os.getpid() != self.process:
            return
        self.busy = True
        try:
            self.count += 1
            if self.record:
                with open(self.record, "a", encoding="utf-8") as record:
                    record.write(f"{what} {path}\n")
            if self.event and self.count >= self.event:
                if self.damage == "power":
                    self.lose_unsynced()
                if self.damage in ("kill", "power"):
                    _end()
                if self.damage == "cut":
                    _let_no_file_grow()
                elif what in ("open", "os.mkdir", "os.link", "os.symlink"):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
            if what in ("os.rename", "os.remove"):
                self.forget(path)
        finally:
            self.busy = False

    def forget(self, path: str) -> None:
        """Forgets a file that is about to be removed or replaced: another one may get its number."""
        if os.path.lexists(path):
            self.safe.pop(_state(os.lstat(path))[0], None)

    def lose_unsynced(self) -> None:
        for path, key, (size, changed) in self.files():
            safe_size, safe_changed = self.safe.get(key, (0, 0))
            if (size, changed) != (safe_size, safe_changed):
                os.truncate(path, min(size, safe_size))


def _state(state: os.stat_result) -> tuple[tuple[int, int], tuple[int, int]]:
    return (state.st_dev, state.st_ino), (state.st_size, state.st_mtime_ns)


def _let_no_file_grow() -> None:
    sys.dont_write_bytecode = True  # the import system would take its half-written files for whole ones
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def _end() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("killed")


def _watch(plan: dict[str, Any]) -> None:
    watch = _Watch(**plan)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write that is too long is an error, as on a full disk
    sync = os.fsync

    def fsync(file: Any) -> None:
        path = watch.inside(file if isinstance(file, int) else file.fileno())
        if path is not None:
            watch.happens("fsync", path)
        sync(file)
        key, state = _state(os.fstat(file if isinstance(file, int) else file.fileno()))
        watch.safe[key] = state

    os.fsync = fsync

    def hook(name: str, arguments: tuple[Any, ...]) -> None:
        if watch.busy or (name not in _CHANGES and name != "open"):
            return
        if name == "open":
            path, _, flags = arguments
            if isinstance(path, int) or path is None or not flags & _WRITES:
                return
            inside = watch.inside(path)
        elif name in ("os.rename", "os.link"):
            source, target, *folders = arguments
            inside = watch.inside(target, folders[-1] if folders else -1) or watch.inside(source)
        else:
            path, *rest = arguments
            inside = watch.inside(path, rest[-1] if rest and name != "os.truncate" else -1)
        if inside is not None:
            watch.happens(name, inside)

    sys.addaudithook(hook)
    atexit.register(watch.happens, "end", watch.folders[0])


if _plan := os.environ.pop("FILE_EVENTS", None):
    _watch(json.loads(_plan))
