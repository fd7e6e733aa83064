from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "generate_figures.py"


def run(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.slow
def test_ten_figures_come_from_the_published_tables_in_every_format(tmp_path):
    done = run(cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    written = sorted((tmp_path / "paper" / "figures").iterdir())
    assert len(written) == 30
    assert {path.suffix for path in written} == {".pdf", ".svg", ".png"}
    assert "10 of 10 figures from arXiv 2605.25208" in done.stdout


@pytest.mark.slow
def test_what_a_folder_lacks_is_named_and_the_rest_is_drawn(tmp_path):
    published = SCRIPT.parents[1] / "benchmark" / "published" / "figure_context_channel_threeclass.csv"
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / published.name).write_bytes(published.read_bytes())
    done = run("--tables", "tables", "--output-dir", "out", "--formats", "svg", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["02_context_channel.svg"]
    assert "not drawn: 01_binary_axis_geometry" in done.stdout
    assert "1 of 10 figures from tables" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--tables", "nowhere"), "nowhere holds no table"),
        (("--runs", "nowhere", "--data-dir", "."), "nowhere is not a folder"),
        (("--runs", "runs"), "--runs needs --data-dir"),
        (("--runs", "runs", "--tables", "tables"), "not both"),
        (("--formats", "gif"), "--formats has no value 'gif'"),
    ],
)
def test_wrong_input_is_one_clear_error(tmp_path, arguments, message):
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
