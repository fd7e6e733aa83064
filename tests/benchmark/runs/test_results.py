from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iemomecp_dataset.benchmark.runs.results import RunResults, read_results, write_results
from iemomecp_dataset.errors import MissingDataError, RunFolderError, UsageError

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
    scores = {key: value for key, value in scores.items() if key != "undefined"}
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


def test_a_missing_file_says_that_the_run_has_not_finished(tmp_path):
    with pytest.raises(MissingDataError, match="has not finished"):
        read_results(tmp_path)


def test_a_file_that_was_cut_off_is_named(tmp_path):
    write_results(tmp_path, RECORD)
    path = tmp_path / "results.json"
    path.write_text(path.read_text()[:200])
    with pytest.raises(RunFolderError, match=r"results\.json is not valid JSON"):
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
