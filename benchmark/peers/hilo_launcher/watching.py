"""Runs HiLo's own entry as its user would, with a recorder between HiLo and torch."""

from __future__ import annotations

import collections
import collections.abc
import contextlib
import os
import runpy
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from .data_files import LaunchError
from .recorder import Recorder

__all__ = ["Tee", "inside_clone", "run_clone", "say", "watching"]

_FUNCTIONS = ("softmax", "log_softmax", "argmax", "max", "topk", "cross_entropy")


class Tee:
    """Passes on what is printed, and keeps it."""

    def __init__(self, stream: Any, kept: list[str]):
        self.beneath, self._kept = stream, kept

    def write(self, text: str) -> int:
        """Writes and keeps."""
        self._kept.append(str(text))
        self.beneath.write(text)
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.beneath, name)


def say(message: str) -> None:
    """Prints a line of progress."""
    stream: Any = sys.stderr
    # What this program prints is not what HiLo printed.
    print(f"launch_hilo: {message}", file=stream.beneath if isinstance(stream, Tee) else stream, flush=True)


@contextlib.contextmanager
def watching(recorder: Recorder) -> Iterator[None]:
    """Puts the recorder between HiLo and torch, and takes it away again."""
    torch = recorder.torch
    replaced: list[tuple[Any, str, Any]] = []

    def replace(owner: Any, name: str, value: Any) -> None:
        replaced.append((owner, name, owner.__dict__[name] if name in vars(owner) else None))
        setattr(owner, name, value)

    call = torch.nn.Module.__call__
    loader = torch.utils.data.DataLoader
    iterate = loader.__iter__

    def call_module(self: Any, *arguments: Any, **keywords: Any) -> Any:
        return recorder.call_module(call, self, arguments, keywords)

    def iterate_noted(self: Any) -> Any:
        return recorder.iterate(self, iterate(self))

    def noted(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def function(*arguments: Any, **keywords: Any) -> Any:
            return recorder.call_function(name, original, arguments, keywords)

        return function

    replace(torch.nn.Module, "__call__", call_module)
    replace(loader, "__iter__", iterate_noted)
    for owner in (torch, torch.Tensor, torch.nn.functional):
        for name in _FUNCTIONS:
            if hasattr(owner, name):
                replace(owner, name, noted(name, getattr(owner, name)))
    try:
        yield
    finally:
        for owner, name, value in reversed(replaced):
            if value is None:
                delattr(owner, name)
            else:
                setattr(owner, name, value)


@contextlib.contextmanager
def inside_clone(clone: Path, arguments: Sequence[str], text: list[str]) -> Iterator[None]:
    """The folder, the import path, the command line and the output that HiLo's own start would have.

    ``collections`` gets its old names of abstract classes back, which attrdict imports.
    """
    before = (Path.cwd(), list(sys.path), list(sys.argv), sys.stdout, sys.stderr)
    own_folder = Path(__file__).resolve().parents[1]
    # Modules beside the launcher's entry must not hide those of the clone.
    sys.path[:] = [str(clone)] + [path for path in sys.path if Path(path or ".").resolve() != own_folder]
    sys.argv[:] = [str(clone / "main.py"), *arguments]
    sys.stdout, sys.stderr = Tee(sys.stdout, text), Tee(sys.stderr, text)
    for name in collections.abc.__all__:
        if not hasattr(collections, name):
            setattr(collections, name, getattr(collections.abc, name))
    os.chdir(str(clone))
    try:
        yield
    finally:
        os.chdir(str(before[0]))
        sys.path[:], sys.argv[:] = before[1], before[2]
        sys.stdout, sys.stderr = before[3], before[4]


def run_clone(clone: Path, arguments: Sequence[str], recorder: Recorder) -> None:
    """Runs HiLo's own entry to its end.

    Raises:
        LaunchError: It stopped with an error.
    """
    try:
        runpy.run_path(str(clone / "main.py"), run_name="__main__")
    except SystemExit as end:
        if end.code not in (None, 0):
            raise LaunchError(f"HiLo stopped with exit code {end.code}; nothing was written.") from None
    except Exception as error:
        raise LaunchError(
            f"HiLo itself stopped with {type(error).__name__}, shown above; nothing was written. "
            "Its known defects, and what to do about them, are in the HOWTO.md of the export."
        ) from error
