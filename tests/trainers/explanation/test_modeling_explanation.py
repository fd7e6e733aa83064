"""The model of explanations: what it scores, what it learns, what it stores."""

from __future__ import annotations

import json
import shutil
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch as safetensors
import torch
from tiny_language_model import item, language_model, saved_language_model, vision_tower, word_tokenizer
from torch.optim.swa_utils import AveragedModel
from transformers import AutoConfig, AutoModel

from iemomecp_dataset.errors import MissingDependencyError, MissingModelError, UsageError
from iemomecp_dataset.trainers.explanation.encoding import ExplanationEncoder
from iemomecp_dataset.trainers.explanation.modeling_explanation import ExplanationConfig, ExplanationModel

KINDS = ("llama", "gpt2", "t5", "bart")
RNG = np.random.default_rng(0)
FRAMES = {f"d1_{turn}": RNG.normal(size=(size, 6)) for turn, size in ((1, 3), (3, 5), (4, 1))}
FACES = {f"d1_{turn}": RNG.normal(size=(size, 5)) for turn, size in ((2, 2), (3, 1))}
ITEMS = [item(turn, context=turn % 4, reference="Ann won " * turn + ".") for turn in (1, 2, 3, 4)]


def make(kind: str = "llama", **settings: Any) -> ExplanationModel:
    torch.manual_seed(0)
    return ExplanationModel.from_parts(language_model(kind), **{"tuning": "full", **settings})


def encoder_of(model: ExplanationModel, **settings: Any) -> ExplanationEncoder:
    pair = model.encoder_decoder
    return ExplanationEncoder(
        word_tokenizer(eos=pair),
        encoder_decoder=pair,
        chat_template="plain" if pair else "tokenizer",
        has_video=model.config.has_video,
        patches_per_frame=model.patches_per_frame,
        **settings,
    )


def batch_of(model: ExplanationModel, items: Any = None) -> dict[str, torch.Tensor]:
    encoder = encoder_of(model)
    vectors = (FRAMES.get if model.config.frame_size else None, FACES.get if model.config.face_size else None)
    return encoder.collate([encoder.encode(one) for one in items or ITEMS], *vectors)


@pytest.mark.parametrize("video", [False, True], ids=["text", "video"])
@pytest.mark.parametrize("kind", KINDS)
def test_neither_padding_nor_the_batch_changes_a_loss(kind: str, video: bool) -> None:
    model = make(kind, **({"frame_size": 6, "face_size": 5} if video else {})).double()
    with torch.no_grad():
        together = model(**batch_of(model))
        alone = [model(**batch_of(model, [one])) for one in ITEMS]
    losses = [one.token_losses.item() for one in alone]
    np.testing.assert_allclose(together.token_losses.numpy(), losses, rtol=1e-9)
    assert len(set(np.round(losses, 6))) == len(ITEMS)
    counts = [len(encoder_of(model)._answer_ids(one.reference)) for one in ITEMS]
    assert together.token_counts.tolist() == counts
    assert together.loss.item() == pytest.approx(sum(losses) / sum(counts))


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_the_loss_is_that_of_transformers_on_the_answer(kind: str) -> None:
    model = make(kind)
    batch = batch_of(model, [ITEMS[2]])
    with torch.no_grad():
        ours = model(**batch)
        everything = model(**batch, output_logits=True)
        theirs = model.language_model(input_ids=batch["input_ids"], labels=batch["labels"])
    assert ours.logits is None
    torch.testing.assert_close(ours.loss, theirs.loss)
    torch.testing.assert_close(everything.loss, theirs.loss)
    torch.testing.assert_close(everything.logits, theirs.logits)
    without = model(**{name: tensor for name, tensor in batch.items() if name != "labels"})
    torch.testing.assert_close(without.logits, theirs.logits)


def test_vectors_stand_in_the_place_of_the_video_in_their_order() -> None:
    model = make(frame_size=6, face_size=5)
    batch = batch_of(model, [ITEMS[2]])
    seen = {}
    handle = model.language_model.model.register_forward_pre_hook(
        lambda module, args, kwargs: seen.update(kwargs), with_kwargs=True
    )
    model(**batch)
    handle.remove()
    vectors, ids = seen["inputs_embeds"][0], batch["input_ids"][0]
    projector = model.projector
    frames, faces = (torch.from_numpy(found["d1_3"]).float() for found in (FRAMES, FACES))
    block = [projector.boundaries[:1], projector.frames(frames), projector.faces(faces), projector.boundaries[1:]]
    expected = torch.cat(block)
    first = int((ids < 0).nonzero()[0])
    torch.testing.assert_close(vectors[first : first + len(expected)], expected)
    text = ids >= 0
    torch.testing.assert_close(vectors[text], model.get_input_embeddings()(ids[text]))


def test_pads_of_frames_are_never_read() -> None:
    model = make(frame_size=6, face_size=5)
    batch = batch_of(model)
    before = model(**batch).loss
    batch["frames"][~batch["frame_mask"]] = 1e3
    batch["faces"][~batch["face_mask"]] = 1e3
    assert model(**batch).loss == before
    batch["frames"][0, 0] += 1.0
    assert model(**batch).loss != before


