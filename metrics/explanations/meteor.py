"""METEOR 1.5 (Denkowski and Lavie, 2014) through the Java program that ``pycocoevalcap`` contains.

NLTK's ``meteor_score`` is the METEOR of 2005 with other parameters and runs far higher; it stands in for it nowhere.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["MeteorScores", "meteor_scores", "one_meteor_program"]

_Processes: TypeAlias = dict[tuple[str, ...], "subprocess.Popen[str]"]

_kept: ContextVar[_Processes | None] = ContextVar("_kept", default=None)


class MeteorScores(NamedTuple):
    """METEOR 1.5 of a file.

    Attributes:
        corpus: From pooled statistics; not the mean of items.
        items: ``(m,)``.
    """

    corpus: float
    items: NDArray[np.float64]


def meteor_scores(candidates: Sequence[str], references: Sequence[str]) -> MeteorScores | str:
    """Computes METEOR 1.5: English, exact, stem, synonym and paraphrase matches, parameters of its authors.

    Args:
        candidates: ``m`` texts, tokens joined by blanks.
        references: Their references.

    Returns:
        The scores, 0 to 1; or the reason why there are none, one sentence.
    """
    java, jar = shutil.which("java"), _jar()
    lacks = [name for name, found in (("Java (the program 'java')", java), ("pycocoevalcap", jar)) if found is None]
    if java is None or jar is None:
        return (
            f"METEOR 1.5 needs {' and '.join(lacks)}, which this machine lacks; pip install pycocoevalcap has its jar."
        )
    # -stdio answers each line with one, so that neither side waits for the other.
    command = [java, "-jar", "-Xmx2G", jar.name, "-", "-", "-stdio", "-l", "en", "-norm"]
    try:
        with _program(command, jar.parent) as ask:
            pairs = zip(candidates, references, strict=True)
            found = [ask(f"SCORE ||| {_plain(reference)} ||| {_plain(text)}") for text, reference in pairs]
            values = [float(ask(f"EVAL ||| {' ||| '.join(found)}")), *(float(ask(None)) for _ in found)]
    except (OSError, ValueError) as error:
        return f"METEOR 1.5 failed in Java: {error}. Try: java -jar {jar}"
    return MeteorScores(values[-1], np.array(values[:-1]))


@contextmanager
def one_meteor_program() -> Iterator[None]:
    """Lets all lists that are scored within share one Java program, which takes seconds to load its tables.

    Java starts with the first list, again after a failure, and ends with the block.
    """
    if _kept.get() is not None:
        yield
        return
    processes: _Processes = {}
    token = _kept.set(processes)
    try:
        yield
    finally:
        _kept.reset(token)
        for process in processes.values():
            _end(process)


def _jar() -> Path | None:
    spec = importlib.util.find_spec("pycocoevalcap")
    folders = (spec.submodule_search_locations or ()) if spec is not None else ()
    return next((jar for folder in folders if (jar := Path(folder) / "meteor" / "meteor-1.5.jar").is_file()), None)


def _plain(text: str) -> str:
    return " ".join(text.replace("|||", " ").split())


class _Ask:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def __call__(self, line: str | None) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if line is not None:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise ValueError("it ended without an answer")
        return answer.strip()


@contextmanager
def _program(command: list[str], folder: Path) -> Iterator[_Ask]:
    kept, key = _kept.get(), (*command, str(folder))
    # Taken out while it is used, so that no answers of a list that failed are left in its pipe.
    process = kept.pop(key, None) if kept is not None else None
    if process is None:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
        )
    try:
        yield _Ask(process)
    except BaseException:
        _end(process)
        raise
    if kept is None:
        _end(process)
    else:
        kept[key] = process


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()
