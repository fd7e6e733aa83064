"""Processes that run Python without waiting for its large libraries.

``start`` and ``run`` stand in for ``subprocess`` and ``sys.executable`` where a test starts many processes that import
torch or transformers (4 seconds each). A process begins as the interpreter does, with these libraries imported and
nothing of this project; it can be sent signals, killed, and be one of several ranks. They do not serve tests of what is
imported, of launchers, or of what depends on hash seeds: all forks have the same.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["ForkedProcess", "rank_environments", "run", "start"]


class ForkedProcess:
    """The part of ``subprocess.Popen`` that the tests use."""

    def __init__(self, pid: int, arguments: list[str], status: Path, out: Path, err: Path):
        self.pid, self.args, self.returncode = pid, arguments, None
        self._status, self._out, self._err = status, out, err

    def poll(self) -> int | None:
        """Its exit code, if it has ended."""
        if self.returncode is None and self._status.exists():
            self.returncode = int(self._status.read_text())
        return self.returncode

    def wait(self, timeout: float = 600.0) -> int:
        """Waits for its end."""
        deadline = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                self.send_signal(signal.SIGKILL)
                raise subprocess.TimeoutExpired(self.args, timeout, self.stdout, self.stderr)
            time.sleep(0.005)
        return code

    def send_signal(self, number: int) -> None:
        """Sends a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    @property
    def stdout(self) -> str:
        """What it has printed so far."""
        return self._out.read_text(encoding="utf-8")

    @property
    def stderr(self) -> str:
        """What it has printed to standard error so far."""
        return self._err.read_text(encoding="utf-8")


class _Server:
    """The process that forks."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="forked-python-"))
        self._started: list[ForkedProcess] = []
        script = str(Path(__file__).with_name("fork_server.py"))
        self._process = subprocess.Popen(
            [sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/"
        )
        atexit.register(self.close)

    def fork(self, request: dict[str, Any]) -> ForkedProcess:
        status = self.folder / str(len(self._started))
        out, err = (Path(request[name] or status.with_suffix(f".{name}")) for name in ("out", "err"))
        out.touch()
        err.touch()
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps({**request, "status": str(status), "out": str(out), "err": str(err)}) + "\n")
        stdin.flush()
        process = ForkedProcess(int(stdout.readline()), request["arguments"], status, out, err)
        self._started.append(process)
        return process

    def close(self) -> None:
        for process in self._started:
            process.send_signal(signal.SIGKILL)
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


_server = functools.cache(_Server)


def start(
    *arguments: object,
    cwd: str | Path = "/",
    env: Mapping[str, str] | None = None,
    output: str | Path | None = None,
) -> ForkedProcess:
    """Starts ``python ARGUMENTS``.

    Args:
        arguments: A script, or ``-c`` and code, or ``-m`` and a module; and what follows.
        cwd: The working directory.
        env: The whole environment; that of the tests by default.
        output: A file to append standard output and errors to; files of its own by default.
    """
    return _server().fork(
        {
            "arguments": [str(argument) for argument in arguments],
            "cwd": str(cwd),
            "environment": dict(os.environ if env is None else env),
            "out": output and str(output),
            "err": output and str(output),
        }
    )


def run(*arguments: object, timeout: float = 600.0, **options: Any) -> subprocess.CompletedProcess[str]:
    """Runs ``python ARGUMENTS`` to its end, as ``subprocess.run`` does with output captured as text."""
    process = start(*arguments, **options)
    code = process.wait(timeout)
    return subprocess.CompletedProcess(process.args, code, process.stdout, process.stderr)


def rank_environments(count: int) -> list[dict[str, str]]:
    """Environments of processes that train together, as a launcher of torch sets them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {
        **os.environ, "ACCELERATE_USE_CPU": "true", "WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
    }  # fmt: skip
    return [{**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(count)]