def test_a_vision_tower_gives_the_same_tokens_as_a_store(tmp_path: Path) -> None:
    tower = vision_tower()
    model = make(vision_tower=tower)
    clips = {f"d1_{turn}": RNG.normal(size=(size, 3, 8, 8)).astype(np.float32) for turn, size in ((1, 2), (3, 4))}
    encoder = encoder_of(model)
    encoded = [encoder.encode(one) for one in ITEMS]
    with torch.no_grad():
        watched = model(**encoder.collate(encoded, clips.get))
        # Pooled by hand: the layer before the last, without class token; means over patches, then over frames.
        pooled = {}
        for name, clip in clips.items():
            hidden = tower(torch.from_numpy(clip), output_hidden_states=True).hidden_states[-2][:, 1:].numpy()
            pooled[name] = np.concatenate([hidden.mean(axis=1), hidden.mean(axis=0)])
            assert len(pooled[name]) == len(clip) + 4
        stored = model(**encoder.collate(encoded, pooled.get))
    torch.testing.assert_close(watched.token_losses, stored.token_losses)
    assert not any(parameter.requires_grad for parameter in tower.parameters())
    model.save_pretrained(tmp_path)
    again = ExplanationModel.from_pretrained(tmp_path)
    torch.testing.assert_close(again(**encoder.collate(encoded, clips.get)).loss, watched.loss)


@pytest.mark.parametrize("tuning", ["projector", "lora", "full"])
def test_what_is_tuned_learns_and_nothing_else(tuning: str) -> None:
    model = make(tuning=tuning, frame_size=6, face_size=5, vision_tower=None).train()
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=0.1)
    for _ in range(2):  # the first step of an adapter moves one of its two factors alone
        model(**batch_of(model)).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    moved = {name for name, parameter in model.named_parameters() if not torch.equal(parameter, before[name])}
    projector = {name for name in before if name.startswith("projector.")}
    assert projector == {"projector.boundaries", *(f"projector.{part}.{what}" for part in ("frames", "faces")
                                                   for what in ("weight", "bias"))}  # fmt: skip
    adapters = {name for name in before if "lora_" in name}
    expected = {"projector": projector, "lora": projector | adapters, "full": set(before)}[tuning]
    assert moved == expected
    # What is trained is what a checkpoint holds.
    assert set(model.state_dict()) == expected


def test_checkpoints_hold_what_is_trained_and_copies_share_the_rest() -> None:
    model = make(tuning="lora", frame_size=6)
    averaged = AveragedModel(model, multi_avg_fn=lambda averages, current, count: None)
    copied = averaged.module
    frozen = {name: parameter for name, parameter in model.named_parameters() if not parameter.requires_grad}
    assert frozen
    for name, parameter in copied.named_parameters():
        assert (parameter is frozen.get(name)) == (name in frozen)
    state = {name: tensor.clone() + 1 for name, tensor in averaged.state_dict().items()}
    assert {name for name in state if name != "n_averaged"} == {f"module.{name}" for name in model.state_dict()}
    averaged.load_state_dict(state)
    torch.testing.assert_close(copied.projector.boundaries, model.projector.boundaries + 1)
    state.pop("module.projector.boundaries")
    with pytest.raises(RuntimeError, match="Missing key"):
        averaged.load_state_dict(state)


@pytest.mark.parametrize(
    ("tuning", "kind"),
    [("projector", "llama"), ("lora", "llama"), ("full", "t5"), ("lora", "t5"), ("none", "llama")],
)
def test_what_is_saved_is_the_same_model_again(tuning: str, kind: str, tmp_path: Path) -> None:
    base = saved_language_model(tmp_path / "base", kind)
    model = ExplanationModel.from_parts(str(base), tuning=tuning, frame_size=6, lora_rank=2, projector="mlp")
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter += 0.1 * torch.randn(parameter.shape)
    batch = batch_of(model)
    expected = model(**batch).token_losses
    folder = tmp_path / "model"
    model.save_pretrained(folder)
    stored = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.safetensors"))
    beside = {"projector": [], "lora": ["adapter/adapter_model.safetensors"],
              "full": ["language_model/model.safetensors"], "none": []}  # fmt: skip
    assert stored == [*beside[tuning], "model.safetensors"]
    for again in (ExplanationModel.from_pretrained(folder), AutoModel.from_pretrained(folder)):
        assert type(again) is ExplanationModel
        assert not again.training
        torch.testing.assert_close(again(**batch).token_losses, expected)
    assert AutoConfig.from_pretrained(folder).tuning == tuning
    assert {name for name, p in again.named_parameters() if p.requires_grad} == set(model.state_dict())

    moved = shutil.move(base, tmp_path / "moved")
    if tuning == "full":
        torch.testing.assert_close(ExplanationModel.from_pretrained(folder)(**batch).token_losses, expected)
        return
    with pytest.raises(MissingModelError, match=r"not there \(any more\).*option language_model="):
        ExplanationModel.from_pretrained(folder)
    found = ExplanationModel.from_pretrained(folder, language_model=str(moved))
    torch.testing.assert_close(found(**batch).token_losses, expected)


