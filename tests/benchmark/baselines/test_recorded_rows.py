"""Rows that only the record of a run has, beside its file."""

from __future__ import annotations

from dataclasses import replace

import pytest

from iemomecp_dataset.benchmark.baselines.recorded_rows import with_recorded_rows
from iemomecp_dataset.benchmark.runs.results import read_results, write_results
from iemomecp_dataset.metrics.evaluation.structural_rows import StructuralRows


@pytest.fixture
def rows(tmp_path):
    return StructuralRows(
        of=tmp_path / "run" / "predictions_test.parquet",
        items="the same candidates",
        columns=(("pair_f1", "Pair F1"), ("pair_auprc", "AUPRC")),
        compared=("pair_f1",),
        own={"pair_f1": 0.5},
        own_decision="listed pairs",
        rows=(),
        absent={},
    )


def test_rows_of_the_record_that_are_not_shown_are_named_with_their_scores(rows, write_run):
    assert with_recorded_rows(rows, "test") is rows, "no record lies there"
    record = write_run(rows.of.parent)
    baselines = {key: dict(one) for key, one in record.structural_baselines.items() if key == "emotion_x_distance"}
    baselines["emotion_x_distance"]["display_name"] = "emotion x distance (MiniLM)"
    write_results(rows.of.parent, replace(record, structural_baselines=baselines))
    scores = read_results(rows.of.parent).structural_baselines["emotion_x_distance"]["splits"]["test"]
    (name,) = with_recorded_rows(rows, "test").absent
    assert name == "emotion x distance (MiniLM)"
    reason = with_recorded_rows(rows, "test").absent[name]
    assert f"Pair F1 {100 * scores['pair_f1']:.2f}, AUPRC {100 * scores['pair_auprc']:.2f} (definition A)." in reason
    assert reason.startswith("it is made from inputs of the run")
    assert not with_recorded_rows(rows, "elsewhere").absent


def test_a_row_has_one_reason(rows, write_run):
    record = write_run(rows.of.parent)
    of_record = record.structural_baselines["distance_only"]
    named = {"frozen_encoder": of_record | {"display_name": "MiniLM + logistic regression"}, "distance_only": of_record}
    write_results(rows.of.parent, replace(record, structural_baselines=named))
    why = "fitted on train: --data-dir gives it."
    beside = replace(
        rows, absent={"distance only": why, "frozen encoder + logistic regression": "the run has no vectors."}
    )
    absent = with_recorded_rows(beside, "test").absent
    assert list(absent) == ["distance only", "MiniLM + logistic regression"]
    assert absent["distance only"].startswith(f"{why} Meanwhile the record of the run has Pair F1")


def test_a_record_that_cannot_be_read_is_told(rows):
    rows.of.parent.mkdir()
    (rows.of.parent / "results.json").write_text("{", encoding="utf-8")
    (reason,) = with_recorded_rows(rows, "test").absent.values()
    assert reason.startswith("it cannot be read:")
