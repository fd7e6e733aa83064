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
from iemomecp_dataset.benchmark.peers.launch_hilo import Dialogue, PrintedScore, Split, find_layouts, printed_scores

SCRIPT = Path(launch_hilo.__file__).resolve()
SPLITS = {"test": "test", "validation": "valid"}


def launch(folder: Path, *options: str, clone: str = "packed", changes: dict[str, str] | None = None) -> Any:
    """Makes a stub and launches it as a user does: by path, with nothing of this package on the path."""
    # The stub imports a module of its own that is called as this one.
    (folder / "peers").mkdir(exist_ok=True)
    (folder / "peers" / "manifest.py").write_text('OF = "the launcher"')
    script = shutil.copy(SCRIPT, folder / "peers")
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


def bad_place(folder: Path, kind: str) -> None:
    dataset = folder / "clone" / "data" / "dataset"
    if kind == "no clone":
        (folder / "clone" / "main.py").unlink()
    elif kind == "old cache":
        (folder / "clone" / "data" / "preprocessed").mkdir()
        (folder / "clone" / "data" / "preprocessed" / "bert.pkl").touch()
    elif kind == "old output":
        (folder / "out").mkdir()
        (folder / "out" / "hilo_validation.json").touch()
    elif kind == "no test file":
        (dataset / "test.txt").unlink()
    else:
        text = {
            "no header": "(1,1)\n",
            "short": "1 3\n\n1 | a | b | c | d\n",
            "pair": "1 1\n(1,2)\n1 |\n",
            "empty": "\n",
        }
        (dataset / "test.txt").write_text(text[kind])


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("no clone", "expected a clone of HiLo with main.py"),
        ("old cache", "holds bert.pkl, which HiLo would use whatever the data are"),
        ("old output", "hilo_validation.json exists already"),
        ("no test file", "test.txt: there is no such file"),
        ("no header", "test.txt, line 1: expected a header 'id n'"),
        ("short", "dialogue 1: expected 3 utterances, found fewer"),
        ("pair", "dialogue 1: a pair names a turn outside 1..1"),
        ("empty", "test.txt: holds no dialogue"),
    ],
)
def test_what_is_wrong_is_said_before_hilo_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, message: str
) -> None:
    make_clone(tmp_path / "clone", "packed")
    bad_place(tmp_path, kind)
    assert launch_hilo.main(["--clone", str(tmp_path / "clone"), "--output-dir", str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("47.9146 26.3748 34.0220", [(47.9146, 26.3748, 34.022)]),
        ("P: 0.479146 (494 of 1031), R: 0.263748, F: 0.340220", [(0.479146, 0.263748, 0.34022)] * 2),
        ("f1 34.0220 p 47.9146 r 26.3748", [(47.9146, 26.3748, 34.022)]),
        ("12:00:01.123 precision 47.91\n12:00:01.124 recall 26.37\n12:00:01.125 f1 34.02", [(47.91, 26.37, 34.02)]),
        ("\x1b[32m47.9146\x1b[0m 26.3748 100%| 3/3 [00:01<00:00,  2.50it/s]34.0220", [(47.9146, 26.3748, 34.022)]),
        ("loss 0.1 all 61.25 38.75 47.47 pairs 47.91 26.37 34.02", [(61.25, 38.75, 47.47), (47.91, 26.37, 34.02)]),
        ("47.9146 26.3748 34.1220", []),
        ("0.0000 0.0000 0.0000", []),
        ("1 2 3 0.5 0.5", []),
    ],
)  # fmt: skip
def test_printed_scores_are_found(text: str, found: list[tuple[float, float, float]]) -> None:
    assert [(score.precision, score.recall, score.f1) for score in printed_scores(text)] == found


@pytest.mark.parametrize(
    ("counts", "fits"),
    [((494, 1031, 1873), True), ((494, 1032, 1873), False), ((493, 1031, 1873), False), ((494, 1031, 1874), False)],
)
def test_a_printed_score_fits_its_counts_alone(counts: tuple[int, int, int], fits: bool) -> None:
    assert PrintedScore(47.9146, 26.3748, 34.0220, 100, 0.00005).fits(*counts) is fits


