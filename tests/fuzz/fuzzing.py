"""Fuzzing of one target: valid files, damage drawn by hypothesis, a reader, and what may come of it.

A target may refuse with an error of the package, or read. What it reads must be what the undamaged files say, or at
least be the same when read again and pass the target's own check. It must be done within the time limit, and neither
run anything nor write a file elsewhere.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import json
import os
import shutil
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
from damage import PRESERVES, damage_content
from hostile_pickles import damage_pickle
from hypothesis import strategies as st
from parquet_damage import damage_parquet
from safetensors_damage import damage_safetensors
from watching import TooSlow, watched

from iemomecp_dataset.errors import IemomecpError

__all__ = ["Case", "Example", "Finding", "Report", "Target", "attempt", "fuzz", "load_example", "tried"]

LONGEST_MESSAGE = 10_000
FEWEST = 20
"""Examples that a target tries, however little time is left for it."""
SPECIAL = ("missing", "empty", "folder", "pipe", "link to nothing", "link to itself", "device")
_OFTEN = ("missing", "empty", "folder", "link to nothing", "link to itself")


@dataclass(frozen=True)
class Target:
    """A reader and what it reads.

    Attributes:
        name: Name of the target.
        write: Writes valid files into an empty folder.
        read: Reads the folder; what it gives is compared and checked.
        kinds: Format of files by pattern, the first that fits; files that fit none are not damaged.
        check: Raises where what was read is invalid.
        repair: Makes files fit each other again after damage, such as the digest of a shard that is meant to be read.
        writes: Whether reading changes the folder.
        sealed: Patterns of files every byte of which has a digest that the reader compares. Where damage to these alone
            changes what is read, that is a finding.
    """

    name: str
    write: Callable[[Path], object]
    read: Callable[[Path], Any]
    kinds: Mapping[str, str]
    check: Callable[[Any], None] = lambda value: None
    repair: Callable[[dict[str, bytes]], None] | None = None
    writes: bool = False
    sealed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Example:
    """Damaged files.

    Attributes:
        files: New content by path; a name of :data:`SPECIAL` is no content but what the path is.
        words: The damage.
    """

    files: Mapping[str, bytes | str]
    words: tuple[str, ...]

    @property
    def says_the_same(self) -> bool:
        """Whether the damage leaves what the files say."""
        return all(words.partition(": ")[2] in PRESERVES for words in self.words)

    def __repr__(self) -> str:
        return "; ".join(self.words)


@dataclass
class Finding:
    """What may not happen.

    Attributes:
        signature: Where and what, the same for what is likely one fault.
        words: The damage that led there, of the first example.
        detail: Message or traceback.
        times: Number of examples.
        folder: Where the first one lies.
    """

    signature: str
    words: str
    detail: str
    times: int = 1
    folder: str = ""


@dataclass
class Report:
    """Counts of one target."""

    target: str
    tried: int = 0
    refused: int = 0
    equal: int = 0
    changed: int = 0
    unnamed: int = 0
    seconds: float = 0.0
    findings: dict[str, Finding] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "findings": [dataclasses.asdict(f) for f in self.findings.values()]}


def fuzz(
    target: Target,
    work: Path,
    *,
    seconds: float = 1e9,
    examples: int = 10**9,
    seed: int | None = None,
    keep: Path | None = None,
    report: Report | None = None,
    progress: Callable[[Report], object] = lambda report: None,
) -> Report:
    """Tries damaged files on a target.

    Args:
        target: The target.
        work: An empty folder to work in.
        seconds: When to end, once :data:`FEWEST` examples are tried.
        examples: Number of examples after which to end.
        seed: Draws the same examples each time, if given.
        keep: Folder for examples of findings.
        report: Counts to continue.
        progress: Called about once a second.

    Returns:
        The counts.
    """
    report = report or Report(target.name)
    before = report.tried
    case = Case(target, work)
    started, end = time.monotonic(), time.monotonic() + seconds
    progress(report)
    told = [time.monotonic()]
    left = examples
    for batch in range(10**9):
        size = min(left, 200)
        left -= size

        def one(example: Example) -> None:
            if time.monotonic() > end and report.tried - before >= FEWEST:
                raise _TimeIsUpError
            finding = tried(case, example, report)
            if finding is not None:
                known = report.findings.setdefault(finding.signature, finding)
                if known is not finding:
                    known.times += 1
                elif keep is not None:
                    finding.folder = str(saved(target.name, example, finding, keep))
            if time.monotonic() > told[0] + 1.0:
                told[0] = time.monotonic()
                report.seconds = time.monotonic() - started
                progress(report)

        run = hypothesis.given(_examples(case))(one)
        run = hypothesis.seed(batch if seed is None else seed * 1000 + batch)(run)
        limits = hypothesis.settings(
            max_examples=size, database=None, deadline=None, phases=[hypothesis.Phase.generate],
            suppress_health_check=list(hypothesis.HealthCheck),
        )  # fmt: skip
        try:
            limits(run)()
        except _TimeIsUpError:
            break
        if left <= 0:
            break
    report.seconds = time.monotonic() - started
    return report


class _TimeIsUpError(BaseException):
    """The time of a target is up."""


class Case:
    """The valid files of a target in a folder, and what they are read as.

    Args:
        target: The target.
        work: An empty folder.
    """

    def __init__(self, target: Target, work: Path):
        self.target, self.work = target, work
        self.folder, self.canary = work / "case", work / "canary"
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        target.write(self.folder)
        files = sorted(path for path in self.folder.rglob("*") if path.is_file())
        self.content = {str(path.relative_to(self.folder)): path.read_bytes() for path in files}
        self.kinds = {
            name: kind
            for name in self.content
            if (kind := next((k for pattern, k in target.kinds.items() if fnmatch.fnmatch(name, pattern)), None))
        }
        assert self.kinds, f"{target.name}: no file to damage among {list(self.content)}"
        self._damaged: set[str] = set(self.content) if target.writes else set()
        value = target.read(self.folder)
        target.check(value)
        self.expected = plain(value)
        self.restore()

    def restore(self) -> None:
        """Puts the valid files back."""
        if self.target.writes:
            shutil.rmtree(self.folder)
            self.folder.mkdir()
            self._damaged = set(self.content)
        for name in self._damaged:
            path = self.folder / name
            _remove(path)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.content[name])
        self._damaged = set()

    def put(self, example: Example) -> None:
        """Puts damaged files in the place of the valid ones."""
        self.restore()
        for name, content in example.files.items():
            path = self.folder / name
            self._damaged.add(name)
            _remove(path)
            if isinstance(content, bytes):
                path.write_bytes(content)
            elif content == "empty":
                path.touch()
            elif content == "folder":
                path.mkdir()
            elif content == "pipe":
                os.mkfifo(path)
            elif content.startswith("link") or content == "device":
                goals = {"link to nothing": "nothing here", "link to itself": path.name, "device": "/dev/zero"}
                path.symlink_to(goals[content])


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@st.composite
def _examples(draw: Any, case: Case) -> Example:
    files: dict[str, bytes | str] = {}
    words = []
    names = sorted(case.kinds)
    many = draw(st.sampled_from((1, 1, 1, 2, 3)))
    for _ in range(many):
        name = draw(st.sampled_from(names))
        content = files.get(name, case.content[name])
        if draw(st.integers(0, 19)) == 0 or not isinstance(content, bytes):
            # What waits or never ends takes a hundred times as long as anything else.
            files[name] = draw(st.sampled_from(SPECIAL if draw(st.integers(0, 4)) == 0 else _OFTEN))
            words.append(f"{name}: {files[name]}")
            continue
        if len(names) > 1 and draw(st.integers(0, 29)) == 0:
            other = draw(st.sampled_from(names))
            files[name] = case.content[other]
            words.append(f"{name}: the content of {other}")
            continue
        kind = case.kinds[name]
        if kind == "pickle" and draw(st.integers(0, 3)):
            files[name], damage = damage_pickle(draw, content, str(case.canary))
        elif kind == "parquet" and draw(st.integers(0, 3)):
            files[name], damage = damage_parquet(draw, content)
        elif kind == "safetensors" and draw(st.integers(0, 3)):
            files[name], damage = damage_safetensors(draw, content)
        else:
            files[name], damage = damage_content(draw, content, kind)
            if isinstance(files[name], bytes):
                files[name] = files[name].replace(b"{canary}", str(case.canary).encode())
        words.append(f"{name}: {damage}")
    if case.target.repair is not None and draw(st.booleans()):
        whole = {**case.content, **{name: content for name, content in files.items() if isinstance(content, bytes)}}
        before = dict(whole)
        case.target.repair(whole)
        files.update(
            {name: content for name, content in whole.items() if content != before[name] and name not in files}
        )
        words.append("and what depends on it: adapted")
    return Example(files, tuple(words))


def tried(case: Case, example: Example, report: Report) -> Finding | None:
    """Reads an example and counts what comes of it; a finding where it is something that may not happen."""
    report.tried += 1
    case.put(example)
    kind, detail, signature = attempt(case, example)
    if kind in ("refused", "refused without a name"):
        report.refused += 1
        report.unnamed += kind != "refused"
    elif kind == "equal":
        report.equal += 1
    elif kind == "changed":
        report.changed += 1
    else:
        return Finding(f"{kind} {signature}".strip(), repr(example)[:500], detail)
    return None


def attempt(case: Case, example: Example) -> tuple[str, str, str]:
    """Reads the files as they lie.

    Returns:
        What happened (``refused``, ``equal``, ``changed``, or a fault in words), details, and where.
    """
    target = case.target
    seen: list[str] = []
    try:
        with watched(case.folder) as seen:
            value = target.read(case.folder)
    except IemomecpError as error:
        kind, detail, signature = _refusal(str(error), example)
    except TooSlow as error:
        kind, detail, signature = "too slow", f"{error}\n{_traceback(error)}", _place(error)
    except Exception as error:
        kind, detail, signature = f"{type(error).__name__}", _traceback(error), _place(error)
    else:
        kind, detail, signature = _read_again(case, example, value)
    if case.canary.exists():
        case.canary.unlink()
        return "code was run", detail, target.name
    if seen:
        return "written or started", "; ".join(seen[:5]), seen[0].split()[0]
    return kind, detail, signature


def _refusal(message: str, example: Example) -> tuple[str, str, str]:
    if len(message) > LONGEST_MESSAGE:
        return "a message too long", f"{len(message)} characters: {message[:300]}", message[:40]
    named = any(Path(name).name in message or Path(name).stem in message for name in example.files)
    return "refused" if named else "refused without a name", message, ""


def _read_again(case: Case, example: Example, value: Any) -> tuple[str, str, str]:
    try:
        with watched(case.folder):
            found = plain(value)
            if found == case.expected:
                return "equal", "", ""
            if example.says_the_same:
                return "other than the valid files", _difference(case.expected, found), example.words[0][-40:]
            if _is_sealed(case.target, example):
                return "read otherwise in spite of digests", _difference(case.expected, found), ""
            case.target.check(value)
            if case.target.writes:
                return "changed", "", ""
            again = plain(case.target.read(case.folder))
    except TooSlow as error:
        return "too slow", f"{error}\n{_traceback(error)}", _place(error)
    except Exception as error:
        return f"read, and then {type(error).__name__}", _traceback(error), _place(error)
    if again != found:
        return "read otherwise the second time", _difference(found, again), ""
    return "changed", "", ""


def _is_sealed(target: Target, example: Example) -> bool:
    return all(any(fnmatch.fnmatch(name, pattern) for pattern in target.sealed) for name in example.files)


def plain(value: Any) -> Any:
    """What was read, as values that compare: arrays as lists, NaN as a word, objects as their fields."""
    if isinstance(value, float) and value != value:
        return "NaN"
    if isinstance(value, np.ndarray):
        return (str(value.dtype), value.shape, plain(value.tolist()))
    if isinstance(value, np.generic):
        return plain(value.item())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return (type(value).__name__, {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)})
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return {repr(plain(item)) for item in value}
    return value


def _difference(one: Any, two: Any) -> str:
    first, second = repr(one), repr(two)
    at = next((i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), min(len(first), len(second)))
    return f"…{first[max(at - 60, 0) : at + 60]}… and …{second[max(at - 60, 0) : at + 60]}…"


def _place(error: BaseException) -> str:
    """The innermost line of the package that the error passed, which is the same for one fault."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if "/iemomecp_dataset/" in f.filename or "/site-packages/" not in f.filename]
    own = [f for f in own if "/tests/" not in f.filename and "/lib/python" not in f.filename] or frames
    return f"{Path(own[-1].filename).parent.name}/{Path(own[-1].filename).name}:{own[-1].name}"


