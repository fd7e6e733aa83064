"""Structure of the package: which room imports which, and what may lie in it."""

from __future__ import annotations

import ast
import functools
import importlib.metadata
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
ROOMS = ("iemomecp_dataset", "metrics", "trainers", "benchmark", "scripts")

# A module may import what is on its own level or below; the longest prefix of its name counts.
LEVELS = {
    "iemomecp_dataset": 0,
    "iemomecp_dataset.metrics": 1,
    "iemomecp_dataset.benchmark.runs": 2,
    "iemomecp_dataset.benchmark.baselines": 2,
    "iemomecp_dataset.benchmark.experiments": 2,
    "iemomecp_dataset.trainers": 3,
    "iemomecp_dataset.benchmark": 4,
    # What accelerate launches prints the benchmark's table, and the matrix launches it.
    **{
        f"iemomecp_dataset.trainers.{name}": 4
        for name in ("fusion", "roberta", "wavlm", "clip", "ecerc", "emotion", "explain", "llm")
    },
    # The one room that is above everything though inside the package.
    "iemomecp_dataset.commands": 5,
    "iemomecp_dataset.__main__": 5,
    "scripts": 5,
}
FILE_LIMITS = {"trainers/*.py": 21, "metrics/*.py": 14, "benchmark/*.py": 12, "benchmark/experiments/*.yaml": 12}


def files() -> Iterator[tuple[str, Path]]:
    """Every module of the rooms by its name; rooms' links in the package are not followed."""
    for room in ROOMS:
        for path in (REPOSITORY / room).rglob("*.py"):
            relative = path.relative_to(REPOSITORY)
            if room == "iemomecp_dataset" and relative.parts[1] in ROOMS:
                continue
            parts = [*([] if room in ("iemomecp_dataset", "scripts") else ["iemomecp_dataset"]), *relative.parts]
            name = ".".join(parts).removesuffix(".py").removesuffix(".__init__")
            yield name, path


@functools.cache
def modules() -> dict[str, Path]:
    return dict(files())


def imports_of(name: str, path: Path) -> Iterator[str]:
    """Modules of ours that a module imports, inside functions too; not those under TYPE_CHECKING."""
    nodes: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            nodes += node.orelse
            continue
        nodes += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            package = name if path.name == "__init__.py" else name.rpartition(".")[0]
            for _ in range(node.level - 1):
                package = package.rpartition(".")[0]
            source = ".".join(filter(None, [package if node.level else "", node.module]))
            # What is imported from a package may be a module of it.
            found = [f"{source}.{alias.name}" for alias in node.names]
            found = [module if module in modules() else source for module in found]
        else:
            continue
        for module in found:
            while module and module not in modules():
                module = module.rpartition(".")[0]
            if module and module != name:
                yield module


@functools.cache
def graph() -> dict[str, set[str]]:
    return {name: set(imports_of(name, path)) for name, path in modules().items()}


def level(module: str) -> int:
    prefix = module
    while prefix not in LEVELS:
        prefix = prefix.rpartition(".")[0]
    return LEVELS[prefix]


def test_imports_are_found_wherever_they_are(tmp_path):
    file = tmp_path / "example.py"
    file.write_text(
        "from typing import TYPE_CHECKING\nimport os\nimport iemomecp_dataset.rows\n"
        "from iemomecp_dataset import errors, load\n"
        "if TYPE_CHECKING:\n    from iemomecp_dataset.trainers import predict\n"
        "def late():\n    from iemomecp_dataset.metrics.scoring import pair_scores\n    from . import files\n"
    )
    found = {"rows", "errors", "metrics.scoring", "files"}
    expected = {f"iemomecp_dataset.{name}" for name in found} | {"iemomecp_dataset"}
    assert set(imports_of("iemomecp_dataset.example", file)) == expected


def test_every_module_of_the_package_is_looked_at():
    assert len(modules()) > 200
    assert {level(module) for module in modules()} >= {0, 1, 2, 3, 4, 5}
    for prefix in LEVELS:
        assert any(module == prefix or module.startswith(f"{prefix}.") for module in modules()), prefix


def test_nothing_imports_upwards():
    upwards = {
        (module, imported) for module, found in graph().items() for imported in found if level(imported) > level(module)
    }
    assert upwards == set()


def test_no_modules_import_each_other_in_a_circle():
    # Tarjan's algorithm would do; here modules without imports are removed until none is left.
    left = {module: set(found) for module, found in graph().items()}
    while free := {module for module, found in left.items() if not found & left.keys()}:
        left = {module: found for module, found in left.items() if module not in free}
    assert left == {}, "these import each other, or what does: " + ", ".join(sorted(left))


@pytest.mark.parametrize("pattern", FILE_LIMITS)
def test_a_folder_has_no_more_files_than_one_can_survey(pattern):
    found = [path.name for path in REPOSITORY.glob(pattern) if path.name != "__init__.py"]
    assert len(found) <= FILE_LIMITS[pattern], sorted(found)


def test_names_in_trainers_are_not_those_of_installed_modules():
    # The folder is on the path of what accelerate launches, so that a name in it would hide such a module.
    ours = {path.stem for path in (REPOSITORY / "trainers").iterdir() if path.suffix == ".py" or path.is_dir()}
    installed = {*sys.stdlib_module_names, *importlib.metadata.packages_distributions()}
    assert ours & {name for name in installed if not name.startswith("_")} == set()


@pytest.mark.parametrize("room", ["metrics", "trainers", "benchmark"])
def test_every_room_is_linked_into_the_package(room):
    listed = subprocess.run(
        ["git", "ls-files", "--stage", f"iemomecp_dataset/{room}"],
        cwd=REPOSITORY, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode:
        pytest.skip("not a git checkout")
    assert listed.stdout.startswith("120000 "), listed.stdout
    link = REPOSITORY / "iemomecp_dataset" / room
    target = link.readlink() if link.is_symlink() else Path(link.read_text())  # On Windows, a text file.
    assert target.as_posix() == f"../{room}"


def test_every_folder_with_modules_is_a_package_and_none_is_ignored_by_git():
    for name, path in modules().items():
        if not name.startswith("scripts"):
            assert (path.parent / "__init__.py").is_file(), path.parent
    paths = [os.fspath(path.relative_to(REPOSITORY)) for path in modules().values()]
    ignored = subprocess.run(
        ["git", "check-ignore", "--no-index", "--stdin"],
        cwd=REPOSITORY, capture_output=True, text=True, input="\n".join(paths), check=False,
    )  # fmt: skip
    assert ignored.stdout == ""