# Dialogues of 3, 2 and 4 turns with the ids 5, 6 and 7; two steps, the first of which has the first two.
SHORT = Split("test", [Dialogue(5, 3, frozenset()), Dialogue(6, 2, frozenset()), Dialogue(7, 4, frozenset())])
TOGETHER, APART = [[[0, 1]], [[2]]], [[[0], [1]], [[2]]]


@pytest.mark.parametrize(
    ("first", "second", "layout"),
    [
        (["dia5", "dia6"], ["dia7"], APART),
        ([5, 5, 5, 6, 6], [7, 7, 7, 7], TOGETHER),
        ([[5, 6]], [[7]], TOGETHER),
        ([3, 2], [4], APART),
        ([[0, 3], [0, 2]], [[0, 4]], APART),
        ([[3, 5]], [[4]], TOGETHER),
        (np.array([[1, 1, 1], [1, 1, 0]]), np.array([[1, 1, 1, 1]]), APART),
        (np.array([5]), np.array([4]), TOGETHER),
        (np.array([[9, 9, 9, 9, 9]]), np.array([[9, 9, 9, 9]]), TOGETHER),
        ([["a", "b", "a"], ["b", "a"]], [["a", "b", "a", "b"]], APART),
        (np.array([np.tril(np.ones((3, 3))), [[1, 0, 0], [1, 1, 0], [0, 0, 0]]]), np.ones((1, 4, 4)), APART),
        (np.zeros((2, 3, 3, 2)), np.zeros((1, 4, 4, 2)), APART),
        (np.zeros((5, 5, 2)), np.zeros((4, 4, 2)), TOGETHER),
        ([np.zeros((3, 3, 2)), np.zeros((2, 2, 2))], [np.zeros((4, 4, 2))], APART),
    ],
    ids=[
        "ids", "ids of utterances", "ids in rows", "turns", "spans", "ends", "marked turns", "turns of rows",
        "utterances", "entries", "marked pairs", "padded squares", "packed squares", "list of squares",
    ],
)  # fmt: skip
def test_dialogues_are_recognized(first: Any, second: Any, layout: list[list[list[int]]]) -> None:
    steps = [dict(launch_hilo.leaves(value, "batch")) for value in (first, second)]
    assert layout in [found.steps for found in find_layouts(steps, SHORT)]
    # Other dialogues are not.
    other = Split(
        "validation", [Dialogue(8, 2, frozenset()), Dialogue(9, 5, frozenset()), Dialogue(10, 1, frozenset())]
    )
    assert find_layouts(steps, other) == []


def logits(split: Split) -> list[Any]:
    return [np.random.default_rng(number).normal(size=(n, n, 2)) for number, n in enumerate(split.lengths)]


def arranged(squares: list[Any], how: str) -> list[Any]:
    """The logits of two steps, the first of which has two dialogues."""
    steps = [squares[:2], squares[2:]]
    if how == "list":
        return steps
    if how == "padded":
        return [
            np.pad(s[0], 0)[None] if len(s) == 1 else np.stack([s[0], np.pad(s[1], ((0, 1), (0, 1), (0, 0)))])
            for s in steps
        ]
    if how == "packed":
        row = np.full((5, 5, 2), -9.0)
        row[:3, :3], row[3:, 3:] = squares[0], squares[1]
        return [row, squares[2]]
    if how == "classes first":
        return [np.moveaxis(step, -1, 1) for step in arranged(squares, "padded")]
    if how == "padded in a list":
        return [step.reshape(-1, 2) for step in arranged(squares, "padded")]
    if how == "all pairs in a list":
        return [np.concatenate([square.reshape(-1, 2) for square in step]) for step in steps]
    return [np.concatenate([square[np.tril_indices(len(square))] for square in step]) for step in steps]


