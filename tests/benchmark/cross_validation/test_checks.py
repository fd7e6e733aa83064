"""Variants that know the folds, or cannot be trained, are refused before anything is written or started."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from corpus_files import ecf_text

from iemomecp_dataset.commands import call
from iemomecp_dataset.errors import UsageError


def write_ecf(folder: Path, *numbers: int) -> Path:
    folder.mkdir(parents=True)
    (folder / "train.txt").write_text("".join(map(ecf_text, numbers)))
    (folder / "dev.txt").write_text(ecf_text(101))
    return folder


def write_run(folder: Path, data: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(json.dumps({"config_name": "ecf", "data_dir": str(data)}))
    return folder


def refused(tmp_path: Path, *more: str, config_name: str = "ecf", data: str = "ecf") -> str:
    arguments = ["--data_dir", str(tmp_path / data), "--config_name", config_name, "--folds", "2", "--dry_run"]
    with pytest.raises(UsageError) as error:
        call("cross-validate", [*arguments, "--runs_dir", str(tmp_path / "cv"), *more])
    assert not (tmp_path / "cv").exists()
    return str(error.value)


def test_what_an_earlier_call_has_joined_is_not_shown_as_current(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = tmp_path / "cv"
    (runs / "cells").mkdir(parents=True)
    for fold in (1, 2):
        (runs / "cells" / f"baseline-s42-fold{fold}").write_text("in place of a run")
    joined = runs / "out-of-fold" / "baseline-s42"
    joined.mkdir(parents=True)
    for name in ("results.json", "predictions_train.parquet"):
        (joined / name).write_text("{}")
    (runs / "cross_validation.md").write_text("an old table")
    (runs / "out-of-fold" / "dropout=0.2-s42").mkdir()
    arguments = ["--data_dir", str(write_ecf(tmp_path / "ecf", 1, 3, 5)), "--config_name", "ecf", "--folds", "2"]
    assert call("cross-validate", [*arguments, "--runs_dir", str(runs)]) == 1
    table = (runs / "cross_validation.md").read_text()
    assert "baseline: 2 of 2 runs are missing (fold 1 seed 42 refused, fold 2 seed 42 refused)" in table
    assert not joined.exists()
    said = capsys.readouterr().err
    assert f"{joined} of an earlier call is removed" in said
    assert f"Of an earlier call, in {joined.parent}: dropout=0.2-s42." in said


def test_a_variant_that_begins_with_a_run_on_the_same_split_is_refused(tmp_path: Path) -> None:
    full = write_run(tmp_path / "full", write_ecf(tmp_path / "ecf", 1, 3, 5))
    for more in (["--vary", f"init_from={full}"], ["--init_from", str(full)]):
        message = refused(tmp_path, *more)
        assert f"--init_from {full}, or one before it, was trained on dialogues of the train split" in message
        assert "share 12 utterances" in message


def test_a_run_on_other_data_may_be_begun_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_ecf(tmp_path / "ecf", 1, 3, 5)
    other = write_run(tmp_path / "other", write_ecf(tmp_path / "elsewhere", 7, 9))
    arguments = ["--data_dir", str(tmp_path / "ecf"), "--config_name", "ecf", "--folds", "2", "--dry_run"]
    call("cross-validate", [*arguments, "--runs_dir", str(tmp_path / "cv"), "--vary", f"init_from={other}"])
    assert "init_from=other-s42-fold2" in capsys.readouterr().out


def test_further_corpora_that_do_not_fit_are_refused_once(tmp_path: Path) -> None:
    write_ecf(tmp_path / "ecf", 1, 3, 5)
    message = refused(tmp_path, "--vary", f"train_with=3class={tmp_path}")
    assert message.startswith("Variant train_with=")
    assert "they cannot be mixed. Use source_binary in its place." in message


def test_a_baseline_that_no_trainer_can_run_is_refused_with_its_reason(tmp_path: Path) -> None:
    write_ecf(tmp_path / "ecf", 1, 3)
    message = refused(tmp_path, "--scorer", "isolated", "--objective", "rpcl")
    assert message.startswith("The baseline cannot be trained: --scorer isolated cannot be trained with --objective")


def test_a_corpus_without_train_names_the_split_that_it_has(tmp_path: Path) -> None:
    (tmp_path / "mecad").mkdir()
    turn = {"turn": 1, "speaker": "A", "utterance": "Rain again.", "emotion": "anger"}
    dialogues = {f"d{n}": [[{**turn, "expanded emotion cause evidence": [1]}]] for n in range(4)}
    (tmp_path / "mecad" / "valid_data_pair.json").write_text(json.dumps(dialogues))
    message = refused(tmp_path, config_name="mecad", data="mecad")
    assert message == "mecad has no train split here to make folds of; it has validation. Give --folds_of validation."
