from __future__ import annotations

import csv
import math

import pytest

from iemomecp_dataset.benchmark.diagnostics.catalogue import DIAGNOSTICS, POOLINGS
from iemomecp_dataset.benchmark.diagnostics.folder import write_diagnosis
from iemomecp_dataset.benchmark.diagnostics.tables import COLUMNS, diagnose
from iemomecp_dataset.benchmark.diagnostics.views import Lacking
from iemomecp_dataset.benchmark.runs.index import index_runs


@pytest.fixture(scope="module")
def written(tmp_path_factory, write_run):
    root = tmp_path_factory.mktemp("runs")
    write_run(root / "good", seed=1)
    (root / "damaged").mkdir()
    (root / "damaged" / "results.json").write_text("{")
    found = diagnose(index_runs(root), lambda run: Lacking("This corpus has no gold roles."))
    return found, write_diagnosis(found, tmp_path_factory.mktemp("out") / "new" / "folder")


def test_there_is_a_file_for_each_diagnostic_and_an_index(written):
    names = [path.name for path in written[1]]
    assert names == [*(f"{diagnostic.name}.csv" for diagnostic in DIAGNOSTICS), "README.md"]
    assert sorted(path.name for path in written[1][0].parent.iterdir()) == sorted(names)


def test_numbers_are_written_with_all_digits_and_nan_is_spelt_out(written):
    found, paths = written
    with open(paths[10], newline="") as file:
        rows = list(csv.DictReader(file))
    table = found.tables["11_pair_confidence"]
    assert list(rows[0]) == list(COLUMNS)
    assert [float(row["value"]) for row in rows] == table["value"].tolist()
    assert {row["sd"] for row in rows} == {"NaN"}  # one run has no deviation
    assert {row["data"] for row in rows} == {"synthetic"}
    with open(paths[0], newline="") as file:
        (row, _) = csv.DictReader(file)
    assert row["value"] == "NaN"
    assert math.isnan(float(row["value"]))
    assert row["reason"] == "ecf has no gold roles; this needs runs on IEMO-MECP"


def test_the_index_lists_files_sources_columns_and_what_is_missing(written):
    text = written[1][-1].read_text()
    assert "**SYNTHETIC DATA.** These runs are on dialogues that a program made" in text
    for diagnostic in DIAGNOSTICS:
        (line,) = [line for line in text.splitlines() if line.startswith(f"| {diagnostic.name}.csv |")]
        assert diagnostic.title in line
        assert ("arXiv 2605.25208" in line) == (diagnostic.name[:2] != "11")
        assert ("arXiv 2606.18893" in line) == (diagnostic.name[:2] == "11")
    for name in (*COLUMNS, *POOLINGS):
        assert f"\n| {name} | " in text
    missing = text[text.index("## What could not be computed") : text.index("## Runs left out")]
    assert "* 01_binary_axis.csv: ecf has no gold roles; this needs runs on IEMO-MECP (2 rows)" in missing
    assert "11_pair_confidence" not in missing
    left_out = text[text.index("## Runs left out") :]
    assert "/damaged: " in left_out
    assert "not valid JSON" in left_out
