"""The launcher of HiLo, on stubs whose names and structures it does not know."""

from __future__ import annotations

import ast
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import forked_python
import numpy as np
import pytest
from hilo_clones import make_clone

from iemomecp_dataset.benchmark.peers import launch_hilo

SCRIPT = Path(launch_hilo.__file__).resolve()
PARTS = SCRIPT.with_name("hilo_launcher")
SPLITS = {"test": "test", "validation": "valid"}


def launch(folder: Path, *options: str, clone: str = "packed", changes: dict[str, str] | None = None) -> Any:
    """Makes a stub and launches it as a user does: by path, with nothing of this package on the path."""
    # The stub imports a module of its own that is called as this one.
    (folder / "peers").mkdir(exist_ok=True)
    (folder / "peers" / "manifest.py").write_text('OF = "the launcher"')
    script = shutil.copy(SCRIPT, folder / "peers")
    shutil.copytree(PARTS, folder / "peers" / PARTS.name, dirs_exist_ok=True)
    if not (folder / "clone").exists():
        make_clone(folder / "clone", clone, changes=changes)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    arguments = ["--clone", folder / "clone", "--output-dir", folder / "out", *options, "--", "--seed", "3"]
    return forked_python.run(script, *arguments, cwd=folder, env=environment)


def written(folder: Path, split: str) -> dict[str, Any]:
    record = json.loads((folder / "out" / f"hilo_{split}.json").read_text())
    assert (record["format"], record["peer"], record["split"]) == (1, "hilo", split)
    return record


def own(folder: Path, split: str, what: str = "own") -> dict[int, Any]:
    found = json.loads((folder / "clone" / f"{what}_{SPLITS[split]}.json").read_text())
    return {int(number): values for number, values in found.items()}


def decisions(folder: Path, split: str) -> dict[int, Any]:
    return {dialogue["id"]: dialogue["decision"] for dialogue in written(folder, split)["dialogues"]}


def gold(folder: Path, split: str) -> dict[int, set[tuple[int, int]]]:
    lines = (folder / "clone" / "data" / "dataset" / f"{SPLITS[split]}.txt").read_text().split("\n")
    found: dict[int, set[tuple[int, int]]] = {}
    while len(lines) > 1:
        number, size = map(int, lines[0].split())
        found[number] = set(ast.literal_eval(f"[{lines[1]}]"))
        lines = lines[2 + size :]
    return found


@pytest.mark.parametrize("clone", [pytest.param("two_models", marks=pytest.mark.slow), "packed", "single", "inside"])
def test_files_hold_the_decisions_of_the_clone(tmp_path: Path, clone: str) -> None:
    done = launch(tmp_path, clone=clone)
    assert done.returncode == 0, done.stderr
    for split in SPLITS:
        record, pairs = written(tmp_path, split), gold(tmp_path, split)
        assert decisions(tmp_path, split) == own(tmp_path, split)
        assert [dialogue["id"] for dialogue in record["dialogues"]] == list(pairs)
        for dialogue in record["dialogues"]:
            probability, decision = np.array(dialogue["probability"]), np.array(dialogue["decision"])
            scored, filtered = np.array(dialogue["scored"]), np.array(dialogue["filtered"])
            past = np.tril(np.ones_like(scored))
            assert ((probability >= 0.5) == decision).all()
            assert ((probability > 0) == scored).all()
            assert (scored + filtered == past).all()
            if len(past) > 1 and "emotion" in dialogue and "cause" in dialogue:
                kept = (np.array(dialogue["emotion"]) == 1)[:, None] | (np.array(dialogue["cause"]) == 1)[None]
                assert (scored == past * kept).all()
        predicted = {
            (dialogue["id"], i + 1, j + 1)
            for dialogue in record["dialogues"]
            for i, j in np.argwhere(dialogue["decision"])
        }
        correct = len(predicted & {(number, *pair) for number, found in pairs.items() for pair in found})
        if split == "test":
            printed, all_gold = record["printed"], sum(map(len, pairs.values()))
            expected = [correct / len(predicted), correct / all_gold, 2 * correct / (len(predicted) + all_gold)]
            found = [printed[name] / printed["scale"] for name in ("precision", "recall", "f1")]
            assert found == pytest.approx(expected, abs=5.1e-5)
    # The last evaluation of validation during training was with other weights.
    assert "evaluating validation again with the weights of the final evaluation" in done.stderr
    assert "predictions will be written" in done.stderr.split("HiLo ended")[0]
    assert not (tmp_path / "out" / "hilo_inspection.json").exists()