def test_equal_adapters_make_equal_files_in_every_process(tmp_path: Path) -> None:
    base = saved_language_model(tmp_path / "base")
    model = ExplanationModel.from_parts(str(base), tuning="lora", lora_rank=2)
    for number in (1, 2):
        model.save_pretrained(tmp_path / f"{number}")
        model = ExplanationModel.from_pretrained(tmp_path / f"{number}")
    first, second = ((tmp_path / f"{number}/adapter/adapter_config.json").read_bytes() for number in (1, 2))
    assert first == second
    layers = json.loads(first)["target_modules"]
    assert layers == sorted(layers)
    # What is trained further keeps the layers of its adapters as they were.
    assert model.language_model.peft_config["default"].target_modules == set(layers)


def test_another_language_model_than_that_of_training_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    base = saved_language_model(tmp_path / "base")
    model = ExplanationModel.from_parts(str(base), tuning="lora")
    model.save_pretrained(tmp_path / "model")
    record = json.loads((tmp_path / "model" / "config.json").read_text())
    assert record["language_model_name"] == str(base)
    assert record["language_model_revision"].startswith("folder-")
    saved_language_model(base, num_hidden_layers=1)
    ExplanationModel.from_pretrained(tmp_path / "model")
    assert "scores may differ" in caplog.text
    saved_language_model(base, hidden_size=8)
    with pytest.raises(UsageError, match=r"do not fit the language model .* language_model="):
        ExplanationModel.from_pretrained(tmp_path / "model")


def test_a_checkpoint_of_tied_weights_holds_each_once(tmp_path: Path) -> None:
    model = make("t5")
    batch = batch_of(model)
    expected = model(**batch).loss
    state = model.state_dict()
    assert len({tensor.data_ptr() for tensor in state.values()}) == len(state)
    assert len(state) < len(model.language_model.state_dict())
    safetensors.save_file(state, tmp_path / "state.safetensors")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    # As accelerate loads it.
    safetensors.load_model(model, tmp_path / "state.safetensors")
    assert model(**batch).loss == expected


def test_a_copy_and_its_original_score_alike() -> None:
    model = make("llama", tuning="lora", frame_size=6)
    batch = batch_of(model)
    assert deepcopy(model)(**batch).loss == model(**batch).loss


def test_gradients_with_recomputed_activations_are_the_same() -> None:
    gradients = []
    for recompute in (False, True):
        model = make(tuning="lora", lora_dropout=0.0).train()
        if recompute:
            model.gradient_checkpointing_enable()
        model(**batch_of(model)).loss.backward()
        gradients.append([parameter.grad for parameter in model.parameters() if parameter.requires_grad])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


def test_what_does_not_fit_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"vision tower is 8 wide, but the projector was built for 6\."):
        make(vision_tower=vision_tower(), frame_size=6)
    model = make(frame_size=6)
    batch = batch_of(model)
    with pytest.raises(UsageError, match="frame vectors are 4 wide, but the model was built for 6"):
        model(**{**batch, "frames": batch["frames"][..., :4]})
    with pytest.raises(UsageError, match=r"There are 8 frame vectors for 9 places"):
        model(**{**batch, "frame_mask": batch["frame_mask"] & (torch.arange(5) < 4)})
    with pytest.raises(UsageError, match="places for 9 frame vectors, but frames= is missing"):
        model(**{name: tensor for name, tensor in batch.items() if not name.startswith("frame")})
    with pytest.raises(UsageError, match="no vision tower"):
        model(**batch, pixel_values=torch.zeros(4, 1, 3, 8, 8))
    with pytest.raises(UsageError, match="built without both"):
        make()(**batch)
    short = ExplanationModel.from_parts(language_model("llama", max_position_embeddings=20))
    with pytest.raises(UsageError, match=r"take \d+ tokens, but the language model has positions for 20"):
        short(**batch_of(short))
    with pytest.raises(UsageError, match="trains the layers between frames or faces"):
        ExplanationConfig(tuning="projector")
    with pytest.raises(UsageError, match=r"tuning has no value 'lorra'\. Did you mean 'lora'"):
        ExplanationConfig(tuning="lorra")
    with pytest.raises(UsageError, match="was given as an object"):
        make(tuning="lora").save_pretrained(tmp_path)
    with pytest.raises(UsageError, match="lora_targets 'nowhere' do not fit"):
        make(tuning="lora", lora_targets="nowhere")
    with pytest.raises(MissingModelError, match=r"no config\.json: give the folder that save_pretrained wrote"):
        ExplanationModel.from_pretrained(tmp_path)
    with pytest.raises(MissingModelError, match="no language model that can be loaded"):
        ExplanationModel.from_parts(str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"'peft', which is not installed\. Run: pip install .*explain"):
        make(tuning="lora")
