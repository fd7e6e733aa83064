"""The list of changes fits the code, and the script that makes them reports what is caught and what survives."""

from __future__ import annotations

import ast
import functools
import importlib.util
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from iemomecp_dataset.errors import UsageError

REPOSITORY = Path(__file__).resolve().parents[2]
ROOMS = ("iemomecp_dataset", "metrics", "trainers", "benchmark")


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("mutate", REPOSITORY / "scripts" / "mutate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["mutate"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


MUTATE = script()
CHANGES = MUTATE.load_changes()


@functools.cache
def unchanged(file: str) -> tuple[str, str]:
    """Text and syntax tree of a file, for all changes to it."""
    text = (REPOSITORY / file).read_text(encoding="utf-8")
    return text, ast.dump(ast.parse(text))


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_a_change_of_the_list_can_be_made(change) -> None:
    text, tree = unchanged(change.file)
    assert ast.dump(ast.parse(change.made_in(text))) != tree, "it changes code that can be compiled"
    assert change.why
    assert change.tests
    for test in change.tests:
        assert (REPOSITORY / "tests" / test.partition("::")[0]).exists(), test


def test_the_list_covers_every_room_and_explains_what_survives() -> None:
    rooms = Counter(change.file.split("/")[0] for change in CHANGES)
    assert set(rooms) == set(ROOMS)
    assert min(rooms.values()) >= 15
    assert rooms.total() >= 130
    assert sum(bool(change.survives) for change in CHANGES) <= 3
    assert len({(change.file, change.old, change.new, change.place) for change in CHANGES}) == len(CHANGES)


@pytest.mark.parametrize(
    ("old", "place", "found"),
    [("one", 0, "1, two, two"), ("two", 1, "one, 1, two"), ("two", 2, "one, two, 1"), ("two", 0, None),
     ("two", 3, None), ("three", 0, None), ("three", 1, None)],
)  # fmt: skip
def test_the_text_to_change_is_where_the_entry_says(old: str, place: int, found: str | None) -> None:
    change = MUTATE.Change("a.py", old, "1", "why", ("test_a.py",), place=place)
    if found is None:
        with pytest.raises(UsageError, match=rf"a\.py: why: '{old}' occurs \d times"):
            change.made_in("one, two, two")
    else:
        assert change.made_in("one, two, two") == found


def test_a_field_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("- {file: a.py, tests: [b.py], changes: [{old: x, new: y, why: z, plase: 2}]}")
    with pytest.raises(UsageError, match="'plase'"):
        MUTATE.load_changes(tmp_path)


@pytest.mark.slow
def test_changes_are_caught_by_named_tests_or_survive_and_leave_the_tree_alone() -> None:
    before = (REPOSITORY / "metrics/significance/holm.py").read_bytes()
    tests = ("metrics/significance/test_holm.py",)
    caught, survivor = MUTATE.make_changes(
        [
            MUTATE.Change("metrics/significance/holm.py", "min(1.0, ", "min(2.0, ", "no bound", tests),
            MUTATE.Change("metrics/significance/holm.py", "running = 0.0", "running = -1.0", "starts below", tests),
        ],
        named_only=True,
    )
    assert (caught.caught_by, survivor.caught_by) == ("named tests", "")
    assert "test_holm.py" in caught.test
    assert (REPOSITORY / "metrics/significance/holm.py").read_bytes() == before


def test_an_unknown_change_is_one_clear_error() -> None:
    command = [sys.executable, str(REPOSITORY / "scripts" / "mutate.py"), "--only", "no such change"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert "'no such change' is found in no file and reason of the list" in done.stderr
    assert "Traceback" not in done.stderr
