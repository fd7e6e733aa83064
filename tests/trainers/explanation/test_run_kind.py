"""Runs of explanations: what they write, what they count, and that an ended one continues to the same bits."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from accelerate.state import AcceleratorState
from explained_dialogues import EMOTIONS, explained_dialogues, write_language_model

from iemomecp_dataset.benchmark.runs import explanation_results
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.explanation_table import explanation_table
from iemomecp_dataset.metrics.signature_fields import NO_EPOCH_CHOSEN
from iemomecp_dataset.trainers import train
from iemomecp_dataset.trainers.explanation import writing

OPTIONS: dict[str, Any] = {
    "task": "explanation", "emotion_names": EMOTIONS, "tuning": "full", "epochs": 2, "batch_size": 3,
    "learning_rate": 0.01, "max_new_tokens": 12, "generation_batch_size": 2, "quiet": True, "seed": 3,
}  # fmt: skip


@pytest.fixture(autouse=True)
def quick_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without METEOR, which starts Java for each run."""
    AcceleratorState._reset_state(reset_partial_state=True)
    build = partial(explanation_results.explanation_run_results, meteor=False)
    monkeypatch.setattr(explanation_results, "explanation_run_results", build)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_language_model(tmp_path_factory.mktemp("model"))


def run(folder: Path, model: Path, **options: Any) -> Any:
    AcceleratorState._reset_state(reset_partial_state=True)
    return train(explained_dialogues(), output_dir=folder, **{**OPTIONS, "language_model": str(model), **options})


def texts_of(folder: Path) -> dict[str, list[str]]:
    import pyarrow.parquet as pq

    return {
        split: pq.read_table(folder / f"explanations_{split}.parquet")["prediction"].to_pylist()
        for split in ("validation", "test")
    }


def weights_of(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in sorted((folder / "model").rglob("*.safetensors"))}


def test_a_run_leaves_texts_scores_and_counts(tmp_path: Path, model: Path) -> None:
    results = run(tmp_path / "run", model, causes="gold", context_turns=1, emotion="none")
    assert (results.task, results.scorer, results.modalities) == ("explanation", "explanation", "t")
    assert results.text_encoder == str(model)
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    losses = [event["validation"]["token_loss"] for event in log]
    assert losses[1] < losses[0] < np.log(60)
    assert results.best_epoch == 2
    for split, rows in explained_dialogues().items():
        counts = results.counts[split]
        # Of the marks of each dialogue only that on the fourth turn itself is within one turn of context.
        assert counts["items_without_marked_cause"] == len(explanation_table(rows)) - 1
        assert counts["truncated_turns"] == 0
        assert ("unended_explanations" in counts) == (split != "train")
    found = texts_of(tmp_path / "run")
    for split in found:
        assert len(found[split]) == len(explanation_table(explained_dialogues()[split]))
    assert not (tmp_path / "run" / "checkpoint").exists()
    assert results.extra["token_losses"]["validation"]["token_loss"] == pytest.approx(min(losses))


@pytest.mark.parametrize("moment", ["training", "writing"])
def test_a_run_that_has_ended_in_between_continues_to_the_same_bits(
    moment: str, tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(tmp_path / "whole", model)
    generate: Callable[..., list[str]] = writing.generate_explanations
    calls = []

    def ends(*arguments: Any, **options: Any) -> list[str]:
        calls.append(arguments[2])
        if len(calls) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return generate(*arguments, **options)

    if moment == "writing":
        with monkeypatch.context() as patch:
            patch.setattr(writing, "generate_explanations", ends)
            with pytest.raises(SystemExit):
                run(tmp_path / "run", model)
        assert len(calls) == 2
        # A line that the end has cut off is written anew.
        (file,) = (tmp_path / "run" / "checkpoint").glob("written-validation-*.jsonl")
        kept = file.read_bytes()
        assert kept.count(b"\n") == 2
        file.write_bytes(kept[:-5])
        calls.clear()
        monkeypatch.setattr(writing, "generate_explanations", lambda *a, **o: calls.append(a[2]) or generate(*a, **o))
    else:
        assert run(tmp_path / "run", model, max_hours=1e-9, checkpoint_steps=1) is None
    again = run(tmp_path / "run", model)
    if moment == "writing":
        assert sum(map(len, calls)) == 4 + 5 - 2
    assert again.metrics == whole.metrics
    assert texts_of(tmp_path / "run") == texts_of(tmp_path / "whole")
    assert weights_of(tmp_path / "run") == weights_of(tmp_path / "whole")


def test_without_validation_the_last_epoch_is_kept(tmp_path: Path, model: Path) -> None:
    rows = explained_dialogues()
    rows.pop("validation")
    results = train(rows, output_dir=tmp_path / "run", **{**OPTIONS, "language_model": str(model)})
    assert results is not None
    assert (results.best_epoch, results.epoch_chosen_on) == (2, NO_EPOCH_CHOSEN)


def test_rows_without_explanations_are_refused(tmp_path: Path, model: Path) -> None:
    rows = {split: [{**row, "explanations": []} for row in rows] for split, rows in explained_dialogues().items()}
    with pytest.raises(UsageError, match="has no written explanations"):
        train(rows, output_dir=tmp_path / "run", **{**OPTIONS, "language_model": str(model)})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"language_model": None}, "--language_model is missing"),
        ({"emotion": "predicted"}, "--emotion predicted needs --emotion_from"),
        ({"causes": "predicted"}, "--causes predicted needs --causes_from"),
        ({"causes_from": "run"}, "--causes_from has no effect with --causes none"),
        ({"faces": "label"}, "--faces label needs --faces_table"),
        ({"faces_table": "f.parquet", "faces": "none"}, "--faces_table has no effect with --faces none"),
        ({"tuning": "projector"}, "there are neither"),
        ({"context_turns": -1}, "--context_turns must be at least 0"),
        ({"num_beams": 0}, "--num_beams must be at least 1"),
    ],
)
def test_options_that_cannot_work_are_refused(
    options: dict[str, Any], message: str, tmp_path: Path, model: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        run(tmp_path / "run", model, **options)
