"""The bars of a language model's answers, and its columns in the table of runs."""

from __future__ import annotations

import json

import pytest

from iemomecp_dataset.benchmark.board import leaderboard
from iemomecp_dataset.benchmark.report.reading_ladder import (
    language_model_facts,
    language_model_words,
    reading_ladder_picture,
    steps_of,
)
from iemomecp_dataset.benchmark.report.tables import table_of_split
from iemomecp_dataset.benchmark.runs.index import index_runs
from iemomecp_dataset.benchmark.runs.results import read_results

STEPS = {"valid by schema": 6, "JSON inside text": 3, "in words": 0, "unusable": 1}


def as_language_model(folder, **changed):
    file = folder / "results.json"
    record = json.loads(file.read_text())
    about = {"shots": {"number": 3}, "usage": {"cost": 1.5}, "reading": {"test": {"steps": STEPS}}, **changed}
    file.write_text(json.dumps({**record, "language_model": about}))


@pytest.fixture(name="board")
def fixture_board(tmp_path, write_run):
    write_run(tmp_path / "trained", synthetic=False)
    write_run(tmp_path / "asked", objective="rpcl", synthetic=False)
    as_language_model(tmp_path / "asked")
    (board,) = leaderboard(index_runs(tmp_path).runs)
    return board


def test_a_language_model_has_a_bar_and_its_columns_and_others_none(board):
    picture = reading_ladder_picture(board, "test")
    assert "valid by schema" in picture.svg
    assert "asked" in picture.svg
    assert "trained" not in picture.svg
    facts = dict(
        zip((run.results.run_name for run in board.runs), language_model_facts(board.runs, ["test"]), strict=True)
    )
    seen = {"contamination": "may have seen test"}
    assert facts["asked"] == {"shots": "3", "test read at step 1": "60.0 %", "cost": "1.50", **seen}
    assert facts["trained"] == {"shots": "–", "test read at step 1": "–", "cost": "–", "contamination": "–"}
    assert reading_ladder_picture(board, "validation") is None


def test_the_row_of_a_language_model_says_what_its_scores_cannot_be_read_without(board):
    rows = table_of_split(board, "test").rows
    (asked,) = (row.note for row in rows if row.note.startswith("language model"))
    assert asked.startswith("language model, 3 shots, 60.0 % of answers read at step 1, may have seen test; ")
    assert sum("may have seen test" in row.note for row in rows) == 1
    runs = [run for run in board.runs if run.results.run_name == "asked"]
    assert language_model_words(runs, "validation") == "language model, 3 shots, may have seen test"


def test_nobody_has_seen_a_synthetic_corpus(tmp_path, write_run):
    write_run(tmp_path / "asked")
    as_language_model(tmp_path / "asked", shots={"number": 1}, usage={"cost": 0.00525})
    (board,) = leaderboard(index_runs(tmp_path).runs)
    assert language_model_words(board.runs, "validation") == "language model, 1 shot"
    (facts,) = language_model_facts(board.runs, ["test"])
    assert (facts["cost"], facts["contamination"]) == ("0.0053", "–")


def test_without_a_language_model_there_is_nothing(tmp_path, write_run):
    write_run(tmp_path / "trained")
    (board,) = leaderboard(index_runs(tmp_path).runs)
    assert reading_ladder_picture(board, "test") is None
    assert language_model_facts(board.runs, ["test"]) == [{}]


@pytest.mark.parametrize(
    "changed",
    [
        {"reading": 3},
        {"reading": {"test": []}},
        {"reading": {"test": {"steps": {"valid by schema": "6"}}}},
        {"reading": {"test": {"steps": {"valid by schema": 0}}}},
        {"reading": {"test": {"steps": {"valid by schema": -1, "unusable": 2}}}},
    ],
)
def test_a_record_whose_counts_do_not_fit_has_none(tmp_path, write_run, changed):
    write_run(tmp_path / "asked")
    as_language_model(tmp_path / "asked", **changed)
    assert steps_of(read_results(tmp_path / "asked"), "test") == {}
