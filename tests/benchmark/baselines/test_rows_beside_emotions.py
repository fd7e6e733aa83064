"""Structural rows beside files of emotions."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from iemomecp_dataset.benchmark.baselines.rows_beside_emotions import rows_beside_emotions
from iemomecp_dataset.benchmark.runs.emotion_results import emotion_run_results
from iemomecp_dataset.corpus import load_corpus
from iemomecp_dataset.emotion_table import emotion_table
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.metrics.emotion_signature import EmotionSignature, emotion_differences
from iemomecp_dataset.metrics.evaluation.emotions.evaluation import evaluate_emotion_files
from iemomecp_dataset.metrics.evaluation.emotions.predictions import EmotionFacts, write_emotion_predictions
from iemomecp_dataset.metrics.evaluation.evaluate import FileEvaluationRequest
from iemomecp_dataset.metrics.evaluation.results import EvaluationOptions
from iemomecp_dataset.metrics.signature import check_comparable
from iemomecp_dataset.synthetic import write_meld

FEW = EvaluationOptions(n_resamples=60)


@pytest.fixture(scope="module")
def meld(tmp_path_factory):
    return write_meld(tmp_path_factory.mktemp("meld") / "data")


@pytest.fixture(scope="module")
def corpus(meld):
    return load_corpus("meld", meld)


@pytest.fixture
def path(tmp_path, corpus):
    table = emotion_table(corpus.rows["test"])
    probabilities = np.random.default_rng(0).dirichlet(np.ones(len(corpus.emotion_names)), len(table))
    facts = EmotionFacts(corpus="meld", config_name="meld", split="test", class_names=corpus.emotion_names)
    write_emotion_predictions(tmp_path / "emotions_test.parquet", table, probabilities, facts)
    return tmp_path / "emotions_test.parquet"


def beside(path, compare=None, **request):
    result = evaluate_emotion_files(FileEvaluationRequest(path, options=FEW, **request))
    return result, rows_beside_emotions(result, FEW, compare=compare)


def test_the_rows_are_those_of_a_record(path, corpus, meld):
    result, found = beside(path, data_dir=meld, compare="TF-IDF + logistic regression")
    record = emotion_run_results(
        corpus, {"test": result.first.scored}, run_name="r", scorer="external", objective="x", modalities="", seed=0
    )
    built = {key: one for key, one in record.structural_baselines.items() if one["splits"]}
    assert [row.key for row in found.rows] == list(built)
    own = result.evaluations[0]
    for row in found.rows:
        for score in ("weighted_f1", "accuracy", "macro_f1"):
            assert row.scores[score] == pytest.approx(built[row.key]["splits"]["test"][score])
            assert row.differences[score].estimate == pytest.approx(own.scores[score] - row.scores[score])
        check_comparable([own.signature, EmotionSignature.parse(row.signature)], emotion_differences)
    ranks = {row.key: "ece" in row.scores for row in found.rows}
    assert ranks == {"majority": False, "previous_emotion": False, "tfidf": True}, "a decision is no probability"
    assert set(found.absent) == {"frozen encoder + logistic regression"}
    assert found.comparison.second == "TF-IDF + logistic regression"
    assert found.comparison.permutation["weighted_f1"].difference == pytest.approx(
        found.rows[-1].differences["weighted_f1"].estimate
    )


def test_without_data_there_are_none_and_the_reason_is_told(path):
    _, found = beside(path)
    assert not found.rows
    assert set(found.absent.values()) == {"fitted on train: --data-dir gives it."}
    with pytest.raises(UsageError, match="There is no row 'majority' to compare with: fitted on train"):
        beside(path, compare="majority")


def test_without_scikit_learn_the_reason_is_told(path, meld, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.feature_extraction.text", None)
    _, found = beside(path, data_dir=meld)
    assert not found.rows
    assert all("scikit-learn" in reason for reason in found.absent.values())
