"""A Python process that imports the large libraries once and then forks itself for every request.

A fork is a new process with nothing of ours imported: it runs a script or code as the interpreter does, with arguments,
directory, environment and output files of its own. Requests come as lines of JSON on standard input; the answer is the
process id. Between this process and each fork stands another one, which writes its exit code to a file.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import signal
import sys
import threading
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

LARGE = (
    "accelerate",
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


def serve() -> dict[str, Any]:
    """Answers requests; returns in each fork, with its request."""
    for name in LARGE:
        importlib.import_module(name)
    gc.freeze()  # what the forks share is not looked through in each of them
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while line := sys.stdin.readline():
        request: dict[str, Any] = json.loads(line)
        reap()
        if os.fork():
            continue
        if pid := os.fork():
            os.write(1, f"{pid}\n".encode())
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            path = Path(request["status"])
            path.with_suffix(".new").write_text(str(status))
            path.with_suffix(".new").replace(path)
            os._exit(0)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        return request
    os._exit(0)


def reap() -> None:
    """Takes note of the end of those that stood between."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def become(request: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Makes this process what was asked for; returns the code to run and its names."""
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["cwd"])
    for number, name in enumerate((os.devnull, request["out"], request["err"])):
        opened = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND if number else os.O_RDONLY)
        os.dup2(opened, number)
        os.close(opened)
    import datasets
    import numpy as np

    # What a new process would read from its environment or draw at random.
    if "HF_DATASETS_CACHE" in os.environ:
        datasets.config.HF_DATASETS_CACHE = Path(os.environ["HF_DATASETS_CACHE"])
    np.random.seed()  # noqa: NPY002  # the legacy state, which libraries still draw from
    sys.argv = request["arguments"]
    folders = [folder for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder]
    sys.path[:1] = ["", *(folder for folder in folders if folder not in sys.path)]
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


run(*become(serve()))