def test_probabilities_are_the_softmax_of_the_summed_logits(tmp_path: Path) -> None:
    assert launch(tmp_path, clone="single").returncode == 0
    for split in SPLITS:
        dialogues = written(tmp_path, split)["dialogues"]
        for name in ("emotion", "cause"):
            assert {dialogue["id"]: dialogue[name] for dialogue in dialogues} == own(tmp_path, split, name)
        expected = own(tmp_path, split, "probability")
        for dialogue in dialogues:
            found = np.array(dialogue["probability"])
            np.testing.assert_allclose(found, np.array(expected[dialogue["id"]]) * dialogue["scored"], atol=1e-6)


def test_a_score_that_no_reading_has_is_refused(tmp_path: Path) -> None:
    unknown = {"sum(parts).argmax(-1)": "(sum(parts).softmax(-1)[..., 1] > 0.6).long()"}
    done = launch(tmp_path, changes=unknown)
    assert done.returncode == 1
    assert "No predictions were written" in done.stderr
    assert "--pair-logits" in done.stderr
    # Said after the first evaluation, not only at the end.
    assert "so far, predictions would not be written" in done.stderr.split("HiLo ended")[0]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["hilo_inspection.json"]
    seen = json.loads((tmp_path / "out" / "hilo_inspection.json").read_text())
    assert seen["problem"].startswith("none of ")
    assert len(seen["nearest"]) == 5
    printed = done.stdout.strip().split("\n")[-1].split()[1:]
    assert [seen["printed"][0][name] for name in ("precision", "recall", "f1")] == [float(word) for word in printed]
    test = next(entry for entry in seen["passes"] if entry["split"] == "test")
    assert test["models"] == ["Three"]
    assert test["functions"][:2] == ["Coach.rate", "Coach.work"]
    assert test["values"]["output[1][2]"][0]["shape"][-1] == 2
    assert test["values"]["batch.allowed"][0]["dtype"] == "bool"
    assert "words" not in (tmp_path / "out" / "hilo_inspection.json").read_text()


@pytest.mark.slow
def test_validation_is_not_written_where_its_printed_score_is_another_one(tmp_path: Path) -> None:
    # Of ten pairs among 25 predicted ones, with the 200 gold pairs of the split.
    done = launch(
        tmp_path,
        changes={
            "p, r, f = score(conversations(name), found)": """p, r, f = score(conversations(name), found)
        if name == "valid":
            p, r, f = 10 / 25, 10 / 200, 20 / 225"""
        },
    )
    assert done.returncode == 1
    assert "Test was written, validation was not: HiLo printed a score" in done.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["hilo_inspection.json", "hilo_test.json"]
    assert decisions(tmp_path, "test") == own(tmp_path, "test")


@pytest.mark.slow
def test_values_named_by_hand_are_checked_too(tmp_path: Path) -> None:
    names = ["--emotion", "output[2][0]", "--cause", "output[2][1]", "--mask", "batch.allowed", "--pair-logits"]
    wrong = launch(tmp_path, *names, "output[1][0]")
    assert wrong.returncode == 1
    assert "ways to read the decisions has a score" in wrong.stderr
    right = launch(tmp_path, *names, "output[1][0]+output[1][1]+output[1][2]")
    assert right.returncode == 0, right.stderr
    assert written(tmp_path, "test")["reading"]["mask"] == "batch.allowed"
    assert all(decisions(tmp_path, split) == own(tmp_path, split) for split in SPLITS)


