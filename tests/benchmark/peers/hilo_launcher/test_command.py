"""What stops the launcher before HiLo starts."""

from __future__ import annotations

from pathlib import Path

import pytest
from hilo_clones import make_clone

from iemomecp_dataset.benchmark.peers.hilo_launcher.command import main


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
    assert main(["--clone", str(tmp_path / "clone"), "--output-dir", str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
