"""Training from Python: rows in memory, and what is refused before anything is trained."""

from __future__ import annotations

from pathlib import Path

import pytest

import iemomecp_dataset
from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UsageError
from iemomecp_dataset.trainers import predict, train


@pytest.mark.slow
def test_plain_rows_leave_the_run_that_their_dataset_leaves(
    small_dir: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    data = iemomecp_dataset.load("3class", data_dir=str(small_dir))
    options = {"text_encoder": str(tiny_encoder), "encoder_mode": "frozen", "epochs": 1, "hidden_size": 16,
               "num_heads": 2, "pair_size": 8, "bilinear_size": 4, "quiet": True}  # fmt: skip
    known = train(data, output_dir=tmp_path / "known", **options)
    names = {"emotion_names": tuple(data["train"].features["utterances"].feature["emotion"].names)}
    plain = train(
        {split: list(rows) for split, rows in data.items()}, output_dir=tmp_path / "plain", **names, **options
    )
    assert known is not None
    assert plain is not None
    assert plain.metrics["test"]["pair_auprc"] == known.metrics["test"]["pair_auprc"]
    assert known.synthetic, "the dataset is marked as synthetic"
    assert "of unstated origin" in plain.data_statement
    assert train(data, output_dir=tmp_path / "known", **options) == known, "a finished run is returned"
    with pytest.raises(UsageError, match="for a single row give"):
        predict(tmp_path / "plain", data["test"][0])


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (None, UsageError, "dialogues by split"),
        ([], UsageError, "dialogues by split"),
        ("path/to/data", UsageError, "dialogues by split"),
        ({"test": []}, MissingDataError, "needs the split 'train'"),
        ({"train": []}, InvalidDataError, "has no dialogues"),
        ({"train": [], "dev": []}, UsageError, "There is no split 'dev'"),
    ],
)
def test_what_is_no_data_is_refused(data: object, error: type[Exception], message: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=message):
        train(data, output_dir=tmp_path / "run")  # type: ignore[arg-type]
    assert not (tmp_path / "run").exists()


def test_an_objective_that_the_scorer_does_not_take_is_refused_before_the_data_is_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--scorer isolated cannot be trained with --objective rpcl"):
        train({"train": iter(())}, scorer="isolated", objective="rpcl", output_dir=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"output_dir": None}, "--output_dir is missing"),
        ({"config_name": "ecf"}, "train takes config_name from the data"),
        ({"candidates": "past"}, "train takes candidates from the data"),
    ],
)
def test_what_the_data_says_and_a_missing_folder_are_refused(
    options: dict[str, object], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=message):
        train({"train": []}, **{"output_dir": tmp_path / "run", **options})
    assert not list(tmp_path.iterdir())


def test_a_launcher_that_asks_for_another_precision_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    with pytest.raises(UsageError, match=r"mixed precision bf16 .* of the run is no"):
        train({"train": []}, output_dir=tmp_path / "run", mixed_precision="no")
    with pytest.raises(InvalidDataError, match="has no dialogues"):  # nothing is wrong with the options
        train({"train": []}, output_dir=tmp_path / "run")
