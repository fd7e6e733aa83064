"""No cell that we write begins a formula, numbers stay numbers, and what is read back is the text that was written."""

from __future__ import annotations

import csv
import io
import math
import re
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from iemomecp_dataset.files.csv_cells import csv_text, original_text, safe_text
from iemomecp_dataset.metrics.evaluation.predictions import read_candidate_predictions

REPOSITORY = Path(__file__).parents[3]
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=6) | st.text(
    "=+-@'\t\r\n1e.", max_size=6
)
OWASP = "=+-@\t\r\n"


def rows_of(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


@given(TEXTS)
@example("'=x")
@example("''-")
@example("-0.5")
def test_a_text_comes_back_and_begins_no_formula(text):
    cell = safe_text(text)
    assert original_text(cell) == text
    assert not cell.startswith(tuple(OWASP)) or math.isfinite(float(cell))


@pytest.mark.parametrize("number", ["-1", "+2", "-0.5", "-.5", "1e-3", "-1E+10", "5.", "0"])
def test_numbers_are_left_as_they_are(number):
    assert safe_text(number) == number


@pytest.mark.parametrize(
    "formula", ["=1+1", "-1+cmd|' /C calc'!A0", "-", "+", "-1e", "@SUM(A1)", "\t=1", "\r=1", "－1+1"]
)
def test_formulas_are_quoted(formula):
    assert safe_text(formula) == f"'{formula}"


@given(st.lists(st.tuples(TEXTS, st.floats(allow_nan=False, allow_infinity=False)), min_size=1, max_size=4), TEXTS)
def test_a_table_comes_back_cell_by_cell(cells, heading):
    frame = pd.DataFrame({f"h{heading}": [text for text, _ in cells], "number": [number for _, number in cells]})
    header, *rows = rows_of(csv_text(frame))
    assert list(map(original_text, header)) == list(frame)
    assert [(original_text(text), float(number)) for text, number in rows] == cells


def test_ids_of_a_predictions_file_come_back(tmp_path):
    ids = ["=cmd", "@x", "-d1", "'=q", "+49", "-7", "plain"]
    columns = {"dialogue_id": ids, "target_turn": 1, "cause_turn": 1, "prob_pair": 0.25, "prob_non_pair": 0.75}
    path = tmp_path / "p.csv"
    path.write_text(csv_text(pd.DataFrame(columns)))
    assert read_candidate_predictions(path).pairs.dialogue_ids.tolist() == ids


def test_no_other_code_writes_csv():
    exempt = {
        "iemomecp_dataset/files/csv_cells.py",
        "iemomecp_dataset/synthetic/meld_files.py",  # the layout of the genuine files
        "iemomecp_dataset/overlay/summary.py",  # names of splits and counts
    }
    writing = set()
    for room in ("iemomecp_dataset", "metrics", "trainers", "benchmark", "scripts"):
        for path in (REPOSITORY / room).rglob("*.py"):
            if re.search(r"\.to_csv\(|csv\.writer\(|DictWriter\(", path.read_text(encoding="utf-8")):
                writing.add(path.resolve().relative_to(REPOSITORY).as_posix())
    assert writing == exempt
