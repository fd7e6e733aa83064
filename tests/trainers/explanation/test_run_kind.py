"""Runs of explanations: what they write, what they count, and that an ended one continues to the same bits."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from accelerate.state import AcceleratorState
from explained_dialogues import EMOTIONS, explained_dialogues, write_language_model

from iemomecp_dataset.benchmark.explanation_board import cause_ablations, explanation_boards
from iemomecp_dataset.benchmark.runs import explanation_results
from iemomecp_dataset.corpus import corpus_of
from iemomecp_dataset.errors import MissingDataError, UsageError
from iemomecp_dataset.explanation_table import explanation_table
from iemomecp_dataset.metrics.signature_fields import NO_EPOCH_CHOSEN
from iemomecp_dataset.trainers import run as run_module
from iemomecp_dataset.trainers import train
from iemomecp_dataset.trainers.explanation import run_kind, writing
from iemomecp_dataset.trainers.explanation.encoding import ExplanationEncoder
from iemomecp_dataset.trainers.explanation.generation import generate_explanations
from iemomecp_dataset.trainers.explanation.items import explanation_items
from iemomecp_dataset.trainers.explanation.language_model import load_language_tokenizer
from iemomecp_dataset.trainers.explanation.modeling_explanation import ExplanationModel
from iemomecp_dataset.trainers.explanation.options import ExplanationTrainingOptions
from iemomecp_dataset.trainers.explanation.run_kind import ExplanationRun
from iemomecp_dataset.trainers.run_inputs import run_settings
from iemomecp_dataset.trainers.training import loop

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


def test_a_run_leaves_texts_scores_and_counts(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = run_kind.written_explanations

    def slowly(*arguments: Any) -> Any:
        return {split: replace(texts, seconds=500.0) for split, texts in (write(*arguments) or {}).items()}

    monkeypatch.setattr(run_kind, "written_explanations", slowly)
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
    assert results.extra["remarks"] == [
        "Gold causes are marked in 1 of 4 items of validation; the others have no mark.",
        "Gold causes are marked in 1 of 5 items of test; the others have no mark.",
    ]
    found = texts_of(tmp_path / "run")
    for split in found:
        assert len(found[split]) == len(explanation_table(explained_dialogues()[split]))
    assert not (tmp_path / "run" / "checkpoint").exists()
    assert results.extra["token_losses"]["validation"]["token_loss"] == pytest.approx(min(losses))
    assert 1000 < results.wall_seconds < 1500, "training, and writing both splits"


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


def test_gold_causes_that_no_item_has_are_refused_before_anything_is_trained(tmp_path: Path, model: Path) -> None:
    rows = explained_dialogues()
    for row in rows["train"]:
        for explanation in row["explanations"]:
            explanation["cause_turns"] = []
    with pytest.raises(MissingDataError, match=r"--causes gold needs gold causes, and of the 7 explanations of train"):
        train(rows, output_dir=tmp_path / "run", **{**OPTIONS, "language_model": str(model), "causes": "gold"})
    assert not (tmp_path / "run").exists()
    # A run that begins with another takes its marks over.
    begun = ExplanationModel.from_parts(str(model), tuning="none")
    begun.config.causes = "shuffled"
    begun.save_pretrained(tmp_path / "first" / "model")
    asked = {"init_from": str(tmp_path / "first")}
    with pytest.raises(MissingDataError, match=r"--causes shuffled needs gold causes.* explanations of train"):
        write(tmp_path / "run", rows, **asked, shots=1)
    corpus = corpus_of(rows, config_name="ecem", candidates=None, emotion_names=EMOTIONS)
    options = ExplanationTrainingOptions.from_flat({"tuning": "none", "causes": "gold"})
    assert ExplanationRun().corpus(options, corpus) is corpus, "train is not read"
    for split in ("validation", "test"):
        rows[split] = [{**row, "explanations": [{**e, "cause_turns": []} for e in row["explanations"]]}
                       for row in rows[split]]  # fmt: skip
    with pytest.raises(MissingDataError, match=r"explanations of validation none has one"):
        write(tmp_path / "run", rows, **asked)
    assert not (tmp_path / "run").exists()


def test_options_that_nothing_reads_are_no_settings() -> None:
    def settings(**flat: Any) -> set[str]:
        return {*run_settings(ExplanationTrainingOptions.from_flat(flat), 1, "no")}

    adapters = {"lora_rank", "lora_alpha", "lora_dropout"}
    every = settings(tuning="lora", frames="f")
    assert every >= adapters | {"projector", "learning_rate"}
    assert settings(tuning="lora") == every - {"projector"}
    assert settings(tuning="full", frames="f") == every - adapters
    assert settings(tuning="projector", face_features="f") == every - adapters - {"projector"}
    assert settings(tuning="none") < every - adapters - {"projector", "learning_rate"}


def test_adapters_and_projector_of_the_run_that_a_run_begins_with_are_not_given(tmp_path: Path, model: Path) -> None:
    begun = ExplanationModel.from_parts(str(model), tuning="lora", lora_rank=3, projector="mlp")
    begun.save_pretrained(tmp_path / "model")
    flat = {"tuning": "none", "data_dir": "x", "output_dir": "y", "init_from": str(tmp_path)}
    flat |= ExplanationTrainingOptions.defaults_for(flat)
    assert (flat["lora_rank"], flat["projector"]) == (3, "mlp")
    ExplanationTrainingOptions.from_flat(flat).check()
    with pytest.raises(UsageError, match="--tuning none trains nothing, so --lora_rank 16 has no effect"):
        ExplanationTrainingOptions.from_flat({**flat, "lora_rank": 16}).check()


UNTRAINED: dict[str, Any] = {
    name: value for name, value in OPTIONS.items() if name not in ("epochs", "batch_size", "learning_rate")
} | {"tuning": "none"}


def write(folder: Path, rows: dict[str, Any] | None = None, **options: Any) -> Any:
    """A run that trains nothing."""
    AcceleratorState._reset_state(reset_partial_state=True)
    return train(rows or explained_dialogues(), output_dir=folder, **{**UNTRAINED, **options})


def test_without_training_the_model_writes_as_it_is(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_train_epoch", "_begin"):
        monkeypatch.setattr(loop, name, lambda *_: pytest.fail("something is trained"))
    results = write(tmp_path / "run", language_model=str(model))
    assert (results.objective, results.encoder_mode) == ("zero-shot", "frozen")
    assert (results.epochs, results.epoch_chosen_on, results.effective_batch_size) == (0, NO_EPOCH_CHOSEN, 0)
    assert "learning_rate" not in results.settings
    assert "epoch:none|" in results.extra["signatures"]["test"]
    assert results.structural_baselines["medoid"]["splits"]["test"]
    # What the bare language model gives.
    encoder = ExplanationEncoder(load_language_tokenizer(str(model)))
    bare = ExplanationModel.from_parts(str(model), tuning="none")
    for split, texts in texts_of(tmp_path / "run").items():
        items = explanation_items(explained_dialogues()[split], EMOTIONS)
        assert texts == generate_explanations(bare, encoder, items, max_new_tokens=12, batch_size=2, progress=False)
        found = [bare(**encoder.collate([encoder.encode(item)])) for item in items]
        loss = sum(float(one.token_losses) for one in found) / sum(int(one.token_counts) for one in found)
        assert results.extra["token_losses"][split]["token_loss"] == pytest.approx(loss, rel=1e-4)
    assert [*weights_of(tmp_path / "run")] == ["model/model.safetensors"], "and it is empty, without a projector"
    again = ExplanationModel.from_pretrained(tmp_path / "run" / "model")
    assert again.config.tuning == "none"
    assert "has trained nothing (zero-shot)" in (tmp_path / "run" / "model" / "README.md").read_text(encoding="utf-8")
    # Its own train split is not read, so what that shares with test is no leak.
    assert not any("train" in leak for leak in results.extra["leaks"])
    # Starting it again changes nothing.
    assert write(tmp_path / "run", language_model=str(model)) == results


def test_a_run_without_training_is_continued_within_the_texts(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"language_model": str(model), "shots": 2}
    write(tmp_path / "whole", **options)
    generate: Callable[..., list[str]] = writing.generate_explanations
    calls: list[Any] = []
    monkeypatch.setattr(writing, "generate_explanations", lambda *a, **o: calls.extend(a[2]) or generate(*a, **o))
    assert write(tmp_path / "run", max_hours=1e-9, **options) is None
    assert len(calls) == 2, "a session ends after a batch"
    write(tmp_path / "run", **options)
    assert len(calls) == 4 + 5
    assert texts_of(tmp_path / "run") == texts_of(tmp_path / "whole")


def test_examples_are_counted_and_what_is_missing_is_said(
    tmp_path: Path, model: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "marked_on_own_training", lambda *_: ["Marks on train are better."])
    results = write(tmp_path / "cut", language_model=str(model), shots=4, max_length=150)
    assert results.objective == "4-shot"
    assert any("rows/test hold text of rows/train" in leak for leak in results.extra["leaks"])
    # Of the seven items of train four are of joy, three of anger; of the five of test two are of anger.
    counts = results.counts["test"]
    assert (counts["examples"], counts["missing_examples"]) == (18, 2)
    assert 0 < counts["truncated_examples"] < 18
    assert "examples" not in results.counts["train"]
    assert results.extra["remarks"][0] == "Marks on train are better."
    remarks = " ".join(results.extra["remarks"])
    assert f"Of 18 examples in the prompts of test {counts['truncated_examples']} do not fit into --max_len" in remarks
    assert "Prompts of test have 18 examples, 2 fewer than --shots 4 asks for" in remarks
    assert all(remark in caplog.text for remark in results.extra["remarks"])
    (board,) = explanation_boards([results])
    assert f"cut: {results.extra['remarks'][0]}" in board.notes


def test_a_trained_model_writes_under_other_marks(tmp_path: Path, model: Path) -> None:
    first = run(tmp_path / "first", model, causes="gold", context_turns=2, tuning="lora", lora_rank=2)
    options = {name: value for name, value in UNTRAINED.items() if name != "seed"}

    def again(name: str, **more: Any) -> Any:
        AcceleratorState._reset_state(reset_partial_state=True)
        asked = {**options, "init_from": str(tmp_path / "first"), **more}
        return train(explained_dialogues(), output_dir=tmp_path / name, **asked)

    same = again("same")
    assert texts_of(tmp_path / "same") == texts_of(tmp_path / "first")
    assert (same.objective, same.seed, same.text_encoder) == ("lora as trained before", 3, str(model))
    assert same.epoch_chosen_on == "validation", "as its weights were chosen there"
    assert (same.settings["causes"], same.settings["context_turns"]) == ("gold", 2)
    assert same.initialized_from["objective"] == "lora"
    assert "lora_rank" not in same.settings
    assert "model/adapter/adapter_model.safetensors" in weights_of(tmp_path / "same")
    marked = again("shuffled", causes="shuffled", init_from=str(tmp_path / "first" / "model"))
    assert marked.initialized_from == same.initialized_from
    other = replace(same, run_name="other", initialized_from={**same.initialized_from, "system": "another"})
    (board,) = explanation_boards([first, same, marked, other])
    assert len(board.trained) == 4, "runs that begin with different ones are averaged"
    (ablation,) = cause_ablations(explanation_boards([first, same, marked])[0])
    assert [causes for causes, _ in ablation.rows] == ["gold", "shuffled"]


def test_another_corpus_needs_no_train_split_where_nothing_is_read_of_it(tmp_path: Path, model: Path) -> None:
    rows = {"test": explained_dialogues()["test"]}
    assert write(tmp_path / "run", rows, language_model=str(model)).metrics["test"]["n_items"] == 5
    with pytest.raises(MissingDataError, match="needs the split 'train'"):
        write(tmp_path / "few", rows, language_model=str(model), shots=1)
    unexplained = {
        **explained_dialogues(),
        "train": [{**row, "explanations": []} for row in explained_dialogues()["train"]],
    }
    assert write(tmp_path / "other", unexplained, language_model=str(model)).metrics["test"]["n_items"] == 5
    with pytest.raises(
        UsageError, match=r"train split of .* has no complete explanation.*--shots 1 takes its examples"
    ):
        write(tmp_path / "few", unexplained, language_model=str(model), shots=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tuning": "none", "batch_size": 8}, "nothing, so --epochs 2, --learning_rate 0.01 has no effect"),
        ({"tuning": "none", "epochs": 1, "batch_size": 8, "learning_rate": 2e-4, "lora_rank": 3}, "--lora_rank 3 has"),
        ({"shots": 2}, "--shots 2 puts examples before questions that a model is not trained on"),
        ({"shots": -1}, "--shots must be at least 0"),
        ({"init_from": "nowhere"}, "--init_from nowhere holds no model"),
        ({"tuning": "none", "epochs": 1, "batch_size": 8, "learning_rate": 2e-4, "frames": "f"}, "Give --init_from"),
        ({"language_model": None}, "--language_model is missing"),
        ({"emotion": "predicted"}, "--emotion predicted needs --emotion_from"),
        ({"causes": "predicted"}, "--causes predicted needs --causes_from"),
        ({"causes_from": "run"}, "--causes_from has no effect with --causes none"),
        ({"faces": "label"}, "--faces label needs --faces_table"),
        ({"faces_table": "f.parquet", "faces": "none"}, "--faces_table has no effect with --faces none"),
        ({"tuning": "projector"}, "there are neither"),
        ({"projector": "mlp"}, "Without --frames there are no frames to project, so --projector mlp has no effect"),
        (
            {"projector": "mlp", "tuning": "projector", "face_features": "faces.parquet"},
            "so --projector mlp has no effect. Leave it out",
        ),
        (
            {"tuning": "none", "epochs": 1, "batch_size": 8, "learning_rate": 2e-4, "projector": "mlp"},
            "so --projector mlp has no effect",
        ),
        ({"lora_rank": 3, "lora_dropout": 0.1}, "full has no adapters, so --lora_rank 3, --lora_dropout 0.1 has no"),
        (
            {"tuning": "projector", "frames": "f", "lora_alpha": 3.0},
            "--tuning projector has no adapters, so --lora_alpha 3.0 has no effect",
        ),
        ({"max_missing_features": 0.5}, "neither --frames nor faces, so --max_missing_features 0.5 has no effect"),
        ({"causes": "last", "context_turns": 0}, "--causes last marks the turn before the target, .*has no effect"),
        ({"context_turns": -1}, "--context_turns must be at least 0"),
        ({"num_beams": 0}, "--num_beams must be at least 1"),
    ],
)
def test_options_that_cannot_work_are_refused(
    options: dict[str, Any], message: str, tmp_path: Path, model: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        run(tmp_path / "run", model, **options)