@pytest.mark.parametrize(
    "how",
    ["list", "padded", "packed", "classes first", "padded in a list", "all pairs in a list", "past pairs in a list"],
)
def test_logits_are_read_by_dialogue(how: str) -> None:
    squares = logits(SHORT)
    steps: list[dict[str, Any]] = [{"batch.turns": np.array([3, 2])}, {"batch.turns": np.array([4])}]
    for step, value in zip(steps, arranged(squares, how), strict=True):
        step.update(launch_hilo.leaves(value, "output"))
    expected = np.concatenate([square.reshape(-1, 2) for square in squares])
    found = [
        cells[SHORT.past]
        for layout in find_layouts(steps, SHORT)
        for cells in launch_hilo.find_sources(steps, layout, SHORT, ("output",)).pairs.values()
    ]
    assert any(np.array_equal(cells, expected[SHORT.past]) for cells in found)


# Sixty dialogues, one in each step; three pair logits, emotions with five classes and causes with two.
LONGER = Split(
    "test",
    [
        Dialogue(number, n, frozenset((i, j) for i in range(n) for j in range(n) if (7 * i + 3 * j + number) % 5 == 0))
        for number, n in enumerate([5, 3, 7, 1, 6, 4, 8, 2, 7, 5, 3, 6] * 5)
    ],
)


def outputs(seed: int = 0) -> list[dict[str, Any]]:
    drawn = np.random.default_rng(seed)
    return [
        {
            "batch.id": np.array([dialogue.id]),
            **{f"output.{name}": drawn.normal(size=(dialogue.n_turns, dialogue.n_turns, 2)) for name in "abc"},
            "output.e": drawn.normal(size=(dialogue.n_turns, 5)),
            "output.k": drawn.normal(size=(dialogue.n_turns, 2)),
            "output.window": np.abs(np.subtract.outer(*[np.arange(dialogue.n_turns)] * 2)) < 3,
        }
        for dialogue in LONGER.dialogues
    ]


def decided(steps: list[dict[str, Any]], names: str, keep: Any, last: Any) -> list[Any]:
    """Decisions in a loop over pairs; ``keep(e, c, i, j)`` is the filter, ``last(i)`` the last cause of a target."""
    made = []
    for step in steps:
        total = sum(step[f"output.{name}"] for name in names)
        emotion, cause = step["output.e"].argmax(1) == 1, step["output.k"].argmax(1) == 1
        size = range(len(total))
        made.append(
            np.array(
                [
                    [total[i, j, 1] >= total[i, j, 0] and keep(emotion, cause, i, j) and j <= last(i) for j in size]
                    for i in size
                ]
            ).ravel()
        )
    return made


def score_of(predicted: Any, split: Split) -> str:
    correct = (predicted & split.gold).sum()
    precision, recall = correct / predicted.sum(), correct / split.gold.sum()
    return f"{precision:.6f} {recall:.6f} {2 * precision * recall / (precision + recall):.6f}"


def either(emotion: Any, cause: Any, i: int, j: int) -> bool:
    return bool(emotion[i] or cause[j])


@pytest.mark.parametrize(
    ("names", "keep", "last", "found"),
    [
        ("abc", either, lambda i: i, {"filter": "predicted id 1 of the target's emotion or of the cause"}),
        ("ac", either, lambda i: i, {"pair_logits": "output.a+output.c"}),
        ("b", either, lambda i: i, {"pair_logits": "output.b"}),
        ("abc", either, lambda i: 99, {"mask": "all"}),
        ("abc", lambda e, c, i, j: True, lambda i: i, {"filter": "none"}),
        ("abc", lambda e, c, i, j: e[i] and c[j], lambda i: i, {"filter": launch_hilo.RULES["both"]}),
        ("abc", lambda e, c, i, j: e[i] or c[i], lambda i: i, {"filter": launch_hilo.RULES["target"]}),
        ("abc", lambda e, c, i, j: abs(i - j) < 3, lambda i: i, {"filter": "output.window"}),
    ],
    ids=[
        "as documented",
        "two logits",
        "one",
        "future causes",
        "no filter",
        "both ids",
        "ids of the target",
        "a window",
    ],
)
def test_the_reading_with_the_printed_score_is_found(names: str, keep: Any, last: Any, found: dict[str, str]) -> None:
    steps, search = outputs(), launch_hilo.Search()
    predicted = np.concatenate(decided(steps, names, keep, last))
    printed = printed_scores(score_of(predicted, LONGER))
    match = launch_hilo.find_reading(steps, LONGER, printed, launch_hilo.Bindings(), search)
    assert match is not None, search.problem
    assert (match.decisions.predicted == predicted).all()
    assert {name: match.reading.in_words()[name] for name in found} == found
    # Other outputs are read in the same way.
    others = outputs(1)
    again = launch_hilo.read_again(others, LONGER, match)
    assert again is not None
    assert (again.predicted == np.concatenate(decided(others, names, keep, last))).all()


