"""Makes chosen changes to the code, one at a time, and reports those that no fast test notices.

python scripts/mutate.py --only trainers --named-only

The changes are listed in ``tests/mutations``: wiring mistakes that a reader would overlook, such as a threshold chosen
on another split, or an option that does not reach its function. General tools (cosmic-ray, mutmut) change every
operator and every constant, which makes tens of thousands of runs of this suite; a list of what would put a false
number into a table takes minutes, and each entry says what it is.

Each change is made in a copy of the working tree. The tests that its entry names run first, and the whole fast suite
where they pass. Processes are forked from one that has imported the large libraries.
"""

from __future__ import annotations

import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml
from tqdm import tqdm

from iemomecp_dataset.command_line import option, read_options
from iemomecp_dataset.command_process import run_command
from iemomecp_dataset.errors import UsageError

__all__ = ["Change", "Outcome", "load_changes", "make_changes"]

REPOSITORY = Path(__file__).resolve().parents[1]
LIST = REPOSITORY / "tests" / "mutations"
# Exit codes of pytest: 1 where tests fail, 2 where a test file cannot be imported; above it nothing was tested.
_COLLECTION_FAILED = 2


@dataclass(frozen=True)
class Options:
    """Options of the script."""

    only: str = option("", "Make only changes in whose file or reason this regular expression is found.")
    jobs: int = option(1, "Changes to try at the same time, each in a copy of its own.", minimum=1)
    named_only: bool = option(False, "Run the tests that the entries name, and not the whole fast suite after them.")
    minutes: float = option(30.0, "Time for one run of tests; a change that makes it longer counts as caught.", above=0)


@dataclass(frozen=True)
class Change:
    """An entry of the list.

    Attributes:
        file: The module, relative to the repository.
        old: Text of the module, which occurs once, or as ``place`` says.
        new: What replaces it.
        why: What is wrong then, in a few words.
        tests: Test files, or ids of tests, that should fail; relative to ``tests``.
        place: Which of several occurrences of ``old``, counted from 1; 0 for the only one.
        survives: Why no test can notice it; empty where a test must.
    """

    file: str
    old: str
    new: str
    why: str
    tests: tuple[str, ...]
    place: int = 0
    survives: str = ""

    def __str__(self) -> str:
        """The file and what is wrong."""
        return f"{self.file}: {self.why}"

    def made_in(self, text: str) -> str:
        """Makes the change.

        Args:
            text: The module.

        Returns:
            The changed module.

        Raises:
            UsageError: The text to change is not there, or not as often as the entry says.
        """
        parts = text.split(self.old)
        if len(parts) < 2 or (len(parts) > 2 and not self.place) or self.place >= len(parts):
            raise UsageError(
                f"{self}: {self.old!r} occurs {len(parts) - 1} times. Adapt the entry in tests/mutations to the code "
                "(old: a text that occurs once, or place: which occurrence)."
            )
        place = self.place or 1
        return self.old.join(parts[:place]) + self.new + self.old.join(parts[place:])


@dataclass(frozen=True)
class Outcome:
    """What the tests made of a change.

    Attributes:
        change: The change.
        caught_by: ``named tests`` or ``fast suite``; empty for a survivor.
        test: The first test that failed.
    """

    change: Change
    caught_by: str
    test: str = ""


def load_changes(folder: Path = LIST) -> list[Change]:
    """Reads the list.

    Args:
        folder: Its YAML files, each a list of groups with ``file``, ``tests`` and ``changes``.

    Raises:
        UsageError: An entry lacks a field or has one that does not exist.
    """
    changes = []
    for path in sorted(folder.glob("*.yaml")):
        for group in yaml.safe_load(path.read_text(encoding="utf-8")):
            for entry in group["changes"]:
                fields = {"file": group["file"], "tests": group["tests"], **entry}
                try:
                    changes.append(Change(**{**fields, "tests": tuple(fields["tests"])}))
                except TypeError as error:
                    raise UsageError(f"{path}, {group['file']}: {error}.") from None
    return changes


def make_changes(
    changes: Sequence[Change], *, jobs: int = 1, named_only: bool = False, minutes: float = 30.0
) -> list[Outcome]:
    """Makes each change in a copy of the working tree and runs the tests there.

    Args:
        changes: What to change.
        jobs: How many at the same time.
        named_only: Whether to leave out the whole fast suite.
        minutes: Time for one run of tests.

    Returns:
        An outcome for each change, in their order.

    Raises:
        UsageError: Tests fail without any change, or there are no such tests.
    """
    with _copies(jobs) as trees:
        named = sorted({name for change in changes for name in change.tests})
        caught = _caught(changes, {change: change.tests for change in changes}, named, trees, minutes)
        left = [] if named_only else [change for change in changes if change not in caught]
        by_suite = _caught(left, dict.fromkeys(left, ()), (), trees, minutes) if left else {}
    return [
        Outcome(change, "named tests", caught[change])
        if change in caught
        else Outcome(change, "fast suite" if change in by_suite else "", by_suite.get(change, ""))
        for change in changes
    ]


