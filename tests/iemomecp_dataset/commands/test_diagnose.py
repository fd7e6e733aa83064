"""The command on a folder of runs, some of which are damaged, with the data that the runs state."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from iemomecp_dataset.__main__ import main
from iemomecp_dataset.benchmark.runs.results import Decision, run_results, write_results, write_run_predictions
from iemomecp_dataset.corpus import Corpus, load_corpus


def write_run(folder: Path, corpus: Corpus, data_dir: Path, *, removed: bool = False) -> None:
    """A run of noise, with the config.yaml that states its data."""
    rng = np.random.default_rng(len(folder.name))
    predicted = {
        split: rng.dirichlet(np.ones(len(corpus.class_names)), size=len(corpus.tables[split]))
        for split in ("validation", "test")
    }
    folder.mkdir(parents=True)
    for split, probabilities in predicted.items():
        write_run_predictions(folder, corpus, split, probabilities, Decision())
    if removed:
        write_run_predictions(folder, corpus, "test", predicted["test"], Decision(), name="test_removed")
    stated = {"scorer": "noise", "objective": "noise", "modalities": "t", "settings": {"objective": "noise"}}
    record = run_results(corpus, predicted, Decision(), run_name=folder.name, seed=42, **stated)
    write_results(folder, record)
    (folder / "config.yaml").write_text(f"data_dir: {data_dir}\nseed: 42\n", encoding="utf-8")


@pytest.fixture(scope="module", name="runs")
def fixture_runs(tmp_path_factory: pytest.TempPathFactory, small_dir: Path) -> Path:
    root = tmp_path_factory.mktemp("runs")
    for config_name in ("3class", "source_binary"):
        write_run(root / config_name, load_corpus(config_name, small_dir), small_dir, removed=True)
    (root / "damaged").mkdir()
    (root / "damaged" / "results.json").write_text("{", encoding="utf-8")
    return root


def leave(*arguments: object) -> int:
    with pytest.raises(SystemExit) as exit_:
        main([str(argument) for argument in arguments])
    assert isinstance(exit_.value.code, int)
    return exit_.value.code


def test_every_file_has_numbers_and_the_damaged_run_is_named(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert leave("diagnose", runs, "--output", tmp_path / "out") == 0
    said = capsys.readouterr()
    assert f"left out: {runs / 'damaged'}: " in said.out
    assert "not computed" not in said.out
    assert "12 files on 2 SYNTHETIC runs" in said.out
    assert "Diagnosing" in said.err  # a progress bar
    files = sorted((tmp_path / "out").glob("*.csv"))
    assert len(files) == 11
    for path in files:
        with open(path, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert {row["data"] for row in rows} == {"synthetic"}, path.name
        for variant in ("as_published", "corrected")[: 1 if path.name.startswith("11") else 2]:
            for pooling_is_per_run in (True, False):
                assert [
                    row
                    for row in rows
                    if row["variant"] == variant
                    and (row["pooling"] == "per_run") == pooling_is_per_run
                    and row["value"] != "NaN"
                ], (path.name, variant, pooling_is_per_run)
    assert "/damaged: " in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")


def test_data_that_is_gone_is_said_and_the_rest_is_computed(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = tmp_path / "runs"
    for name in ("3class", "source_binary"):
        (moved / name).mkdir(parents=True)
        for path in (runs / name).iterdir():
            (moved / name / path.name).write_bytes(path.read_bytes())
        (moved / name / "config.yaml").write_text("data_dir: /nowhere\nseed: 42\n", encoding="utf-8")
    assert leave("diagnose", moved, "--output", tmp_path / "out", "--quiet") == 0
    said = capsys.readouterr()
    assert "Diagnosing" not in said.err
    assert "/nowhere, the data_dir of source_binary, is not there. Give --data-dir" in (
        tmp_path / "out" / "README.md"
    ).read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize(("option", "shown"), [("--diagnostics", True), ("--no-diagnostics", False)])
def test_the_report_has_the_same_tables_unless_they_are_not_wanted(
    option: str, shown: bool, runs: Path, tmp_path: Path
) -> None:
    page = tmp_path / "report.html"
    assert leave("report", runs, "--output", page, "--resamples", 0, "--quiet", option) == 0
    text = page.read_text(encoding="utf-8")
    assert ('<section id="diagnostics">' in text) == shown
    assert ("8. contexts against matched non-pairs" in text) == shown
    assert "damaged" in text


@pytest.mark.slow
def test_figures_of_the_same_runs_take_the_variant(
    runs: Path, small_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for variant in ("as_published", "corrected"):
        arguments = ("--runs", runs, "--data-dir", small_dir, "--formats", "svg", "--variant", variant)
        assert leave("figures", *arguments, "--output-dir", tmp_path / variant) == 0
        assert f"10 of 10 figures from synthetic runs, {variant.replace('_', ' ')}" in capsys.readouterr().out
        for path in (tmp_path / variant).iterdir():
            text = path.read_text(encoding="utf-8")
            assert (
                f">{variant.replace('_', ' ')} · test" in text
                or "labels of the data, no model" in text
                or (f">{variant.replace('_', ' ')} · validation + test" in text)
            )
            assert "SYNTHETIC DATA" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{runs}"], "The following arguments are required: --output"),
        (["nowhere", "--output", "out"], "nowhere is not a folder"),
        (["{runs}", "--output", "out", "--data-dir", "nowhere"], "nowhere"),
        (["{runs}", "--output", "{runs}/3class/config.yaml"], "config.yaml"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str], message: str, runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert leave("diagnose", *(argument.format(runs=runs) for argument in arguments)) == 2
    error = next(line for line in capsys.readouterr().err.splitlines() if line.startswith("error: "))
    assert message in error