def test_causes_in_rows_are_found() -> None:
    steps = outputs()
    predicted = np.concatenate(decided(steps, "abc", either, lambda i: i))
    for step in steps:
        step.update({f"output.{name}": step[f"output.{name}"].transpose(1, 0, 2) for name in "abc"})
    printed = printed_scores(score_of(predicted, LONGER))
    match = launch_hilo.find_reading(steps, LONGER, printed, launch_hilo.Bindings(), launch_hilo.Search())
    assert match is not None
    assert match.reading.in_words()["rows"] == "causes"
    assert (match.decisions.predicted == predicted).all()


def test_a_sum_among_its_summands_is_not_added_again() -> None:
    first, second = np.random.default_rng(0).normal(size=(2, SHORT.n_cells, 2))
    total = first + second
    softmax = np.exp(total) / np.exp(total).sum(-1, keepdims=True)
    sources = launch_hilo.Sources({"a": first, "b": second, "sum": total, "softmax": softmax})
    reader = launch_hilo.Reader(sources, SHORT)
    assert launch_hilo._summands(reader, SHORT) == ["a", "b"]
    np.testing.assert_allclose(reader.probability(("a", "b")), softmax[:, 1])
    np.testing.assert_allclose(reader.probability(("softmax",)), softmax[:, 1])


def test_readings_that_fit_but_differ_are_refused_unless_validation_decides() -> None:
    def match(probability: list[float]) -> launch_hilo.Match:
        cells = np.ones(len(probability), dtype=bool)
        made = launch_hilo.Decisions(np.array(probability), cells, cells)
        reading = launch_hilo.Reading("layout", (f"p{probability[0]}",))
        return launch_hilo.Match(reading, made, PrintedScore(1, 1, 1, 1, 0), (1, 1, 1), ["layout"])

    first, second = match([0.9, 0.1]), match([0.1, 0.9])
    search = launch_hilo.Search()
    assert launch_hilo._choose([first, second], search) is None
    assert "which differ" in search.problem
    assert launch_hilo._choose([first, second], search, lambda found: found is second) is second
    agreeing = launch_hilo._choose([match([0.9, 0.1]), match([0.8, 0.1])], search)
    assert agreeing is not None
    assert "same decisions with other probabilities" in agreeing.remarks[0]


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


def test_it_runs_on_old_python_with_nothing_but_numpy_and_torch() -> None:
    tree = ast.parse(SCRIPT.read_text(), feature_version=(3, 8))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names] if isinstance(node, ast.Import)
            else [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        )
    }  # fmt: skip
    assert imported <= {*sys.stdlib_module_names, "numpy", "torch"}
    # Types without brackets there: list[int] is an error before 3.9 unless it is an annotation.
    generic = {"list", "dict", "tuple", "set", "frozenset", "Callable", "Iterator", "Mapping", "Sequence", "Counter"}
    subscripted = {
        node.value.id
        for node in ast.walk(without_annotations(tree))
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name)
    }
    assert subscripted & generic == set()


def test_the_help_needs_no_torch() -> None:
    code = f"""if True:
        import runpy, sys
        sys.modules["torch"], sys.argv[1:] = None, ["--help"]
        runpy.run_path({str(SCRIPT)!r}, run_name="__main__")
    """
    done = forked_python.run("-c", code)
    assert "--pair-logits" in done.stdout