@pytest.mark.slow
def test_a_score_that_is_not_printed_can_be_given(tmp_path: Path) -> None:
    silent = {"print(": "open('score.txt', 'a').write('\\n' + "}
    refused = launch(tmp_path, changes=silent)
    assert refused.returncode == 1
    assert "printed no precision, recall and F1" in refused.stderr
    score = (tmp_path / "clone" / "score.txt").read_text().split("\n")[-1].split()[1:]
    assert launch(tmp_path, "--printed", *score).returncode == 0
    assert decisions(tmp_path, "validation") == own(tmp_path, "validation")


@pytest.mark.parametrize(
    ("code", "message"),
    [("raise KeyError('name')", "HiLo itself stopped with KeyError"), ("raise SystemExit(3)", "exit code 3")],
)
def test_an_error_of_the_clone_is_shown(tmp_path: Path, code: str, message: str) -> None:
    make_clone(tmp_path / "clone", "packed")
    (tmp_path / "clone" / "main.py").write_text(code)
    done = launch(tmp_path)
    assert done.returncode == 1
    assert message in done.stderr
    assert not list((tmp_path / "out").iterdir())


def test_the_clone_finds_no_module_of_the_launcher(tmp_path: Path) -> None:
    make_clone(tmp_path / "clone", "packed")
    names = ["launch_hilo", *sorted(path.stem for path in PARTS.glob("[a-z]*.py"))]
    (tmp_path / "clone" / "main.py").write_text(f"""if True:
        import importlib.util, json, sys
        specs = {{name: importlib.util.find_spec(name) for name in {names}}}
        found = [name for name, spec in specs.items() if spec and str(spec.origin).startswith({str(tmp_path)!r})]
        found += [name for name in sys.modules if name in specs or name.startswith("iemomecp")]
        json.dump(found, open("found.json", "w"))
        raise SystemExit(3)
    """)
    done = launch(tmp_path)
    assert "exit code 3" in done.stderr
    assert len(names) > 8
    assert json.loads((tmp_path / "clone" / "found.json").read_text()) == []


def without_annotations(tree: ast.AST) -> ast.AST:
    class Removed(ast.NodeTransformer):
        def visit_arg(self, node: ast.arg) -> ast.arg:
            return ast.arg(node.arg)

        def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
            node.returns = None
            return self.generic_visit(node)

        def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
            return ast.Expr(node.value) if node.value else None

    return Removed().visit(tree)


@pytest.mark.parametrize("path", [SCRIPT, *sorted(PARTS.glob("*.py"))], ids=lambda path: path.stem)
def test_it_runs_on_old_python_with_nothing_but_numpy_and_torch(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=(3, 8))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import)]
    imports_from = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    imported = {alias.name.split(".")[0] for node in imports for alias in node.names}
    imported |= {str(node.module).split(".")[0] for node in imports_from if not node.level}
    assert imported <= {*sys.stdlib_module_names, "numpy", "torch", *([PARTS.name] if path == SCRIPT else [])}
    # Of this package, only the launcher's own parts.
    for node in imports_from:
        if node.level:
            assert node.level == 1
            assert (path.parent / f"{str(node.module).replace('.', '/')}.py").is_relative_to(PARTS)
    # Types without brackets there: list[int] is an error before 3.9 unless it is an annotation.
    generic = {"list", "dict", "tuple", "set", "frozenset", "Callable", "Iterator", "Mapping", "Sequence", "Counter"}
    subscripted = {
        node.value.id
        for node in ast.walk(without_annotations(tree))
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name)
    }
    assert subscripted & generic == set()


@pytest.mark.parametrize("start", [f"path({str(SCRIPT)!r}", f"module({launch_hilo.__name__!r}"], ids=["path", "module"])
def test_the_help_needs_no_torch(start: str) -> None:
    code = f"""if True:
        import runpy, sys
        sys.modules["torch"], sys.argv[1:] = None, ["--help"]
        runpy.run_{start}, run_name="__main__")
    """
    done = forked_python.run("-c", code)
    assert done.stdout.startswith("usage: launch_hilo.py")
    assert "writes the predictions that HiLo does not write." in " ".join(done.stdout.split())
    assert "--pair-logits" in done.stdout
