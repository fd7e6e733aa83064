"""The build command: both formats, the report, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys

from datasets import load_dataset

import iemomecp_dataset


def run(repository, *arguments):
    return subprocess.run(
        [sys.executable, repository / "scripts" / "build_from_sources.py", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_parquet_and_json_of_the_synthetic_corpus(repository, synthetic_dir, tmp_path):
    parts = ["--iemocap-root", synthetic_dir / "IEMOCAP", "--convecpe-root", synthetic_dir / "ECPEC"]
    parts += ["--label-dir", synthetic_dir / "labels"]
    direct = {split: list(rows) for split, rows in iemomecp_dataset.load(data_dir=synthetic_dir).items()}
    done = run(repository, *parts, "--output-dir", tmp_path / "P")
    assert done.returncode == 0, done.stderr
    assert "Merge report (SYNTHETIC data)" in done.stdout
    assert "0 of " in done.stdout
    assert {split: list(rows) for split, rows in load_dataset(str(tmp_path / "P")).items()} == direct
    report = json.loads((tmp_path / "P" / "merge_report.json").read_text())
    assert report["placement"] == {"id": sum(len(rows) for rows in direct.values())}

    done = run(repository, *parts, "--output-dir", tmp_path / "J", "--format", "json")
    assert done.returncode == 0, done.stderr
    through = iemomecp_dataset.load(full_root=tmp_path / "J", label_dir=synthetic_dir / "labels")
    assert {split: list(rows) for split, rows in through.items()} == direct


def test_a_missing_part_is_one_clear_message(repository, synthetic_dir, tmp_path):
    done = run(repository, "--label-dir", synthetic_dir / "labels", "--output-dir", tmp_path / "O")
    assert done.returncode == 2
    assert done.stderr.count("error:") == 1
    assert "IEMOCAP release: missing" in done.stderr
    assert "ConvECPE: missing" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "O").exists()
