"""What a run takes over from a finished run: options, the split of its epoch, and weights for any tuning."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from explained_dialogues import EMOTIONS, explained_dialogues
from tiny_language_model import item, language_model, saved_language_model, word_tokenizer

from iemomecp_dataset.benchmark.runs import results as results_module
from iemomecp_dataset.corpus import corpus_of
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.trainers.explanation.earlier_run import (
    begun_model,
    earlier_epoch_split,
    earlier_options,
)
from iemomecp_dataset.trainers.explanation.encoding import ExplanationEncoder
from iemomecp_dataset.trainers.explanation.modeling_explanation import ExplanationModel
from iemomecp_dataset.trainers.explanation.options import ExplanationModelOptions

NO_VIDEO = {"frame_size": 0, "face_size": 0}


def saved(folder: Path, tuning: str, **settings: Any) -> ExplanationModel:
    """A run folder with a model whose weights are not those of its language model alone."""
    base = saved_language_model(folder / "base")
    torch.manual_seed(0)
    model = ExplanationModel.from_parts(str(base), tuning=tuning, lora_rank=2, lora_alpha=3.0, **settings)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter += 0.1 * torch.randn(parameter.shape)
    for name, value in {"context_turns": 1, "chat_template": "plain", "emotion": "none", "causes": "last"}.items():
        setattr(model.config, name, value)
    model.save_pretrained(folder / "run" / "model")
    return model


def asked(folder: Path, **given: Any) -> ExplanationModelOptions:
    path = str(folder / "run")
    found = {name: value for name, value in earlier_options(path).items() if name != "seed"}
    return ExplanationModelOptions(**{**found, "init_from": path, **given})


def loss_of(model: ExplanationModel) -> float:
    encoder = ExplanationEncoder(word_tokenizer(), has_video=model.config.has_video)
    with torch.no_grad():
        return float(model.eval()(**encoder.collate([encoder.encode(item())])).loss)


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.safetensors"))


def test_options_are_those_of_the_run(tmp_path: Path) -> None:
    saved(tmp_path, "lora")
    found = earlier_options(tmp_path / "run" / "model")
    assert found == earlier_options(tmp_path / "run")
    assert found == {
        "language_model": str(tmp_path / "base"), "chat_template": "plain", "projector": "linear", "max_length": 512,
        "context_turns": 1, "emotion": "none", "causes": "last", "lora_rank": 2, "lora_alpha": 3.0,
        "lora_dropout": 0.05,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("content", "message"), [(None, "holds no model"), ({"model_type": "roberta"}, "a model of the type 'roberta'")]
)
def test_what_is_no_run_of_explanations_is_refused(content: Any, message: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "config.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(UsageError, match=f"{message}.*Give the folder of a finished run of trainers/explain.py"):
        earlier_options(tmp_path)


@pytest.mark.parametrize(
    ("before", "now", "trained"),
    [
        ("lora", "none", "nothing"),
        ("lora", "lora", "adapters"),
        ("full", "none", "nothing"),
        ("full", "full", "all"),
        ("full", "lora", "adapters"),
        ("none", "lora", "adapters"),
        ("none", "none", "nothing"),
    ],
)
def test_the_model_writes_as_before_and_trains_what_is_asked_for(
    before: str, now: str, trained: str, tmp_path: Path
) -> None:
    expected = loss_of(saved(tmp_path, before))
    model = begun_model(asked(tmp_path, tuning=now, max_length=99), NO_VIDEO, ExplanationModel)
    # Adapters that are new add nothing yet.
    assert loss_of(model) == pytest.approx(expected, rel=1e-5)
    if before != "none":
        assert expected != pytest.approx(loss_of(ExplanationModel.from_parts(str(tmp_path / "base"), tuning="full")))
    assert model.config.max_length == 99
    if now != "none":
        names = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
        assert all("lora_" in name for name in names) == (trained == "adapters")
        assert names
    model.save_pretrained(tmp_path / "again")
    stored = files(tmp_path / "again")
    assert "language_model/model.safetensors" not in stored or now == "full"
    assert ("adapter/adapter_model.safetensors" in stored) == (now == "lora" or before == "lora")
    again = ExplanationModel.from_pretrained(tmp_path / "again")
    assert loss_of(again) == pytest.approx(expected, rel=1e-5)


def test_a_language_model_that_has_moved_is_named(tmp_path: Path) -> None:
    expected = loss_of(saved(tmp_path, "lora"))
    moved = (tmp_path / "base").rename(tmp_path / "moved")
    model = begun_model(asked(tmp_path, tuning="none", language_model=str(moved)), NO_VIDEO, ExplanationModel)
    assert loss_of(model) == pytest.approx(expected, rel=1e-5)
    model.save_pretrained(tmp_path / "again")
    assert loss_of(ExplanationModel.from_pretrained(tmp_path / "again")) == pytest.approx(expected, rel=1e-5)


def test_the_projector_goes_with_the_run(tmp_path: Path) -> None:
    before = saved(tmp_path, "projector", frame_size=6)
    sizes = {**NO_VIDEO, "frame_size": 6}
    for tuning in ("none", "projector", "lora", "full"):
        model = begun_model(asked(tmp_path, tuning=tuning), sizes, ExplanationModel)
        for name, tensor in before.projector.state_dict().items():
            torch.testing.assert_close(model.projector.state_dict()[name], tensor)


@pytest.mark.parametrize(
    ("before", "given", "sizes", "message"),
    [
        ("lora", {"tuning": "full"}, {}, "which --tuning full would not keep"),
        ("lora", {"tuning": "lora", "lora_rank": 8}, {}, "adapters of another shape than --lora_rank 8: 2"),
        ("lora", {"tuning": "none"}, {"frame_size": 6}, "with no frames, but this run has frames of width 6"),
        ("lora", {"tuning": "none"}, {"face_size": 5}, "with no face vectors, but this run has face vectors of width"),
        ("lora", {"tuning": "none", "gguf_file": "a.gguf"}, {}, "Leave --gguf_file out"),
        ("full", {"tuning": "none", "language_model": "other"}, {}, "so --language_model has no effect"),
    ],
)
def test_what_does_not_fit_is_refused(
    before: str, given: dict[str, Any], sizes: dict[str, int], message: str, tmp_path: Path
) -> None:
    saved(tmp_path, before)
    with pytest.raises(UsageError, match=message):
        begun_model(asked(tmp_path, **given), {**NO_VIDEO, **sizes}, ExplanationModel)


@pytest.mark.parametrize(
    ("chosen_on", "same", "expected"),
    [("validation", True, "validation"), ("validation", False, "none"), ("none", True, "none"), (None, True, None)],
)
def test_an_epoch_that_was_chosen_on_the_split_that_is_scored_is_told(
    chosen_on: str | None, same: bool, expected: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = corpus_of(explained_dialogues(), config_name="ecem", candidates=None, emotion_names=EMOTIONS)
    prints = {**corpus.text_fingerprints, **({} if same else {"validation": "other"})}
    record = SimpleNamespace(epoch_chosen_on=chosen_on, text_fingerprint=prints)
    monkeypatch.setattr(results_module, "read_results", lambda folder: record)
    assert earlier_epoch_split(tmp_path, corpus) is None, "without a record"
    (tmp_path / "results.json").write_text("{}", encoding="utf-8")
    (tmp_path / "model").mkdir()
    for path in (tmp_path, tmp_path / "model"):
        assert earlier_epoch_split(path, replace(corpus, fingerprints={})) == expected


def test_the_saved_model_needs_no_name_where_it_holds_the_language_model(tmp_path: Path) -> None:
    model = ExplanationModel.from_parts(language_model(), tuning="full")
    model.save_pretrained(tmp_path / "model")
    assert earlier_options(tmp_path)["language_model"] == str(tmp_path / "model" / "language_model")
