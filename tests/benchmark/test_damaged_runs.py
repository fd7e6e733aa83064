"""One run that cannot be shown never keeps the others from being shown: it is named, with its reason."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from quick_report import render_quickly

from iemomecp_dataset.benchmark.diagnostics.pair_facts import pair_facts
from iemomecp_dataset.benchmark.figures.from_runs import tables_of_runs
from iemomecp_dataset.benchmark.figures.usable_runs import usable_runs
from iemomecp_dataset.benchmark.results_table import results_table
from iemomecp_dataset.benchmark.runs.index import index_runs
from iemomecp_dataset.commands import report
from iemomecp_dataset.errors import IemomecpError, RunFolderError
from iemomecp_dataset.schema import PAIR_LABELS, ROLE_LABELS

Damage = Callable[[Path], object]


def write(name: str, content: str | bytes | None) -> Damage:
    """Replaces a file of the run; None: by a folder."""

    def damage(folder: Path) -> None:
        path = folder / name
        path.unlink()
        if content is None:
            path.mkdir()
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    return damage


def record(**fields: Any) -> Damage:
    """Replaces fields of the record."""

    def damage(folder: Path) -> None:
        path = folder / "results.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))

    return damage


def pipe(name: str) -> Damage:
    """Replaces a file of the run by a pipe, which nobody writes to."""

    def damage(folder: Path) -> None:
        (folder / name).unlink()
        os.mkfifo(folder / name)

    return damage


def remove(name: str) -> Damage:
    return lambda folder: (folder / name).unlink()


def only_validation(folder: Path) -> None:
    metrics = json.loads((folder / "results.json").read_text())["metrics"]
    record(metrics={"validation": metrics["validation"]})(folder)


def scores(split: str = "test", **changed: Any) -> Damage:
    """Replaces scores of one split."""

    def damage(folder: Path) -> None:
        metrics = json.loads((folder / "results.json").read_text())["metrics"]
        record(metrics={**metrics, split: {**metrics[split], **changed}})(folder)

    return damage


LEFT_OUT: dict[str, tuple[Damage, str]] = {
    "unfinished": (remove("results.json"), "results.json is not there: the run has not finished"),
    "cut": (write("results.json", '{"form'), "results.json, line 1, column 2: not valid JSON"),
    "list": (write("results.json", "[]"), "results.json holds a list"),
    "folder": (write("results.json", None), "results.json: cannot be read (it is a folder)"),
    "newer": (record(format_version=99), "has format_version 99"),
    "foreign": (write("results.json", '{"format_version": 1, "accuracy": 0.5}'), "lacks the fields run_name"),
    "yaml": (write("config.yaml", "a: [b"), "config.yaml is not valid YAML"),
    "latin": (write("config.yaml", b"objective: caf\xe9"), "config.yaml: not UTF-8 text"),
    "yaml_list": (write("config.yaml", "- a"), "config.yaml holds no options by name"),
    "yaml_numbers": (write("config.yaml", "1: 2"), "config.yaml holds no options by name"),
    "yaml_folder": (write("config.yaml", None), "config.yaml is not there, or is not a file"),
    "no_scores_of_split": (record(metrics={"test": None}), "metrics.test is None; expected an object of scores"),
    "no_pair_f1": (record(metrics={"test": {}}), "metrics.test has no pair_f1"),
    "text_score": (record(metrics={"test": {"pair_f1": "1"}}), "metrics.test.pair_f1 is '1'; expected a number"),
    "true_score": (record(metrics={"test": {"pair_f1": True}}), "metrics.test.pair_f1 is True"),
    "null_score": (scores(pair_f1=None), "metrics.test.pair_f1 is None; expected a number in [0, 1]"),
    "null_explained": (
        scores(pair_recall=None, undefined={"pair_recall": "unknown"}),
        "metrics.test.pair_recall is None; expected a number in [0, 1]",
    ),
    "null_unexplained": (
        scores("validation", pair_auprc=None, undefined={}),
        "metrics.validation.pair_auprc is None; expected a value, or null and its reason in metrics.validation.und",
    ),
    "null_count": (scores(n_pairs=None), "metrics.test.n_pairs is None; expected a value, or null and its reason"),
    "reasons": (scores(undefined=[1]), "metrics.test.undefined is [1]; expected an object of reasons"),
    "percent": (scores(pair_f1=42.4), "metrics.test.pair_f1 is 42.4; expected a number in [0, 1]"),
    "percent_macro": (scores(macro_f1=42.4), "metrics.test.macro_f1 is 42.4; expected a number in [0, 1]"),
    "negative": (scores(accuracy=-0.1), "metrics.test.accuracy is -0.1; expected a number in [0, 1]"),
    "nan": (scores(pair_precision=float("nan")), "metrics.test.pair_precision is nan; expected a number in [0, 1]"),
    "metrics": (record(metrics=[1]), "field 'metrics' is [1]; expected an object"),
    "threshold": (record(threshold={"value": "x"}), "threshold.value is 'x'; expected a number or null"),
    "chosen_on": (record(threshold={"value": 0.5, "chosen_on": [1]}), "threshold.chosen_on is [1]; expected a text"),
    "baseline": (record(structural_baselines={"x": 1}), "structural_baselines.x is 1; expected an object"),
    "baseline_splits": (record(structural_baselines={"x": {"splits": [1]}}), "structural_baselines.x.splits is [1]"),
    "baseline_split": (
        record(structural_baselines={"x": {"splits": {"test": 1}}}),
        "structural_baselines.x.splits.test is 1",
    ),
    "fingerprint": (record(data_fingerprint={"test": [1]}), "data_fingerprint.test is [1]; expected a text"),
    "counts": (record(counts={"test": 1}), "counts.test is 1; expected an object of counts"),
    "count": (record(counts={"test": {"dialogues": "all"}}), "counts.test.dialogues is 'all'"),
    "cut_predictions": (write("predictions_test.parquet", b"PAR1"), "predictions_test.parquet cannot be read as Parqu"),
    "other_f1": (scores(pair_f1=0.123), "contradict each other on test: the record has pair_f1 0.1230"),
    "digits": (
        write("results.json", '{"format_version": ' + "1" * 5000),
        "not valid JSON for data (a number of 5,000 digits)",
    ),
    "nested": (write("results.json", "[" * 100_000), "results.json: not valid JSON for data (lists and"),
    "surrogate": (record(run_name="a\ud800"), "half of a surrogate pair in"),
    "remarks": (record(remarks=5), "remarks is 5; expected a list of texts"),
    "peer": (record(peer=5), "peer is 5; expected an object"),
    "missing_splits": (record(missing_splits=[{}]), "missing_splits[0] is {}; expected a text"),
    "features": (record(features={"text": 3}), "features.text is 3; expected an object of facts"),
    "further corpora": (record(trained_with={"reccon": 3}), "trained_with.reccon is 3; expected an object of facts"),
    "a weight": (
        record(trained_with={"reccon": {"weight": "2"}}),
        "trained_with.reccon.weight is '2'; expected a number",
    ),
    "yaml_nested": (write("config.yaml", "[" * 20_000), "config.yaml is not valid YAML"),
    "yaml_digits": (write("config.yaml", "seed: " + "1" * 5000), "config.yaml is not valid YAML"),
    "yaml_date": (write("config.yaml", "seed: 2001-99-99"), "config.yaml is not valid YAML: month must be in 1..12"),
    "pipe": (pipe("results.json"), "results.json: is a named pipe"),
    "yaml_pipe": (pipe("config.yaml"), "config.yaml is not there, or is not a file"),
    "pipe_predictions": (pipe("predictions_test.parquet"), "predictions_test.parquet is not a file"),
    "classes": (record(class_names=[1, 2]), "class_names[0] is 1; expected a text"),
}
"""Not in any table."""

NOTED: dict[str, tuple[Damage, str]] = {
    "no_scores": (record(metrics={}), "no_scores is left out: it has no scores on test and validation"),
    "no_test": (only_validation, "no_test is left out: it has no scores on test."),
    "no_predictions": (
        remove("predictions_test.parquet"),
        "The figures leave out no_predictions: PATH/predictions_test.parquet is not there",
    ),
}
"""In a table, but for what it lacks."""

UNNOTICED: dict[str, Damage] = {
    "log_bytes": write("log.jsonl", b"\xff\xfe"),
    "log_epoch": write("log.jsonl", '{"event": "epoch", "epoch": null}\n{"event": "epoch"}\n'),
    "log_values": write("log.jsonl", '{"event": "epoch", "epoch": 1, "step": "a", "losses": [1], "validation": 3}\n'),
    "log_nested": write("log.jsonl", "[" * 100_000),
    "log_digits": write(
        "log.jsonl", '{"event": "epoch", "epoch": 1' + "0" * 400 + ', "train_loss": 1' + "0" * 400 + "}"
    ),
    "log_5000": write("log.jsonl", '{"event": "epoch", "epoch": 1, "train_loss": 1' + "0" * 5000 + "}"),
    "log_pipe": pipe("log.jsonl"),
    "log_folder": write("log.jsonl", None),
    "no_log": remove("log.jsonl"),
    "no_config": remove("config.yaml"),
    "explained": scores("validation", pair_auprc=None, undefined={"pair_auprc": "hard class ids have no ranking"}),
}
"""Shown as it is."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, write_run: Callable[..., Any]) -> Path:
    """Two runs as they should be, and one with each damage."""
    root = tmp_path_factory.mktemp("runs")
    damages = {name: damage for name, (damage, _) in (LEFT_OUT | NOTED).items()} | UNNOTICED
    write_run(root / "base_1", seed=1, n_dialogues=6)
    write_run(root / "rpcl_1", seed=1, n_dialogues=6, objective="rpcl")
    for seed, name in enumerate(damages, start=2):
        write_run(root / "first", seed=seed, n_dialogues=6)
        (root / "first").rename(root / name)
        record(run_name=name)(root / name)
        damages[name](root / name)
    return root


