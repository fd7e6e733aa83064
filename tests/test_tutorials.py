"""The tutorials: stored clean, written with public names alone, and executed as a reader executes them."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path
from typing import Any

import pytest
from built_site import built_site

nbformat = pytest.importorskip("nbformat", reason="the tutorials need the packages of the docs site")

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "tutorials"
NAMES = (
    "look-at-a-corpus",
    "own-conversation",
    "score-another-system",
    "train-and-own-scorer",
    "transformers-trainer",
)
PUBLIC = ("iemomecp_dataset", "iemomecp_dataset.metrics", "iemomecp_dataset.trainers", "iemomecp_dataset.benchmark")
# What a run says about its data; in a notebook it stands in a box of its own.
SAID_BY_A_RUN = "iemomecp (3class): SYNTHETIC dialogues, made up by this package (60 train, 15 validation, 20 test).\n"
EXPECTED_PICTURES = {
    "look-at-a-corpus": 3,
    "own-conversation": 0,
    "score-another-system": 2,
    "train-and-own-scorer": 1,
    "transformers-trainer": 3,
}


def notebook_of(name: str) -> Any:
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def python_cells(name: str) -> list[str]:
    """The code cells but those of commands."""
    return [
        cell.source
        for cell in notebook_of(name).cells
        if cell.cell_type == "code" and not cell.source.startswith("%%bash\n")
    ]


def names_used(code: str) -> set[tuple[str, str]]:
    """``(module, name)`` of everything that code takes from the package."""
    used = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            used |= {(alias.name, "") for alias in node.names if alias.name.split(".")[0] == "iemomecp_dataset"}
        elif isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] == "iemomecp_dataset":
            used |= {(str(node.module), alias.name) for alias in node.names}
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) in PUBLIC:
            used.add((ast.unparse(node.value), node.attr))
    return used


def test_each_tutorial_is_tested() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_tutorials_are_stored_without_outputs(name: str) -> None:
    notebook = notebook_of(name)
    nbformat.validate(notebook)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    assert notebook.metadata == {"kernelspec": kernel, "language_info": {"name": "python"}}
    for cell in notebook.cells:
        assert cell.metadata == {}, cell.id
        # Random ids would change with every editor.
        assert not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f-]+)?", cell.id), cell.id
        if cell.cell_type == "code":
            assert (cell.outputs, cell.execution_count) == ([], None), cell.id


@pytest.mark.parametrize("name", NAMES)
def test_a_tutorial_says_what_for_how_long_and_how_to_go_on(name: str) -> None:
    notebook = notebook_of(name)
    first, last = notebook.cells[0], notebook.cells[-1]
    assert first.cell_type == last.cell_type == "markdown"
    assert first.source.startswith("# ")
    for words in ("**At the end you will have**", "**Time:**", "synthetic"):
        assert words in first.source
    assert last.source.startswith("## The same ")
    for cell in notebook.cells:
        assert len(cell.source.splitlines()) <= 42, f"{cell.id} is long; a reader follows short cells"


@pytest.mark.parametrize("name", NAMES)
def test_tutorials_use_public_names_alone(name: str) -> None:
    used = set().union(*map(names_used, python_cells(name)))
    assert used
    for module, public in used:
        assert module in PUBLIC, f"{module} is not public"
        assert not public or public in importlib.import_module(module).__all__, f"{module}.{public} is not public"


def test_private_names_would_be_noticed() -> None:
    code = "from iemomecp_dataset.synthetic import write_corpus\niemomecp_dataset.rows.to_pairs(1)"
    assert {("iemomecp_dataset.synthetic", "write_corpus"), ("iemomecp_dataset", "rows")} <= names_used(code)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_tutorials_run_and_show_what_they_announce(
    name: str, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = notebook_of(name)
    site = built_site()
    executed = None if site is None else site / "jupyter_execute" / "tutorials" / f"{name}.ipynb"
    if executed is not None and executed.is_file():
        # `make docs` has executed it, and stops at the first cell with an error.
        notebook = nbformat.read(executed, as_version=4)
        assert [cell.source for cell in notebook.cells] == [cell.source for cell in notebook_of(name).cells]
    else:
        nbclient = pytest.importorskip("nbclient", reason="the tutorials need the packages of the docs site")
        pytest.importorskip("ipykernel", reason="the tutorials need the packages of the docs site")
        monkeypatch.setenv("PYTHONPATH", str(repository))
        monkeypatch.delenv("MPLBACKEND", raising=False)
        # Stops at the first cell with an error, and names it.
        nbclient.NotebookClient(notebook, timeout=500, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [(cell, output) for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    for cell, output in outputs:
        if output.output_type == "stream":
            text = output.text.replace(SAID_BY_A_RUN, "")
            assert output.name != "stderr" or not text.strip(), f"{cell.id} writes to stderr: {text}"
            assert not re.search(r"Warning|Traceback|\berror:|it/s\]", text), f"{cell.id}: {text}"
    pictures = [cell.id for cell, output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == EXPECTED_PICTURES[name], pictures
    assert not list(tmp_path.iterdir()), "it leaves files behind where it was started"
    frames = [cell.id for cell, output in outputs if "<iframe srcdoc=" in output.get("data", {}).get("text/html", "")]
    assert len(frames) == (name in ("look-at-a-corpus", "own-conversation")), frames