def main() -> None:
    """Makes the changes and prints the survivors."""
    options = read_options(Options, None, command="mutate.py", description=__doc__)
    changes = [change for change in load_changes() if re.search(options.only, str(change))]
    if not changes:
        raise UsageError(f"{options.only!r} is found in no file and reason of the list.")
    outcomes = make_changes(changes, jobs=options.jobs, named_only=options.named_only, minutes=options.minutes)
    survivors = [outcome.change for outcome in outcomes if not outcome.caught_by]
    for change in survivors:
        print(f"survives: {change}\n    {change.old!r} -> {change.new!r}\n    {change.survives or 'not explained'}")
    for outcome in outcomes:
        if outcome.caught_by and outcome.change.survives:
            print(f"caught by {outcome.test}, though the entry says that no test can notice it: {outcome.change}")
    by = [outcome.caught_by for outcome in outcomes]
    print(
        f"{len(outcomes)} changes: {by.count('named tests')} caught by the named tests, {by.count('fast suite')} by "
        f"the rest of the fast suite, {len(survivors)} survive."
    )
    if any(not change.survives for change in survivors):
        sys.exit(1)


def _caught(
    changes: Sequence[Change],
    tests: Mapping[Change, Sequence[str]],
    all_tests: Sequence[str],
    trees: queue.Queue[Path],
    minutes: float,
) -> dict[Change, str]:
    """The first failing test of each change that some of its tests fail on; no names of tests are the whole suite."""
    with _free(trees) as tree:
        code, output = _run_tests(tree, all_tests, minutes)
    if code:
        raise UsageError(f"Tests fail without any change:\n{output[-2000:]}")
    with tqdm(total=len(changes), desc="Changes" if all_tests else "Fast suite", unit="change") as bar:

        def failing(change: Change) -> str:
            with _free(trees) as tree:
                found = _failing(change, tree, tests[change], minutes)
            bar.update()
            bar.write(f"{'caught  ' if found else 'SURVIVES'} {change}")
            return found

        with ThreadPoolExecutor(trees.maxsize) as pool:
            found = dict(zip(changes, pool.map(failing, changes), strict=True))
    return {change: test for change, test in found.items() if test}


def _failing(change: Change, tree: Path, tests: Sequence[str], minutes: float) -> str:
    """The first test that fails on a change; empty for none."""
    path = tree / change.file
    original = path.read_text(encoding="utf-8")
    _write(path, change.made_in(original))
    try:
        code, output = _run_tests(tree, tests, minutes)
    finally:
        _write(path, original)
    if code > _COLLECTION_FAILED:
        raise UsageError(f"{change}: pytest cannot run {' '.join(tests)}:\n{output[-2000:]}")
    failed = [line for line in output.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return failed[0] if failed else "(none ended)" if code else ""


_written = iter(range(1, 1 << 31))


def _write(path: Path, text: str) -> None:
    """Writes a module with a time of its own, so that no compiled version of another one fits it."""
    path.write_text(text, encoding="utf-8")
    os.utime(path, (next(_written),) * 2)


def _run_tests(tree: Path, tests: Sequence[str], minutes: float) -> tuple[int, str]:
    """Exit code of pytest, 1 where time is over, and its output."""
    import forked_python

    arguments = ["-m", "pytest", "-x", "-q", "-p", "no:xdist", "-p", "no:cacheprovider", "-m", "not slow"]
    arguments.append("--hypothesis-profile=mutations")
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    # Of the whole suite all but the test that each entry of the list fits the code, which a change made unfit.
    paths = [f"tests/{name}" for name in tests] or ["--ignore=tests/scripts/test_mutate.py"]
    process = forked_python.start(*arguments, *paths, cwd=tree, env=environment)
    try:
        code = process.wait(60 * minutes)
    except subprocess.TimeoutExpired:
        return 1, process.stdout
    return code, process.stdout


@contextmanager
def _copies(count: int) -> Iterator[queue.Queue[Path]]:
    """Copies of the working tree, as repositories of their own: some tests ask which files are tracked."""
    sys.path.insert(0, str(REPOSITORY / "tests" / "processes"))
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ["HF_HUB_OFFLINE"] = "1"
    git = ["git", "-c", "user.name=mutate", "-c", "user.email=mutate@localhost"]
    listing = [*git, "ls-files", "-co", "--exclude-standard"]
    names = subprocess.run(listing, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.splitlines()
    trees: queue.Queue[Path] = queue.Queue(count)
    with tempfile.TemporaryDirectory(prefix="mutate-") as folder:
        for number in range(count):
            tree = Path(folder, str(number))
            for name in names:
                source = REPOSITORY / name
                if source.is_symlink() or source.is_file():
                    (tree / name).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(source, tree / name, follow_symlinks=False)
            for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "copy"]):
                subprocess.run([*git, *command], cwd=tree, check=True)
            trees.put(tree)
        yield trees


@contextmanager
def _free(trees: queue.Queue[Path]) -> Iterator[Path]:
    """A copy that no other change is made in."""
    tree = trees.get()
    try:
        yield tree
    finally:
        trees.put(tree)


if __name__ == "__main__":
    run_command(main)
