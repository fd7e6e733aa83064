from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iemomecp_dataset.benchmark.baselines.structural import corpus_baselines
from iemomecp_dataset.benchmark.runs.record_checks import SHARES
from iemomecp_dataset.benchmark.runs.results import (
    Decision,
    RunResults,
    read_results,
    run_results,
    write_results,
    write_run_predictions,
)
from iemomecp_dataset.corpus import load_corpus
from iemomecp_dataset.errors import MissingDataError, RunFolderError, UsageError
from iemomecp_dataset.metrics.evaluation.aligned import score_candidates
from iemomecp_dataset.metrics.evaluation.candidate_scores import candidate_signature
from iemomecp_dataset.metrics.evaluation.gold import gold_split
from iemomecp_dataset.metrics.evaluation.predictions import read_candidate_predictions
from iemomecp_dataset.metrics.evaluation.results import EvaluationOptions
from iemomecp_dataset.metrics.scoring import pair_scores

RECORD = RunResults(
    run_name="base_42",
    corpus="ecf",
    config_name="ecf",
    class_names=("pair", "non_pair"),
    synthetic=False,
    data_statement="Made up.",
    definition="A",
    candidates="all",
    scorer="dialogue",
    objective="base",
    modalities="t",
    text_encoder="tiny",
    encoder_mode="frozen",
    seed=42,
    threshold={"value": 0.31, "chosen_on": "validation"},
    metrics={"validation": {"pair_f1": 0.5, "pair_auprc": math.nan, "undefined": {"pair_auprc": "hard ids"}}},
    missing_splits=("test",),
    counts={"validation": {"dialogues": 3}},
    structural_baselines={
        "self": {"threshold": None, "splits": {"validation": {"pair_f1": 0.4, "pair_auprc": math.nan}}}
    },
    data_fingerprint={"train": "ab", "validation": "cd"},
    wall_seconds=1.5,
)


def test_a_record_comes_back_as_it_was(tmp_path):
    write_results(tmp_path, RECORD)
    back = read_results(tmp_path)
    assert repr(dataclasses.replace(back, structural_baselines={})) == repr(
        dataclasses.replace(RECORD, structural_baselines={})
    )  # repr, as NaN is not equal to itself


def test_undefined_scores_are_null_with_a_reason_in_the_file_and_nan_in_memory(tmp_path):
    write_results(tmp_path / "results.json", RECORD)
    content = json.loads((tmp_path / "results.json").read_text(), parse_constant=pytest.fail)
    assert content["metrics"]["validation"]["pair_auprc"] is None
    assert content["metrics"]["validation"]["undefined"]["pair_auprc"] == "hard ids"
    baseline = content["structural_baselines"]["self"]
    assert baseline["splits"]["validation"]["undefined"]["pair_auprc"]
    assert baseline["threshold"] is None
    back = read_results(tmp_path)
    assert math.isnan(back.metrics["validation"]["pair_auprc"])
    assert math.isnan(back.structural_baselines["self"]["splits"]["validation"]["pair_auprc"])
    assert back.structural_baselines["self"]["threshold"] is None
    assert math.isnan(back.peak_memory_mb)


def test_numpy_values_are_written_as_plain_json(tmp_path):
    metrics = {"test": {"pair_f1": np.float32(0.5), "n_pairs": np.int64(7), "confusion_matrix": np.eye(2, dtype=int)}}
    write_results(tmp_path, dataclasses.replace(RECORD, metrics=metrics, seed=np.int64(1)))
    assert read_results(tmp_path).metrics["test"] == {
        "pair_f1": 0.5,
        "n_pairs": 7,
        "confusion_matrix": [[1, 0], [0, 1]],
    }


def test_keys_of_other_versions_are_kept(tmp_path):
    write_results(tmp_path, dataclasses.replace(RECORD, extra={"energy_joules": 3}))
    back = read_results(tmp_path)
    assert back.extra == {"energy_joules": 3}
    write_results(tmp_path, back)
    assert json.loads((tmp_path / "results.json").read_text())["energy_joules"] == 3


@given(st.dictionaries(st.text(min_size=1), st.floats(allow_infinity=False) | st.integers() | st.text(), max_size=5))
def test_any_scores_survive(tmp_path_factory, scores):
    folder = tmp_path_factory.mktemp("run")
    # a score that is a share by its name must lie in [0, 1], which test_record_checks tests
    scores = {key: value for key, value in scores.items() if key != "undefined" and not key.endswith(SHARES)}
    write_results(folder, dataclasses.replace(RECORD, metrics={"test": scores}))
    back = dict(read_results(folder).metrics["test"])
    back.pop("undefined", None)
    assert repr(back) == repr(scores)


