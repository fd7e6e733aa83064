"""Processes that run Python without waiting for its large libraries.

``start`` and ``run`` stand in for ``subprocess`` and ``sys.executable`` where a test starts many processes that import
torch or transformers (4 seconds each). A process begins as the interpreter does, with these libraries imported and
nothing of this project; it can be sent signals, killed, and be one of several ranks. They do not serve tests of what is
imported, or of what depends on hash seeds: all forks have the same.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import select
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

__all__ = ["ForkedProcess", "executable", "rank_environments", "run", "start"]


class ForkedProcess:
    """The part of ``subprocess.Popen`` that the tests use."""

    def __init__(self, connection: socket.socket, arguments: list[str], out: Path, err: Path):
        self._connection, self.args, self.returncode = connection, arguments, None
        self._out, self._err = out, err
        self._answer = b""
        while b"\n" not in self._answer:
            self._answer += connection.recv(64)
        self.pid = int(self._answer.split()[0])

    def poll(self) -> int | None:
        """Its exit code, if it has ended."""
        return self._ended(0.0)

    def wait(self, timeout: float = 600.0) -> int:
        """Waits for its end."""
        if (code := self._ended(timeout)) is None:
            self.send_signal(signal.SIGKILL)
            raise subprocess.TimeoutExpired(self.args, timeout, self.stdout, self.stderr)
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

    def _ended(self, timeout: float) -> int | None:
        if self.returncode is None and select.select([self._connection], [], [], timeout)[0]:
            self._answer += self._connection.recv(64)
            self.returncode = int(self._answer.split()[1])
            self._connection.close()
        return self.returncode


class _Server:
    """The process that forks."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="forked-python-"))
        self._address = self._folder / "server"
        self._started = 0
        here = Path(__file__).parent
        self._process = subprocess.Popen(
            [sys.executable, here / "fork_server.py", self._address], stdin=subprocess.PIPE, text=True, cwd="/"
        )
        self.executable = self._folder / "python"
        code = (here / "fork_client.py").read_text(encoding="utf-8")
        code = code.replace('os.environ["FORK_SERVER"]', repr(str(self._address)))
        self.executable.write_text(f"#!{sys.executable} -ISs\n{code}", encoding="utf-8")
        self.executable.chmod(0o755)
        atexit.register(self.close)

    def fork(self, arguments: list[str], cwd: str, environment: Mapping[str, str], output: str | None) -> ForkedProcess:
        self._started += 1
        out, err = (Path(output or self._folder / f"{self._started}.{name}") for name in ("out", "err"))
        request = {
            "arguments": arguments, "cwd": cwd, "environment": dict(environment), "executable": sys.executable,
            "ignored_signals": [], "leads_its_group": False,
        }  # fmt: skip
        connection = self._connection()
        with open(os.devnull) as nothing, open(out, "ab") as printed, open(err, "ab") as errors:
            files = [file.fileno() for file in (nothing, printed, errors)]
            socket.send_fds(connection, [json.dumps(request).encode() + b"\n"], files)
        return ForkedProcess(connection, arguments, out, err)

    def _connection(self) -> socket.socket:
        """Connects to the server, which listens when it has imported everything."""
        while True:
            connection = socket.socket(socket.AF_UNIX)
            with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
                connection.connect(str(self._address))
                return connection
            assert self._process.poll() is None
            connection.close()
            time.sleep(0.02)

    def wait_until_it_listens(self) -> None:
        self._connection().close()

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


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
        [str(argument) for argument in arguments],
        str(cwd),
        os.environ if env is None else env,
        None if output is None else str(output),
    )


def executable() -> str:
    """A program that runs ``python ARGUMENTS`` in this way, for what starts processes itself.

    It passes signals on, ends as the process does, and takes it along when it is killed. Within such a process it is
    ``sys.executable``.
    """
    server = _server()
    server.wait_until_it_listens()
    return str(server.executable)


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
