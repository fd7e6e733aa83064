"""Records of runs that recognise emotions."""

import dataclasses
import json

import numpy as np
import pytest

from iemomecp_dataset.benchmark.baselines.emotion_rows import MAJORITY
from iemomecp_dataset.benchmark.runs.emotion_results import emotion_run_results, recorded_emotion_scores
from iemomecp_dataset.benchmark.runs.identity import system_of
from iemomecp_dataset.benchmark.runs.index import index_runs
from iemomecp_dataset.benchmark.runs.results import ERC, read_results
from iemomecp_dataset.emotion_table import EmotionTable, emotion_table
from iemomecp_dataset.errors import MetricInputError, RunFolderError
from iemomecp_dataset.metrics.emotion_scoring import emotion_scores
from iemomecp_dataset.metrics.emotion_signature import EmotionSignature
from iemomecp_dataset.metrics.evaluation.emotions.predictions import emotions_file, read_emotion_predictions


def test_a_run_is_scored_on_utterances_with_a_known_emotion_and_read_back(tmp_path, write_emotion_run, emotion_corpus):
    corpus = emotion_corpus()
    record = write_emotion_run(tmp_path / "run", corpus=corpus)
    back = read_results(tmp_path / "run")
    table = emotion_table(corpus.rows["test"])
    file = read_emotion_predictions(emotions_file(tmp_path / "run", "test"))
    assert len(file) == len(table) > table.labelled.sum()
    expected = emotion_scores(
        file.probabilities[table.labelled], table.labels[table.labelled], corpus.emotion_names, neutral="neutral"
    )
    assert back.task == ERC
    assert {name: back.metrics["test"][name] for name in expected if name != "undefined"} == {
        name: value for name, value in expected.items() if name != "undefined"
    }
    assert back.counts["test"] == {"dialogues": 12, "utterances": len(table), "labelled": int(table.labelled.sum())}
    signature = EmotionSignature.parse(back.extra["signatures"]["test"])
    assert (signature.n_labelled, signature.epoch_chosen_on) == (table.labelled.sum(), "validation")
    assert file.facts.data_fingerprint == record.data_fingerprint["test"]
    low, high = (back.metrics["test"][f"weighted_f1_{end}"] for end in ("low", "high"))
    assert low < back.metrics["test"]["weighted_f1"] < high
    assert back.metrics["test"]["weighted_f1_se"] == pytest.approx((high - low) / 4, rel=0.25)
    assert set(back.structural_baselines[MAJORITY]["splits"]) == {"validation", "test"}
    assert system_of(back)["decision_rule"] == "argmax"
    assert index_runs(tmp_path).runs[0].predictions_path("test").name == "emotions_test.parquet"


def test_undefined_scores_have_their_reasons():
    one = EmotionTable(np.array(["d", "e"]), np.array([1, 1]), np.array(["A", "A"]), np.array([0, 0]))
    scores = recorded_emotion_scores(np.array([0, 0]), one, ["neutral", "joy"])
    assert set(scores["undefined"]) == {"joy", "weighted_f1_without_neutral", "shift_accuracy", "stay_accuracy"}


@pytest.mark.parametrize(
    ("n", "labels", "words"), [(1, [0, 1], "Predict every utterance once"), (2, [-1, -1], "No emotion")]
)
def test_what_cannot_be_scored(n, labels, words):
    table = EmotionTable(np.array(["d", "d"]), np.array([1, 2]), np.array(["A", "B"]), np.array(labels))
    with pytest.raises(MetricInputError, match=words):
        recorded_emotion_scores(np.zeros(n, dtype=int), table, ["neutral", "joy"])


def test_an_external_system_without_train_has_no_structural_rows(emotion_corpus):
    corpus = emotion_corpus()
    corpus = dataclasses.replace(corpus, rows={"test": corpus.rows["test"]}, tables={"test": corpus.tables["test"]})
    ids = np.zeros(len(emotion_table(corpus.rows["test"])), dtype=int)
    record = emotion_run_results(
        corpus, {"test": ids}, run_name="theirs", scorer="external", objective="theirs", modalities="t", seed=0
    )
    assert record.structural_baselines == {}
    assert "ece" not in record.metrics["test"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"task": "translation"}, "task is 'translation'; expected one of pairs, erc"),
        ({"task": "pairs"}, "metrics.test has no pair_f1|no pair_f1"),
        ({"metrics": {"test": {"weighted_f1": None, "undefined": {"weighted_f1": "?"}}}}, "expected a number in"),
        ({"metrics": {"test": {"accuracy": 0.5}}}, "metrics.test has no weighted_f1"),
    ],
)
def test_damaged_records_are_left_out_with_the_reason(tmp_path, write_emotion_run, change, words):
    write_emotion_run(tmp_path / "run", predictions=False)
    path = tmp_path / "run" / "results.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(RunFolderError, match=words):
        index_runs(tmp_path)
