"""Processes that run Python without waiting for its large libraries."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["ForkedProcess", "ForkedPython", "rank_environments"]


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


class ForkedProcess:
    """A process of :class:`ForkedPython`; the part of ``subprocess.Popen`` that the tests use."""

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


class ForkedPython:
    """Stands in for ``sys.executable`` where a test starts many processes that import torch or transformers.

    A process begins as the interpreter does, with the large libraries imported and nothing of this project; it can be
    sent signals, killed, and be one of several ranks. What it is not good for: tests of what is imported, and
    tests of launchers.
    """

    def __init__(self) -> None:
        self._server: subprocess.Popen[str] | None = None
        self._started: list[ForkedProcess] = []

    def __enter__(self) -> ForkedPython:
        self._folder = tempfile.TemporaryDirectory()
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._started:
            process.send_signal(signal.SIGKILL)
        if self._server is not None:
            assert self._server.stdin is not None
            self._server.stdin.close()
            self._server.wait()
        self._folder.cleanup()

    def start(
        self,
        *arguments: object,
        cwd: str | Path = "/",
        env: Mapping[str, str] | None = None,
        output: str | Path | None = None,
    ) -> ForkedProcess:
        """Starts ``python ARGUMENTS``.

        Args:
            arguments: A script, or ``-c`` and code, and what follows.
            cwd: The working directory.
            env: The whole environment; that of the tests by default.
            output: A file to append standard output and errors to; files of its own by default.
        """
        if self._server is None:
            script = Path(__file__).with_name("fork_server.py")
            self._server = subprocess.Popen(
                [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/"
            )
        server: Any = self._server
        place = Path(self._folder.name) / str(len(self._started))
        out, err = (Path(output),) * 2 if output else (place.with_suffix(".out"), place.with_suffix(".err"))
        line = [str(argument) for argument in arguments]
        request = {
            "arguments": line, "cwd": str(cwd), "environment": dict(os.environ if env is None else env),
            "status": str(place), "out": str(out), "err": str(err),
        }  # fmt: skip
        out.touch()
        err.touch()
        server.stdin.write(json.dumps(request) + "\n")
        server.stdin.flush()
        process = ForkedProcess(int(server.stdout.readline()), line, place, out, err)
        self._started.append(process)
        return process

    def run(self, *arguments: object, timeout: float = 600.0, **options: Any) -> subprocess.CompletedProcess[str]:
        """Runs ``python ARGUMENTS`` to its end; as ``subprocess.run`` with the output captured as text."""
        process = self.start(*arguments, **options)
        code = process.wait(timeout)
        return subprocess.CompletedProcess(process.args, code, process.stdout, process.stderr)