def _traceback(error: BaseException) -> str:
    lines = traceback.format_exception(error, limit=-8)
    return "".join(line[:600] for line in lines)[-3000:]


def saved(target: str, example: Example, finding: Finding, keep: Path) -> Path:
    """Saves an example, so that it can be tried again."""
    number = len(list(keep.glob(f"{target.replace(' ', '-')}-[0-9]*"))) + 1 if keep.is_dir() else 1
    folder = keep / f"{target.replace(' ', '-')}-{number:02d}"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "files").mkdir(parents=True)
    special = {}
    for name, content in example.files.items():
        if isinstance(content, str):
            special[name] = content
        else:
            path = folder / "files" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    record = {"target": target, "words": list(example.words), "special": special, **dataclasses.asdict(finding)}
    (folder / "finding.json").write_text(json.dumps(record, indent=1), encoding="utf-8")
    return folder


def load_example(folder: Path) -> tuple[str, Example]:
    """Reads an example back: the name of its target, and the damaged files."""
    record = json.loads((folder / "finding.json").read_text(encoding="utf-8"))
    files: dict[str, bytes | str] = dict(record["special"])
    for path in (folder / "files").rglob("*"):
        if path.is_file():
            files[str(path.relative_to(folder / "files"))] = path.read_bytes()
    return record["target"], Example(files, tuple(record["words"]))
