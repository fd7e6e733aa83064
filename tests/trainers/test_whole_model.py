"""Models of which something is missing or damaged are refused, by whatever loads them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_pair_models import conversation, save_dialogue_model, save_emotion_model, save_isolated_model
from transformers import AutoModel, AutoTokenizer, PreTrainedConfig, PreTrainedModel

import iemomecp_dataset  # noqa: F401 - registers the models
from iemomecp_dataset.errors import InvalidDataError, UsageError
from iemomecp_dataset.trainers import EmotionCausePipeline, Scorer, load_scorer, predict, register_scorer, scorers
from iemomecp_dataset.trainers.whole_model import (
    MODEL_DIGESTS,
    check_model_digests,
    check_weight_files,
    model_digests,
)

KINDS = {"dialogue": save_dialogue_model, "isolated": save_isolated_model, "emotions": save_emotion_model}


def change_weights(folder: Path, start: str, change) -> list[str]:
    """Changes the weights whose name starts so; those for which there is nothing left are dropped."""
    path = folder / "model.safetensors"
    weights = load_file(path)
    names = sorted(name for name in weights if name.startswith(start))
    assert names
    changed = {name: change(weights.pop(name)) for name in names}
    save_file({**weights, **{name: one for name, one in changed.items() if one is not None}}, path,
              metadata={"format": "pt"})  # fmt: skip
    return names


def with_a(number: float):
    def change(tensor: torch.Tensor) -> torch.Tensor:
        tensor = tensor.clone()
        tensor.view(-1)[-1] = number
        return tensor

    return change


def change_config(folder: Path, **fields: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}), encoding="utf-8")


@pytest.mark.parametrize(
    ("kind", "start"), [("dialogue", "emotion_head."), ("isolated", "output."), ("emotions", "norm.")]
)
def test_missing_weights_are_named(kind, start, tiny_encoder, tmp_path):
    folder = KINDS[kind](tmp_path / "x" / "model", tiny_encoder)
    load_scorer(folder)
    names = change_weights(folder, start, lambda tensor: None)
    with pytest.raises(InvalidDataError, match=f"lack {names[0]}") as caught:
        load_scorer(folder.parent)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
@pytest.mark.parametrize("kind", KINDS)
def test_weights_that_are_no_numbers_are_named(kind, number, tiny_encoder, tmp_path):
    folder = KINDS[kind](tmp_path / "model", tiny_encoder)
    (name, *_) = change_weights(folder, "", with_a(number))
    with pytest.raises(InvalidDataError, match=f"NaN or infinite numbers, in {name}"):
        load_scorer(folder)


@pytest.mark.parametrize(
    ("start", "change", "message"),
    [("cause_head.", lambda tensor: None, "lack cause_head.0.bias"), ("norm.", with_a(float("nan")), "in norm.bias")],
)
def test_every_way_of_loading_refuses_them(start, change, message, tiny_encoder, tmp_path, capsys):
    folder = save_dialogue_model(tmp_path / "model", tiny_encoder)
    change_weights(folder, start, change)
    for load in (AutoModel.from_pretrained, EmotionCausePipeline):
        with pytest.raises(InvalidDataError, match=message):
            load(folder)
    assert "LOAD REPORT" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"hidden_size": 8}, "see hidden_size"),
        ({"class_names": ["a", "b", "c"]}, "see class_names"),
        ({"text_size": 10}, r"see text_size\): projections.text.project.0.bias is 32 in the weights, and 10 by config"),
    ],
)
def test_a_configuration_of_other_sizes_is_refused_by_its_field(fields, message, tiny_encoder, tmp_path):
    folder = save_dialogue_model(tmp_path / "model", tiny_encoder)
    change_config(folder, **fields)
    with pytest.raises(InvalidDataError, match=message) as caught:
        load_scorer(folder)
    assert f"{folder}: config.json does not fit" in str(caught.value)


def test_what_transformers_reports_is_given_where_it_is_asked_for(tiny_encoder, tmp_path):
    folder = save_dialogue_model(tmp_path / "model", tiny_encoder)
    model, report = AutoModel.from_pretrained(folder, output_loading_info=True)
    assert model.config.num_labels == 2
    assert not report["missing_keys"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"hidden_size": 7}, "hidden_size must be divisible by num_heads (2), but is 7"),
        ({"num_layers": "2"}, "num_layers must be a whole number of at least 0, but is '2'"),
        ({"text_encoder": "/nowhere"}, "text_encoder must be the configuration of a text encoder"),
        ({"text_encoder": {"model_type": "nope"}}, "text_encoder must be the configuration of a text encoder"),
        ({"text_encoder": {"model_type": "roberta", "hidden_size": "x"}}, "describes no DialogueScorer"),
        ({"text_layers": "x"}, "text_layers must be a list"),
        ({"threshold": "x"}, "threshold must be a number from 0 to 1 or null, but is 'x'"),
        ({"threshold": 2.0}, "threshold must be"),
        ({"threshold": True}, "threshold must be"),
        ({"decision": "threshold", "threshold": None}, "threshold must be a number from 0 to 1, but is None"),
        ({"decision": "vote"}, "decision must be 'threshold' or 'argmax'"),
        ({"candidates": "foo"}, "candidates must be 'all' or 'past' or null, but is 'foo'"),
        ({"longest_dialogue": -5}, "longest_dialogue must be a whole number of at least 1 or null, but is -5"),
        ({"class_names": ["a", "a"]}, "class_names must be a list of different names"),
        ({"pair_scorer": "x"}, "pair_scorer must be 'mlp' or 'biaffine'"),
        ({"dropout": float("nan")}, "dropout must be"),
    ],
)
def test_a_field_that_cannot_be_is_named_with_its_file(fields, message, tiny_encoder, tmp_path):
    folder = save_dialogue_model(tmp_path / "model", tiny_encoder)
    change_config(folder, **fields)
    with pytest.raises(InvalidDataError) as caught:
        load_scorer(folder)
    assert str(caught.value).startswith(str(folder / "config.json"))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_fields_of_an_isolated_scorer_are_checked_as_well(tiny_encoder, tmp_path):
    folder = save_isolated_model(tmp_path / "model", tiny_encoder)
    change_config(folder, segment_pooling="x")
    with pytest.raises(InvalidDataError, match=r"config\.json: segment_pooling must be 'pooler'"):
        load_scorer(folder)


def test_layers_that_its_encoder_does_not_have_are_refused(tiny_encoder, tmp_path):
    folder = save_dialogue_model(tmp_path / "model", tiny_encoder)
    change_config(folder, text_layers=[1, 9])
    with pytest.raises(InvalidDataError, match=r"text_layers in config\.json is \[1, 9\]"):
        EmotionCausePipeline(folder)


@pytest.mark.parametrize("save", [save_dialogue_model, save_isolated_model])
def test_the_tokenizer_of_another_model_is_refused(save, tiny_encoder, tmp_path):
    folder = save(tmp_path / "model", tiny_encoder)
    tokenizer = AutoTokenizer.from_pretrained(tiny_encoder)
    tokenizer.add_tokens([f"word{number}" for number in range(50)])
    tokenizer.save_pretrained(folder)
    message = r"its tokenizer has .* the tokenizer of another model"
    for use in (EmotionCausePipeline, lambda folder: predict(folder, [conversation(3).to_row()])):
        with pytest.raises(InvalidDataError, match=message) as caught:
            use(folder)
        assert str(folder) in str(caught.value)
    with pytest.raises(InvalidDataError, match=message):
        EmotionCausePipeline(folder, tokenizer=tokenizer)


@pytest.mark.parametrize("name", ["", " "])
def test_an_empty_name_is_said_to_be_empty(name):
    for load in (load_scorer, EmotionCausePipeline):
        with pytest.raises(UsageError, match="The name of the model is empty"):
            load(name)


class Config(PreTrainedConfig):
    model_type = "own_of_whole_models"


class Model(PreTrainedModel):
    config_class = Config

    def __init__(self, config):
        super().__init__(config)
        self.first, self.second = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
        self.post_init()


def test_a_scorer_of_ones_own_is_checked_as_well(tmp_path):
    register_scorer(Scorer("own_of_whole_models", "for a test", Model))
    try:
        Model(Config()).save_pretrained(tmp_path)
        change_weights(tmp_path, "second.", lambda tensor: None)
        with pytest.raises(InvalidDataError, match=r"lack second\.bias, second\.weight"):
            load_scorer(tmp_path)
    finally:
        scorers._registered.pop("own_of_whole_models")


def test_files_are_checked_without_their_model(tmp_path):
    (tmp_path / "adapter").mkdir()
    path = tmp_path / "adapter" / "adapter_model.safetensors"
    save_file({"a": torch.ones(2), "b": torch.arange(3)}, path)
    check_weight_files(tmp_path)
    save_file({"a": torch.tensor([1.0, float("nan")]), "b": torch.arange(3)}, path)
    with pytest.raises(InvalidDataError, match="NaN or infinite numbers, in a"):
        check_weight_files(tmp_path)
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(InvalidDataError, match="damaged"):
        check_weight_files(tmp_path)


def test_files_of_a_model_that_the_run_has_not_written_are_refused(tmp_path: Path) -> None:
    model = tmp_path / "run" / "model"
    (model / "adapter").mkdir(parents=True)
    for name in ("model.safetensors", "adapter/adapter_model.safetensors"):
        save_file({"weight": torch.ones(8)}, model / name)
    for name in ("tokenizer.json", "README.md"):
        (model / name).write_text('{"the": 1, "a": 2}')
    check_model_digests(model)  # no record
    record = model.parent / "results.json"
    for content in ("{", "[]", "{}", '{"weight_digests": 3}'):
        record.write_text(content)
        check_model_digests(model)
    record.write_text(json.dumps({MODEL_DIGESTS: model_digests(model)}))
    check_model_digests(model)
    (model / "README.md").write_text("A remark of its owner's.")
    check_model_digests(model)
    (model / "tokenizer.json").write_text('{"the": 1, "a": 3}')
    with pytest.raises(InvalidDataError, match=r"tokenizer\.json is not what the run has written"):
        check_model_digests(model)
    recorded = {name: digest for name, digest in model_digests(model).items() if name.endswith(".safetensors")}
    record.write_text(json.dumps({MODEL_DIGESTS: recorded}))  # as earlier versions did
    check_model_digests(model)
    whole = (model / "adapter" / "adapter_model.safetensors").read_bytes()
    (model / "adapter" / "adapter_model.safetensors").write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(InvalidDataError, match=r"adapter_model\.safetensors is not what the run has written"):
        check_model_digests(model)
    (model / "adapter" / "adapter_model.safetensors").unlink()
    with pytest.raises(InvalidDataError, match="is not what the run has written"):
        check_model_digests(model)
    copied = shutil.copytree(model, tmp_path / "alone")
    check_model_digests(copied)
