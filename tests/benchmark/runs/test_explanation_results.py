"""Records of runs that explain emotions, and the cause turns that a pair run gives them."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from explanation_cases import explanation_corpus, write_explanation_run

from iemomecp_dataset.benchmark.runs import predicted_causes
from iemomecp_dataset.benchmark.runs.explanation_results import explanation_run_results
from iemomecp_dataset.benchmark.runs.index import index_runs
from iemomecp_dataset.benchmark.runs.predicted_causes import causes_of_items, notes_of_run
from iemomecp_dataset.benchmark.runs.results import read_results
from iemomecp_dataset.errors import MetricInputError, RunFolderError
from iemomecp_dataset.metrics.evaluation.explanations.predictions import read_explanation_predictions


def test_a_record_is_read_back_with_scores_rows_and_signatures(tmp_path: Path) -> None:
    written = write_explanation_run(tmp_path / "run", lambda text: text.replace("came", "fell"), causes="gold")
    record = read_results(tmp_path / "run")
    scores = record.metrics["test"]
    assert record.task == "explanation"
    assert scores["content_cider"] == written.metrics["test"]["content_cider"]
    assert scores["content_cider_low"] <= scores["content_cider"] <= scores["content_cider_high"]
    assert record.counts["test"]["explanations"] == 8
    assert "|causes:gold|" in record.extra["signatures"]["test"]
    assert "|n:8|" in record.extra["signatures"]["test"]
    assert set(record.structural_baselines["medoid"]["splits"]) == {"validation", "test"}
    (run,) = index_runs(tmp_path).runs
    assert len(read_explanation_predictions(run.predictions_path("test"))) == 8


def test_the_row_of_predicted_causes_is_there_where_a_run_gave_them(tmp_path: Path) -> None:
    record = write_explanation_run(tmp_path / "run", str, predicted_causes={"test": [(1,)] * 8})
    gold, copied = (record.structural_baselines[key]["splits"] for key in ("frame_gold_cause", "frame_cause"))
    assert copied == {"test": gold["test"]}


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("cider", 10.5, r"expected a number in \[0, 10\]"),
        ("bleu_4", -0.1, r"expected a number in \[0, 1\]"),
        ("sacrebleu", 101, r"expected a number in \[0, 100\]"),
        ("content_cider", None, r"expected a number in \[0, 10\]"),
    ],
)
def test_scores_out_of_their_range_are_refused(name: str, value: object, words: str, tmp_path: Path) -> None:
    write_explanation_run(tmp_path / "run", str)
    path = tmp_path / "run" / "results.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["metrics"]["test"][name] = value
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(RunFolderError, match=rf"metrics.test.{name} is .*{words}"):
        read_results(path)


def test_texts_of_another_number_are_refused() -> None:
    with pytest.raises(MetricInputError, match="texts for 2 explanations, but the split has 8"):
        explanation_run_results(
            explanation_corpus(), {"test": ["a", "b"]}, run_name="r", scorer="explanation", objective="lora",
            modalities="t", seed=0,
        )  # fmt: skip


def test_predicted_causes_are_listed_by_item_with_notes_on_their_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = SimpleNamespace(
        task="pairs", run_name="pairs_1", corpus="ecf", config_name="ecf", extra={"leaks": ["A leak."]}
    )
    monkeypatch.setattr(predicted_causes, "read_results", lambda _: record)
    trained_on, leak = notes_of_run(tmp_path)
    assert leak == "In the data of pairs_1: A leak."
    assert "trained on ecf" in trained_on
    listed = causes_of_items(explanation_corpus(), {("test_0", 2): (1, 2), ("test_1", 2): (1,)}, ["test"])
    assert listed == {"test": [(1, 2), (1,), *[()] * 6]}
    monkeypatch.undo()
    (note,) = notes_of_run(tmp_path)
    assert "whose data is unknown" in note
