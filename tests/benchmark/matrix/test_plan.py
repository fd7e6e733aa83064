"""The state of a cell by the content of its run folder."""

from __future__ import annotations

import dataclasses
import json
import math
import os

import pytest
import yaml

from iemomecp_dataset.benchmark.matrix.cells import Sweep, cells_of
from iemomecp_dataset.benchmark.matrix.plan import State, estimated_seconds, failure_file, plan_cells
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.trainers.run_inputs import RunInputs

PRINTS = {"train": "a", "test": "b"}
INPUTS = RunInputs(PRINTS)


@pytest.fixture(name="cell")
def fixture_cell():
    return cells_of(Sweep(values={"data_dir": ("d",)}))[0]


def look(cell, runs, inputs=INPUTS, **kwargs):
    return plan_cells([cell], runs, lambda _: inputs, **kwargs)[0]


def begin(cell, runs):
    folder = runs / cell.name
    (folder / "checkpoint").mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(cell.options_in(runs).flat()))
    (folder / "checkpoint" / "inputs.json").write_text(json.dumps(INPUTS.to_json()))
    return folder


def finish(cell, runs, write_run, **changes):
    changes = {"data_fingerprint": PRINTS, "features": {"audio": {"digest": "speech"}}, **changes}
    record = write_run(runs / cell.name, n_classes=3, n_dialogues=6, **changes)
    (runs / cell.name / "config.yaml").write_text(yaml.safe_dump(cell.options_in(runs).flat()))
    return record


def test_no_folder_or_an_empty_one_is_new_and_stays_as_it_is(cell, tmp_path):
    assert look(cell, tmp_path).state is State.NEW
    (tmp_path / cell.name).mkdir()
    assert look(cell, tmp_path).state is State.NEW
    assert not any((tmp_path / cell.name).iterdir())


def test_a_begun_run_is_continued_on_the_same_data_only(cell, tmp_path):
    begin(cell, tmp_path)
    assert look(cell, tmp_path).state is State.CONTINUED
    refused = look(cell, tmp_path, RunInputs({**PRINTS, "test": "c"}))
    assert refused.state is State.REFUSED
    assert "the content of test has changed" in refused.reason


def test_a_finished_run_is_skipped_when_options_and_data_match(cell, tmp_path, write_run):
    finish(cell, tmp_path, write_run)
    found = look(cell, tmp_path)
    assert found.state is State.FINISHED
    assert found.results is not None
    assert not found.to_run
    assert look(cell, tmp_path, RunInputs({**PRINTS, "train": "c"})).state is State.REFUSED
    noise = RunInputs(PRINTS, features={"audio": {"digest": "noise"}})
    assert look(cell, tmp_path, noise).state is State.REFUSED
    model = dataclasses.replace(cell.options.model, hidden_size=8)
    other = look(dataclasses.replace(cell, options=dataclasses.replace(cell.options, model=model)), tmp_path)
    assert other.state is State.REFUSED
    assert "hidden_size is 256 there and 8 here" in other.reason
    assert "--runs_dir" in other.reason


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "results.json").write_text('{"format_'), "not valid JSON"),
        (lambda folder: (folder / "results.json").write_text("{}"), "format_version"),
        (lambda folder: (folder / "config.yaml").unlink(), "is not empty and holds no run"),
        (lambda folder: (folder / "config.yaml").write_text(": :"), "is not valid YAML"),
    ],
    ids=["torn results", "foreign results", "no config", "torn config"],
)
def test_a_spoilt_folder_is_refused_by_name(cell, tmp_path, spoil, message):
    folder = begin(cell, tmp_path)
    spoil(folder)
    found = look(cell, tmp_path)
    assert found.state is State.REFUSED
    assert message in found.reason
    assert str(folder) in found.reason


def test_a_file_in_place_of_the_folder(cell, tmp_path):
    (tmp_path / cell.name).write_text("")
    assert look(cell, tmp_path).state is State.REFUSED


def test_a_failed_cell_waits_until_asked_for(cell, tmp_path):
    path = failure_file(tmp_path, cell.name)
    path.parent.mkdir()
    path.write_text(json.dumps({"exit_code": 2, "words": "exit code 2", "last_lines": ["error: out of luck"]}))
    found = look(cell, tmp_path)
    assert (found.state, found.to_run) == (State.FAILED, False)
    assert "It failed before (exit code 2); its last line: error: out of luck" in found.reason
    assert look(cell, tmp_path, retry_failed=True).state is State.NEW
    for damaged in ("{", "[" * 100_000, "[]", '{"words": 1, "last_lines": 3}', '{"content": [1]}', "1" * 5000):
        path.write_text(damaged)
        found = look(cell, tmp_path)
        assert found.state is State.FAILED
        assert f"{path} cannot be read" in found.reason
    path.unlink()
    os.mkfifo(path)
    assert look(cell, tmp_path).state is State.FAILED


def test_estimates_come_from_the_most_similar_runs(tmp_path, write_run):
    values = {"data_dir": ("d",), "objective": ("base", "rpcl"), "config_name": ("3class", "ecf")}
    cells = cells_of(Sweep(values=values, seeds=(1, 2)))
    of = {cell.name: cell for cell in cells}
    common = {"text_encoder": "FacebookAI/roberta-base", "encoder_mode": "trained"}
    finish(of["3class-dialogue-base-t-s1"], tmp_path, write_run, wall_seconds=100.0, **common)
    finish(of["3class-dialogue-rpcl-t-s1"], tmp_path, write_run, objective="rpcl", wall_seconds=300.0, **common)
    planned = plan_cells(cells, tmp_path, lambda _: INPUTS)
    estimates = dict(zip(of, estimated_seconds(planned), strict=True))
    assert estimates["3class-dialogue-base-t-s1"] == 0
    assert estimates["3class-dialogue-base-t-s2"] == 100
    assert estimates["3class-dialogue-rpcl-t-s2"] == 300
    assert math.isnan(estimates["ecf-dialogue-base-t-s1"])


def test_no_cells(tmp_path):
    with pytest.raises(UsageError):
        plan_cells([], tmp_path, lambda _: INPUTS)
