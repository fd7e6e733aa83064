"""Readers that do what none may do, each with what is found of it; started by test_fuzz.py with an empty folder."""

from __future__ import annotations

import dataclasses
import itertools
import os
import sys
import time
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "cases")]

import fuzzing  # noqa: E402
import watching  # noqa: E402

from iemomecp_dataset.errors import InvalidDataError  # noqa: E402

WORK = Path(sys.argv[1])
TEXT = "Ana: We missed the train.\nBen: Oh no!\n"
COUNT = itertools.count()
KINDS = (
    "ValueError", "too slow", "written or started", "code was run", "read otherwise the second time",
    "read, and then AssertionError", "read otherwise in spite of digests", "other than the valid files", "nothing",
)  # fmt: skip


def bad(does: Any) -> Any:
    """A reader that does something where the file is not the valid one."""

    def read(folder: Path) -> Any:
        content = (folder / "chat.txt").read_bytes()
        return TEXT if content.decode(errors="replace") == TEXT else does(content)

    return read


def main() -> None:
    """Prints for each reader what is found."""
    watching.SECONDS, watching._LOOK = 0.2, 0.3

    def refuse(content: bytes) -> Any:
        raise InvalidDataError("chat.txt is damaged.")

    readers = {
        "raises": lambda content: int("x"),
        "waits": lambda content: time.sleep(60),
        "hangs": lambda content: all(True for _ in itertools.count()),
        "writes": lambda content: (WORK.parent / "elsewhere").write_text("x"),
        "starts": lambda content: os.system("true"),
        "runs": lambda content: os.close(os.open(WORK / "x" / "canary", os.O_CREAT)),
        "gives another value each time": lambda content: next(COUNT),
        "adds a sentence": lambda content: "It never rained.",
        "tells a byte-order mark": lambda content: content,
        "reads what a digest forbids": lambda content: "It rains.",
        "refuses": refuse,
    }

    def check(value: Any) -> None:
        assert value != "It never rained."

    for name, does in readers.items():
        target = fuzzing.Target(name, lambda f: (f / "chat.txt").write_text(TEXT), bad(does), {"*": "lines"}, check)
        target = dataclasses.replace(target, sealed=("*",) if name == "reads what a digest forbids" else ())
        case = fuzzing.Case(target, WORK / "x")
        mark = "a byte-order mark" if name == "tells a byte-order mark" else "cut"
        damaged = b"\xef\xbb\xbf" + TEXT.encode() if name == "tells a byte-order mark" else TEXT.encode()[:9]
        example = fuzzing.Example({"chat.txt": damaged}, (f"chat.txt: {mark}",))
        report = fuzzing.Report(name)
        finding = fuzzing.tried(case, example, report)
        signature = "nothing" if finding is None else finding.signature
        print(f"{name}: {next((kind for kind in KINDS if signature.startswith(kind)), signature)}")


main()