def test_an_infinite_score_is_refused_by_name_and_leaves_the_old_file(tmp_path):
    write_results(tmp_path, RECORD)
    with pytest.raises(UsageError, match=r"metrics\.test\.pair_f1 is infinite"):
        write_results(tmp_path, dataclasses.replace(RECORD, metrics={"test": {"pair_f1": math.inf}}))
    assert read_results(tmp_path).run_name == "base_42"
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]


def test_a_folder_that_is_no_run_says_so(tmp_path):
    (tmp_path / "one").mkdir()
    with pytest.raises(MissingDataError, match=r"not the folder of a run. Several runs are read by leaderboard"):
        read_results(tmp_path)


def test_a_missing_file_says_that_the_run_has_not_finished(tmp_path):
    (tmp_path / "config.yaml").touch()
    with pytest.raises(MissingDataError, match="has not finished"):
        read_results(tmp_path)


def test_a_file_that_was_cut_off_is_named(tmp_path):
    write_results(tmp_path, RECORD)
    path = tmp_path / "results.json"
    path.write_text(path.read_text()[:200])
    with pytest.raises(RunFolderError, match=r"results\.json.*: not valid JSON"):
        read_results(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 2}, "format_version 2"),
        ({"seed": None}, "'seed' is None; expected a whole number"),
        ({"seed": True}, "'seed' is True; expected a whole number"),
        ({"class_names": "pair"}, "'class_names' is 'pair'; expected a list"),
        ({"wall_seconds": "3 s"}, "'wall_seconds' is '3 s'; expected a number or null"),
    ],
)
def test_fields_of_another_kind_are_named(tmp_path, change, message):
    write_results(tmp_path, RECORD)
    path = tmp_path / "results.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(RunFolderError, match=message):
        read_results(path)


def test_missing_fields_are_named(tmp_path):
    write_results(tmp_path, RECORD)
    path = tmp_path / "results.json"
    content = json.loads(path.read_text())
    del content["threshold"], content["seed"]
    path.write_text(json.dumps(content))
    with pytest.raises(RunFolderError, match="lacks the fields seed, threshold"):
        read_results(path)


@pytest.fixture(name="corpus", scope="module")
def fixture_corpus(synthetic_dir):
    return load_corpus("source_binary", synthetic_dir, forward_pairs="gold")


def test_a_record_is_built_of_what_was_scored(corpus, tmp_path):
    table = corpus.tables["test"]
    probabilities = np.random.default_rng(0).dirichlet([1, 3], len(table))
    decision = Decision(0.4, "validation")
    record = run_results(
        corpus,
        {"test": probabilities},
        decision,
        run_name="x_1",
        scorer="external",
        objective="x",
        modalities="t",
        epoch_chosen_on="validation",
        seed=1,
        more_counts={"test": {"truncated_utterances": 7}},
        extra={"note": "kept"},
        wall_seconds=3.0,
    )
    expected = pair_scores(probabilities, table.labels, corpus.class_names, threshold=0.4)
    assert record.metrics == {"test": expected}
    assert record.threshold == {"value": 0.4, "chosen_on": "validation"}
    assert record.counts["test"]["truncated_utterances"] == 7
    assert "truncated_utterances" not in record.counts["train"]
    assert record.counts["test"]["gold_pairs"] == (table.labels == 0).sum()
    assert json.dumps(record.structural_baselines) == json.dumps(corpus_baselines(corpus)), "NaN is not equal to itself"
    assert (record.corpus, record.definition, record.wall_seconds) == ("iemomecp", "F", 3.0)
    assert record.extra["note"] == "kept"
    write_run_predictions(tmp_path, corpus, "test", probabilities, decision, epoch_chosen_on="validation")
    file = tmp_path / "predictions_test.parquet"
    scored = score_candidates(read_candidate_predictions(file), gold_split(corpus, "test"), EvaluationOptions())
    assert record.extra["signatures"] == {"test": str(candidate_signature(scored, EvaluationOptions()))}
    write_results(tmp_path, record)
    assert read_results(tmp_path).metrics["test"] == expected


def test_decisions_alone_have_no_average_precision(corpus):
    decided = np.where(corpus.tables["validation"].distances == 0, 0, 1)
    named = {"run_name": "r", "scorer": "external", "objective": "x", "modalities": "", "seed": 0}
    record = run_results(corpus, {"validation": decided}, Decision(), **named)
    assert math.isnan(record.metrics["validation"]["pair_auprc"])
    assert (
        record.metrics["validation"]["pair_f1"]
        == pair_scores(decided, corpus.tables["validation"].labels, corpus.class_names)["pair_f1"]
    )
