"""Structural rows beside files of explanations."""

from __future__ import annotations

import sys
from dataclasses import replace

import pandas as pd
import pytest
from explanation_cases import explanation_corpus

from iemomecp_dataset.benchmark.baselines.rows_beside_explanations import rows_beside_explanations
from iemomecp_dataset.benchmark.runs.explanation_results import explanation_run_results
from iemomecp_dataset.explanation_table import explanation_table
from iemomecp_dataset.metrics.evaluation.evaluate import FileEvaluationRequest
from iemomecp_dataset.metrics.evaluation.explanations import gold as explanation_gold
from iemomecp_dataset.metrics.evaluation.explanations.evaluation import evaluate_explanation_files
from iemomecp_dataset.metrics.evaluation.results import EvaluationOptions
from iemomecp_dataset.metrics.explanations.signature import ExplanationSignature, explanation_differences
from iemomecp_dataset.metrics.signature import check_comparable

CORPUS = explanation_corpus(name="reccon", config_name="reccon")
TABLE = explanation_table(CORPUS.rows["test"])
FEW = EvaluationOptions(n_resamples=60, meteor=False)


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setattr(explanation_gold, "load_corpus", lambda *_, **__: CORPUS)
    keys = {"dialogue_id": TABLE.dialogue_ids, "target_turn": TABLE.target_turns}
    frame = pd.DataFrame(
        {**keys, "reference": TABLE.references, "prediction": [text[:30] for text in TABLE.references]}
    )
    frame[::-1].to_csv(tmp_path / "explanations_test.csv", index=False)
    return tmp_path / "explanations_test.csv"


def beside(path, compare=None, **request):
    request = {"options": FEW, "config_name": "reccon", "split": "test"} | request
    result = evaluate_explanation_files(FileEvaluationRequest(path, **request))
    return result, rows_beside_explanations(result, request["options"], compare=compare)


def test_the_rows_are_those_of_a_record(path, tmp_path):
    result, found = beside(path, data_dir=tmp_path, compare="medoid")
    record = explanation_run_results(
        CORPUS, {"test": result.first.predictions}, run_name="r", scorer="external", objective="x", modalities="",
        seed=0, meteor=False,
    )  # fmt: skip
    built = {key: one for key, one in record.structural_baselines.items() if one["splits"]}
    assert [row.key for row in found.rows] == list(built)
    own = result.evaluations[0]
    for row in found.rows:
        for score in ("content_cider", "cider", "bleu_4", "rouge_l"):
            assert row.scores[score] == pytest.approx(built[row.key]["splits"]["test"][score])
            assert row.differences[score].estimate == pytest.approx(own.scores[score] - row.scores[score])
        check_comparable([own.signature, ExplanationSignature.parse(row.signature)], explanation_differences)
    assert set(found.absent) == {
        one["display_name"] for key, one in record.structural_baselines.items() if key not in built
    }
    assert found.comparison.second == "medoid explanation, same emotion and gender"


def test_without_data_or_resamples_nothing_is_made_up(path, tmp_path):
    _, found = beside(path)
    assert not found.rows
    assert len(found.absent) == 8
    assert set(found.absent.values()) == {"made from train: --data-dir gives it."}
    _, plain = beside(path, data_dir=tmp_path, options=replace(FEW, n_resamples=0))
    assert plain.rows
    assert not any(row.differences for row in plain.rows)


def test_without_scikit_learn_the_reason_is_told(path, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.feature_extraction.text", None)
    _, found = beside(path, data_dir=tmp_path)
    assert not found.rows
    assert all("scikit-learn" in reason for reason in found.absent.values())