def test_the_index_names_each_damage(folder: Path) -> None:
    index = index_runs(folder)
    assert {run.folder.name for run in index.runs} == {"base_1", "rpcl_1", *NOTED, *UNNOTICED}
    reasons = {run.folder.name: run.reason for run in index.unfinished}
    assert reasons.keys() == LEFT_OUT.keys()
    for name, (_, reason) in LEFT_OUT.items():
        assert reason in reasons[name]
        assert str(folder / name) in reasons[name]


def test_the_page_and_the_log_show_all_others_and_name_it(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    output = tmp_path / "report.html"
    with caplog.at_level(logging.WARNING):
        report.main([str(folder), "--output", str(output), "--resamples", "0"])
    logged = " ".join((capsys.readouterr().out + caplog.text).split())
    page = " ".join(re.sub("<.*?>", "", output.read_text().replace("&#39;", "'")).split())
    for name, (_, reason) in LEFT_OUT.items():
        assert f"left out: {folder / name}" in logged
        assert reason in logged
        assert f"{name}: " in page
        assert reason in page
    for name, (_, reason) in NOTED.items():
        for text in (logged, page):
            assert reason.replace("PATH", str(folder / name)) in text
    for name in ("base_1", "rpcl_1", *UNNOTICED):
        assert name in page
    assert "RPCL T" in logged
    assert f"shown without its learning curve: {folder / 'log_pipe' / 'log.jsonl'}: is a named pipe" in logged
    # The run without config.yaml may be a row of its own: what its options were is not known.
    seeds = 1 + len(UNNOTICED) - 1 + sum("figures" in reason for _, reason in NOTED.values())
    rows = [line.split() for line in results_table(index_runs(folder).runs).splitlines() if "Base T" in line]
    assert max(int(row[-1]) for row in rows if row[-1].isdigit()) in (seeds, seeds + 1)


def test_nothing_left_to_show_is_an_error(tmp_path: Path, write_run: Callable[..., Any]) -> None:
    for name in ("cut", "yaml", "text_score"):
        write_run(tmp_path / name, n_dialogues=6)
        LEFT_OUT[name][0](tmp_path / name)
    with pytest.raises(RunFolderError, match=r"holds no finished run, but 3 unfinished:\n.*\n.*\n.*"):
        index_runs(tmp_path)


def role_rows(make_rows: Callable[..., Any], seed: int = 0) -> dict[str, list[dict[str, Any]]]:
    rows = {}
    for place, split in enumerate(("train", "validation", "test")):
        rows[split] = make_rows(6, seed=seed + place, class_names=ROLE_LABELS, prefix=split)
        for row in rows[split]:
            for utterance in row["utterances"]:
                utterance["speaker"] = "FM"[utterance["turn"] % 2]
            for pair in row["pairs"]:
                pair["source_pair"] = pair["label"] == 0
    return rows


def binary(rows: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    return {
        split: [{**row, "pairs": [{**p, "label": int(not p["source_pair"])} for p in row["pairs"]]} for row in of_split]
        for split, of_split in rows.items()
    }


def test_figures_are_drawn_of_the_runs_that_can_be_drawn(
    tmp_path: Path, write_run: Callable[..., Any], make_rows: Callable[..., Any]
) -> None:
    rows = role_rows(make_rows)
    ours = {"corpus": "iemomecp", "config_name": "source_binary", "definition": "F"}
    names = ("base_1", "base_2", "no_scores", "no_predictions", "cut_removed")
    for seed, name in enumerate(names, start=1):
        write_run(tmp_path / name, rows=binary(rows), seed=seed, **ours)
    write_run(tmp_path / "roles", rows=rows, n_classes=3)
    write_run(tmp_path / "other_data", rows=binary(role_rows(make_rows, seed=7)), seed=7, **ours)
    write_run(tmp_path / "other_candidates", rows=binary(rows), seed=8, **{**ours, "candidates": "past"})
    for name in ("no_scores", "no_predictions"):
        NOTED[name][0](tmp_path / name)
    (tmp_path / "cut_removed" / "predictions_test_removed.parquet").write_bytes(b"PAR1")
    facts = {split: pair_facts(of_split) for split, of_split in rows.items()}
    runs = index_runs(tmp_path).runs
    with pytest.raises(IemomecpError):
        tables_of_runs(runs, facts)
    usable, left_out = usable_runs(runs, facts)
    assert {run.folder.name for run in usable} == {"base_1", "base_2", "roles"}
    reasons = {Path(name).name: reason for name, reason in left_out.items()}
    expected = {
        "no_scores": "it has no scores on test",
        "no_predictions": "is not there",
        "cut_removed": "predictions_test_removed.parquet cannot be read",
        "other_data": "Give the data that the run was made with",
        "other_candidates": "its data, gold or candidates differ from those of base_1 and 1 more",
    }
    assert reasons.keys() == expected.keys()
    for name, reason in expected.items():
        assert reason in reasons[name]
    tables = tables_of_runs(usable, facts)
    assert set(tables.get("binary_axis_and_removal_by_family_long")["family"]) == {"Base T"}
    assert set(tables.get("pair_role_confusion_by_family_long")["family"]) == {"Base T"}
    assert usable_runs(usable, {"train": facts["train"]})[1] == {}


def test_groups_of_the_same_size_are_left_to_the_user(
    tmp_path: Path, write_run: Callable[..., Any], make_rows: Callable[..., Any]
) -> None:
    rows = binary(role_rows(make_rows))
    for name, candidates in (("a", "all"), ("b", "past")):
        write_run(tmp_path / name, rows=rows, corpus="iemomecp", config_name="source_binary", candidates=candidates)
    facts = {split: pair_facts(of_split) for split, of_split in role_rows(make_rows).items()}
    usable, left_out = usable_runs(index_runs(tmp_path).runs, facts)
    assert left_out == {}
    with pytest.raises(RunFolderError, match="2 groups"):
        tables_of_runs(usable, facts)
    assert {run.results.class_names for run in usable} == {PAIR_LABELS}


def test_texts_of_one_configuration_are_shown_where_those_of_another_are_not_there(
    tmp_path: Path, write_run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from iemomecp_dataset import builder
    from iemomecp_dataset.errors import MissingDataError

    def load(config_name: str, data_dir: str) -> dict[str, list[dict[str, Any]]]:
        if config_name == "3class":
            raise MissingDataError("no IEMO-MECP here")
        utterances = [{"speaker": "A", "text": "We lost."}] * 8
        return {"test": [{"dialogue_id": f"te{number}", "utterances": utterances} for number in range(6)]}

    monkeypatch.setattr(builder, "load", load)
    write_run(tmp_path / "a", n_dialogues=6)
    write_run(tmp_path / "b", n_dialogues=6, n_classes=3)
    texts = report._texts("data", index_runs(tmp_path), {})
    assert capsys.readouterr().out == "without the texts of 3class, which --data-dir does not hold: no IEMO-MECP here\n"
    assert texts.of("ecf")["te5"] == [("A", "We lost.")] * 8
    assert texts.of("3class") == {}
    shutil.rmtree(tmp_path / "a")
    with pytest.raises(MissingDataError, match="no IEMO-MECP here"):
        report._texts("data", index_runs(tmp_path), {})


def test_a_run_of_data_without_scored_splits_has_a_page(tmp_path: Path, write_run: Callable[..., Any]) -> None:
    write_run(tmp_path / "alone", splits=())
    assert "Runs without scores: alone." in results_table(index_runs(tmp_path).runs)
    assert "alone" in render_quickly(index_runs(tmp_path))
