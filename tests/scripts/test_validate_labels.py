"""The validation command: table, exit codes, one line per problem."""

from __future__ import annotations

import csv
import json
import subprocess
import sys

import pytest


def run(repository, *arguments):
    return subprocess.run(
        [sys.executable, repository / "scripts" / "validate_labels.py", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_valid_folder_gives_the_table_and_what_differs_from_the_release(repository, synthetic_dir, tmp_path):
    summary = tmp_path / "deep" / "summary.csv"
    done = run(repository, "--label-dir", synthetic_dir / "labels", "--write-summary", summary)
    assert (done.returncode, done.stderr) == (0, "")
    assert "differ from the published counts" in done.stdout
    assert "SYNTHETIC" in done.stdout
    rows = {row["split"]: row for row in csv.DictReader(summary.open())}
    assert list(rows) == ["train", "validation", "test", "all"]
    for split, file in (("train", "train"), ("validation", "valid"), ("test", "test")):
        (dialogues,) = json.loads((synthetic_dir / "labels" / f"{file}.json").read_text())["splits"].values()
        pairs = [pair for dialogue in dialogues for pair in dialogue["pairs"]]
        assert int(rows[split]["chunks"]) == len(dialogues)
        assert int(rows[split]["pairs"]) == len(pairs)
        assert int(rows[split]["emo_context"]) == sum(pair["label"] == "emo_context" for pair in pairs)
        assert rows[split]["pairs"] in done.stdout


@pytest.mark.slow
def test_full_scale_matches_the_published_counts(repository, full_dir):
    done = run(repository, "--label-dir", full_dir / "labels")
    assert done.returncode == 0
    assert "matches the published counts" in done.stdout


def test_every_problem_has_a_line_and_the_exit_code_is_1(repository, synthetic_dir, tmp_path):
    for file in ("train", "valid", "test"):
        document = json.loads((synthetic_dir / "labels" / f"{file}.json").read_text())
        (dialogues,) = document["splits"].values()
        dialogues[0]["pairs"].pop(0)
        dialogues[1]["num_utterances"] += 1
        (tmp_path / f"{file}.json").write_text(json.dumps(document))
    (tmp_path / "test.json").write_text('{"splits": ')
    done = run(repository, "--label-dir", tmp_path)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[-1].startswith("5 problem(s)")
    assert len(lines) == 6
    assert sum("train.json" in line for line in lines) == 2
    assert "test.json" in done.stdout
    assert "Traceback" not in done.stderr


def test_no_files_is_exit_code_2(repository, tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        done = run(repository, "--label-dir", folder)
        assert done.returncode == 2
        assert done.stderr.startswith("error: ")
        assert "fetch_labels.py" in done.stderr
