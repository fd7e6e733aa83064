"""A Python process that imports the large libraries once and then forks itself for every request.

A fork is a new process with nothing of ours imported: it runs a script or code as the interpreter does, with arguments,
directory, environment and files of its own. Requests come through a socket, with the three standard files; the answers
are the process id and, at its end, the exit code. Between this process and each fork stands another one, which passes
signals on and ends the fork when the one who asked for it is gone.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import threading
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

LARGE = (
    "accelerate.commands.launch",
    "datasets",
    "joblib",
    "pandas",
    "pyarrow.parquet",
    "safetensors.torch",
    "scipy.sparse",
    "sklearn.feature_extraction.text",
    "sklearn.linear_model",
    "sklearn.metrics",
    "torch",
    "torch.distributed",
    "transformers",
    "transformers.hf_argparser",
    "transformers.models.auto.modeling_auto",
    "transformers.models.auto.tokenization_auto",
    "transformers.models.roberta.modeling_roberta",
    "yaml",
)


def serve(address: str) -> tuple[dict[str, Any], list[int]]:
    """Answers requests; returns in each fork, with its request and its standard files."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(address)
    for name in LARGE:
        importlib.import_module(name)
    gc.freeze()  # what the forks share is not looked through in each of them
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listening.listen(64)
    while True:
        readable, _, _ = select.select([listening, sys.stdin], [], [])
        if sys.stdin in readable:
            os._exit(0)  # it is closed by the one who started this process
        connection = listening.accept()[0]
        if os.fork():
            connection.close()
            continue
        listening.close()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        request, files = receive(connection)
        if (pid := os.fork()) == 0:
            connection.close()
            return request, files
        keep(pid, connection, request["leads_its_group"])


def receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Reads a request, one line, and the three files that come with it."""
    line, files, _, _ = socket.recv_fds(connection, 65536, 3)
    while not line.endswith(b"\n"):
        if not (more := connection.recv(65536)):
            os._exit(0)  # nothing was asked for
        line += more
    return json.loads(line), files


def keep(pid: int, connection: socket.socket, group: bool) -> NoReturn:
    """Passes signals to a process until it ends, and kills it if the connection does.

    The one who asked may be the leader of a process group, which is signalled as a whole; then so is that of the fork.
    """
    os.setsid()
    for number in range(3):
        os.close(number)
    send = os.killpg if group else os.kill
    ended = os.pidfd_open(pid)
    with contextlib.suppress(ConnectionError):
        connection.send(f"{pid}\n".encode())
        while ended not in (readable := select.select([connection, ended], [], [])[0]):
            if connection in readable:
                for number in connection.recv(64) or [signal.SIGKILL]:
                    with contextlib.suppress(ProcessLookupError):
                        send(pid, number)
                    if number == signal.SIGKILL:
                        os.waitpid(pid, 0)
                        os._exit(0)
        connection.send(f"{os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}\n".encode())
    os._exit(0)


def become(request: dict[str, Any], files: list[int]) -> tuple[Any, dict[str, Any]]:
    """Makes this process what was asked for; returns the code to run and its names."""
    if request["leads_its_group"]:
        os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in request["ignored_signals"]:
        signal.signal(number, signal.SIG_IGN)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["cwd"])
    for number, opened in enumerate(files):
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin, sys.stdout, sys.stderr = (
        open(number, mode, encoding="utf-8", buffering=1 if number == 2 else -1, closefd=False)  # noqa: SIM115
        for number, mode in enumerate("rww")
    )
    import datasets
    import huggingface_hub.constants
    import numpy as np

    # What a new process would read from its environment or draw at random.
    if "HF_DATASETS_CACHE" in os.environ:
        datasets.config.HF_DATASETS_CACHE = Path(os.environ["HF_DATASETS_CACHE"])
    if "HF_HUB_CACHE" in os.environ:
        huggingface_hub.constants.HF_HUB_CACHE = os.environ["HF_HUB_CACHE"]
    np.random.seed()  # noqa: NPY002  # the legacy state, which libraries still draw from
    sys.argv, sys.executable = request["arguments"], request["executable"]
    folders = [folder for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder]
    sys.path[:1] = ["", *(folder for folder in folders if folder not in sys.path)]
    if any(Path(folder, "sitecustomize.py").is_file() for folder in folders):
        sys.modules.pop("sitecustomize", None)
        importlib.import_module("sitecustomize")
    names = {"__name__": "__main__", "__builtins__": __builtins__}
    if sys.argv[0] == "-c":
        return compile(sys.argv.pop(1), "<string>", "exec"), names
    if sys.argv[0] == "-m":
        module = sys.argv.pop(1)
        return compile("import runpy; runpy.run_module(module, run_name='__main__', alter_sys=True)", "-m", "exec"), {
            **names, "module": module
        }  # fmt: skip
    sys.path[0] = str(Path(sys.argv[0]).resolve().parent)
    return compile(Path(sys.argv[0]).read_bytes(), sys.argv[0], "exec"), {**names, "__file__": sys.argv[0]}


def run(code: Any, names: dict[str, Any]) -> NoReturn:
    """Runs a program and ends as the interpreter does, but for taking apart what was imported (2 seconds)."""
    status: object = 0
    sys.modules["__main__"] = ModuleType("__main__")
    sys.modules["__main__"].__dict__.update(names)
    try:
        exec(code, sys.modules["__main__"].__dict__)
    except SystemExit as ended:
        status = ended.code or 0
    except BaseException as error:
        traceback.print_exc()
        status = error if isinstance(error, KeyboardInterrupt) else 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    if isinstance(status, str):
        print(status, file=sys.stderr)
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    if isinstance(status, KeyboardInterrupt):
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit(int(status) & 0xFF)  # type: ignore[call-overload]


run(*become(*serve(sys.argv[1])))
