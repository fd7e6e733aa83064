from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "report.py"


def run(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_help_names_every_option(tmp_path):
    done = run("--help", cwd=tmp_path)
    assert done.returncode == 0
    for option in ("RUNS_DIR", "--output", "--title", "--with-text", "--data-dir"):
        assert option in done.stdout


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda root: None, "error: {root} is not a folder"),
        (lambda root: root.mkdir(), "error: {root} holds no run"),
        (
            lambda root: (root / "run" / "checkpoint").mkdir(parents=True),
            "no finished run, but 1 unfinished:\n  {root}/run/results.json is not there",
        ),
    ],
    ids=["missing", "empty", "unfinished"],
)
def test_nothing_to_report_is_one_clear_error(tmp_path, make, message):
    root = tmp_path / "runs"
    make(root)
    done = run(root, cwd=tmp_path)
    assert done.returncode == 2
    assert message.format(root=root) in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "report.html").exists()


def test_texts_need_the_data(tmp_path):
    done = run(tmp_path, "--with-text", cwd=tmp_path)
    assert done.returncode == 2
    assert "--with-text needs --data-dir" in done.stderr


def test_published_numbers_with_the_distance_rule_in_their_ranking(tmp_path):
    done = run("--published", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    place = {" ".join(line[:2]).removesuffix(","): number for number, line in enumerate(lines) if line}
    rule = place["* 0-1"]
    assert lines[rule][5:8] == ["47.86", "50.55", "20.43"]
    for family in ("RoBERTa T", "WavLM A", "CLIP V", "RW-Fusion T+A", "RC-Fusion T+V", "RWC-Fusion T+A+V"):
        assert place[family] > rule
    assert place["M3HG T+A"] < rule
    other = run("--published", "ecf", cwd=tmp_path)
    assert "HiLo" in other.stdout
    assert run("--published", "nothing", cwd=tmp_path).returncode == 2
    assert run(cwd=tmp_path).returncode == 2
