"""ECERC against a slow NumPy version of its equations, against numbers of the released model, and what it promises."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, get_args

import ecerc_reference
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import AutoModel

from iemomecp_dataset.errors import InvalidDataError, MissingModelError, UsageError
from iemomecp_dataset.trainers.emotions.attention import DialogueBuckets, attend, attend_itself
from iemomecp_dataset.trainers.emotions.hints import attention_hints
from iemomecp_dataset.trainers.emotions.modeling_ecerc import STREAMS, EcercConfig, EcercModel, _released_name
from iemomecp_dataset.trainers.emotions.modeling_transformer import EmotionTransformer, EmotionTransformerConfig
from iemomecp_dataset.trainers.emotions.variants import Ablation
from iemomecp_dataset.trainers.objectives import emotion_loss

CLASSES = ["neutral", "joy", "anger"]
SIZES = {"text": 6, "event": 6, "audio": 5, "video": 3}
MODALITIES = ("t", "a", "v", "ta", "tv", "av", "tav")
VECTORS = os.environ.get("IEMOMECP_ERC_VECTORS")


def small_config(modalities: str = "tav", **options: Any) -> EcercConfig:
    letters = {"text": "t", "event": "t", "audio": "a", "video": "v"}
    sizes = {f"{name}_size": size if letters[name] in modalities else 0 for name, size in SIZES.items()}
    return EcercConfig(**{"class_names": CLASSES, "hidden_size": 4, **sizes, **options})


def random_model(config: EcercConfig, seed: int = 0) -> EcercModel:
    """A model whose biases and norms are random too; float64."""
    generator = torch.Generator().manual_seed(seed)
    model = EcercModel(config).double().eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            scale = 1.0 if parameter.ndim == 1 else 2.0 / parameter.shape[-1] ** 0.5
            noise = scale * (2 * torch.rand(parameter.shape, generator=generator, dtype=torch.float64) - 1)
            parameter.copy_(noise + name.endswith("norm.weight"))
    return model


def random_batch(lengths: list[int], seed: int = 0, width: int = 0) -> dict[str, Tensor]:
    """Dialogues of three speakers; the vectors of padding are zero."""
    rng = np.random.default_rng(seed)
    turns = max([*lengths, width])
    mask = np.arange(turns) < np.array(lengths)[:, None]
    batch = {"mask": torch.from_numpy(mask), "speakers": torch.from_numpy(rng.integers(0, 3, mask.shape))}
    for name, size in SIZES.items():
        batch[name] = torch.from_numpy(rng.normal(size=(*mask.shape, size)) * mask[..., None])
    return batch


def slow_steps(model: EcercModel, batch: dict[str, Tensor]) -> list[dict[str, Any]]:
    weights = {_released_name(name): value.numpy() for name, value in model.state_dict().items()}
    arrays = {name: value.numpy() for name, value in batch.items()}
    width = arrays["mask"].shape[1]
    found = []
    for row, mask in enumerate(arrays["mask"]):
        n = width if model.config.empty_rows == "uniform" else int(mask.sum())
        vectors = {name: arrays[name][row, :n] for name in SIZES}
        speakers = arrays["speakers"][row, :n].tolist()
        found.append(ecerc_reference.dialogue_steps(weights, model.config, vectors, speakers, int(mask.sum())))
    return found


def log_probs(model: EcercModel, batch: dict[str, Tensor]) -> Any:
    """``(utterances, C)``."""
    with torch.inference_mode():
        return model(**batch).logits.log_softmax(dim=-1)[batch["mask"]].numpy()


@pytest.mark.parametrize("empty_rows", ["zero", "uniform"])
@pytest.mark.parametrize(
    ("modalities", "options"),
    [(modalities, {}) for modalities in MODALITIES]
    + [("tav", {"ablation": ablation}) for ablation in get_args(Ablation)]
    + [("tav", {"num_layers": 2}), ("tav", {"query": "context"}), ("tav", {"positions": False})]
    + [("tav", {"meld_slots": "released"}), ("av", {"meld_slots": "released"}), ("t", {"ablation": "no_self_event"})]
    + [("ta", {"event_size": 0}), ("av", {"ablation": "joint_feature_gate"})],
)
def test_equal_to_the_equations_turn_by_turn(modalities: str, options: dict[str, Any], empty_rows: str) -> None:
    model = random_model(small_config(modalities, empty_rows=empty_rows, **options))
    batch = random_batch([4, 1, 6])
    with torch.inference_mode():
        output = model(**batch, output_attentions=True)
    assert len(output.attentions) == len(model.config.streams)
    assert bool(output.logits[~batch["mask"]].any()) is False
    for row, expected in enumerate(slow_steps(model, batch)):
        length = int(batch["mask"][row].sum())
        found = output.logits[row, :length].log_softmax(dim=-1).numpy()
        np.testing.assert_allclose(found, expected["log_probs"][:length], atol=1e-9)
        n = len(expected["log_probs"])
        for place, name in enumerate(model.config.streams):
            attention = output.attentions[place][row].numpy()
            np.testing.assert_allclose(attention[:, :length, :n], expected[f"attention_{name}"][:, :length], atol=1e-9)
            assert not attention[:, length:].any()
            mean_gate = expected[f"gate_{name}"][:length].mean(axis=1)
            np.testing.assert_allclose(output.gates[row, :length, place].numpy(), mean_gate, atol=1e-9)


@pytest.mark.parametrize(
    ("sizes", "parameters"),
    [((2, 1024, 1582, 342, 6), 5_975_310), ((9, 1024, 300, 342, 7), 5_810_187)],
    ids=["iemocap", "meld"],
)
def test_it_has_as_many_parameters_as_the_release(sizes: tuple[int, ...], parameters: int) -> None:
    _, text, audio, video, classes = sizes
    with torch.device("meta"):
        model = EcercModel(
            EcercConfig(class_names=list("abcdefg")[:classes], text_size=text, audio_size=audio, video_size=video)
        )
    assert model.num_parameters() == parameters
    assert model.unused_norm.weight.numel() == text + audio + video


@pytest.mark.parametrize("modalities", MODALITIES)
def test_no_turn_depends_on_a_later_one(modalities: str) -> None:
    model, batch = random_model(small_config(modalities)).float(), random_batch([7])
    batch = {name: value.float() if value.is_floating_point() else value for name, value in batch.items()}
    before = log_probs(model, batch)
    for turn in range(7):
        changed = {name: value.clone() for name, value in batch.items()}
        for name in SIZES:
            changed[name][0, turn] += 3.0
        changed["speakers"][0, turn] += 1
        after = log_probs(model, changed)
        np.testing.assert_allclose(after[:turn], before[:turn], atol=1e-5)
        assert abs(after[turn] - before[turn]).max() > 1e-3


def test_neither_padding_nor_the_batch_changes_a_score() -> None:
    model = random_model(small_config()).float()
    lengths = [3, 20, 1, 9, *range(2, 16), 2]  # two buckets
    wide = random_batch(lengths, width=24)
    wide = {name: value.float() if value.is_floating_point() else value for name, value in wide.items()}
    together = log_probs(model, wide)
    # What padding holds does not matter either.
    for name in SIZES:
        wide[name][~wide["mask"]] = 9.0
    np.testing.assert_allclose(log_probs(model, wide), together, atol=1e-5)
    first = 0
    for row, length in enumerate(lengths):
        alone = log_probs(model, {name: value[row : row + 1, :length] for name, value in wide.items()})
        np.testing.assert_allclose(alone, together[first : first + length], atol=1e-5)
        first += length


@pytest.mark.parametrize("empty_rows", ["zero", "uniform"])
def test_only_whether_speakers_are_the_same_matters(empty_rows: str) -> None:
    model, batch = random_model(small_config(empty_rows=empty_rows)), random_batch([5, 3])
    renamed = {**batch, "speakers": torch.tensor([7, -1, 40])[batch["speakers"]]}
    assert np.array_equal(log_probs(model, renamed), log_probs(model, batch))


def test_uniform_lets_the_future_and_padding_into_turns_without_a_past_and_into_no_other() -> None:
    model, batch = random_model(small_config(empty_rows="uniform")), random_batch([6])
    batch["speakers"] = torch.tensor([[0, 0, 1, 1, 0, 2]])
    # No earlier turn of another speaker: 0, 1. None of the own speaker: 0, 2, 5.
    before = log_probs(model, batch)
    later = {name: value.clone() for name, value in batch.items()}
    later["text"][0, 5] += 1.0
    assert np.flatnonzero((abs(log_probs(model, later) - before) > 1e-9).any(axis=1)).tolist() == [0, 1, 2, 5]
    padded = {name: torch.cat([value, torch.zeros_like(value[:, :2])], dim=1) for name, value in batch.items()}
    assert np.flatnonzero((abs(log_probs(model, padded) - before) > 1e-9).any(axis=1)).tolist() == [0, 1, 2, 5]


def test_a_turn_that_looks_at_itself_alone_needs_no_softmax() -> None:
    batch = random_batch([4, 1, 6])
    buckets = DialogueBuckets.of(batch["mask"], batch["speakers"])
    query, key, value = torch.randn(3, len(buckets.places), 8 * 4, dtype=torch.float64)
    general = attend(query, key, value, buckets, "itself", n_heads=8)
    assert torch.equal(attend_itself(value, n_heads=8), value)
    torch.testing.assert_close(general, value, atol=1e-12, rtol=0)
    # Dropout of the one weight of each head.
    torch.manual_seed(0)
    dropped = attend_itself(value, n_heads=8, dropout=0.5).view(len(value), 8, 4)
    kept = dropped.abs().sum(dim=-1) > 0
    assert 0.2 < kept.float().mean() < 0.8
    torch.testing.assert_close(dropped[kept], 2 * value.view(len(value), 8, 4)[kept])


@pytest.mark.slow
def test_small_dialogues_are_learned_by_heart() -> None:
    torch.manual_seed(0)
    batch = random_batch([5, 3, 8, 1, 6, 4, 7, 2])
    batch = {name: value.float() if value.is_floating_point() else value for name, value in batch.items()}
    labels = torch.randint(0, 3, batch["mask"].shape).masked_fill(~batch["mask"], -100)
    quiet = {"dropout": 0.0, "dropout_evidence": 0.0, "dropout_features": 0.0}
    model = EcercModel(small_config("t", hidden_size=16, **quiet)).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(100):
        optimizer.zero_grad()
        model(**batch, labels=labels).loss.backward()
        optimizer.step()
    predicted = model.eval()(**batch).logits.argmax(dim=-1)
    assert torch.equal(predicted[batch["mask"]], labels[batch["mask"]])


def test_what_was_used_for_inference_can_be_trained() -> None:
    model, batch = random_model(small_config()), random_batch([4])
    log_probs(model, batch)
    model(**batch, labels=torch.zeros(1, 4, dtype=torch.long)).loss.backward()


def test_labels_give_the_loss_of_the_configuration() -> None:
    batch = random_batch([4, 1, 6])
    labels = torch.randint(0, 3, batch["mask"].shape, generator=torch.Generator().manual_seed(0))
    labels[0, 1] = -100
    weights = [0.5, 2.0, 1.5]
    for options in (
        {},
        {"focal_gamma": 2.0},
        {"class_weights": weights},
        {"focal_gamma": 1.0, "class_weights": weights},
    ):
        model = random_model(small_config(**options))
        output = model(**batch, labels=labels)
        known = labels.masked_fill(~batch["mask"], -100)[batch["mask"]].tolist()
        gamma, alpha = options.get("focal_gamma", 0.0), options.get("class_weights")
        assert output.loss.item() == pytest.approx(ecerc_reference.loss(log_probs(model, batch), known, gamma, alpha))
        assert output[0] is output.loss
        assert output[1] is output.logits


@pytest.mark.parametrize("modalities", MODALITIES)
def test_gradient_reaches_every_parameter_that_takes_part(modalities: str) -> None:
    model = EcercModel(small_config(modalities)).train()
    batch = random_batch([9, 1, 12])  # long enough for a turn with several earlier ones of its speaker
    batch = {name: value.float() if value.is_floating_point() else value for name, value in batch.items()}
    torch.manual_seed(0)
    model(**batch, labels=torch.randint(0, 3, batch["mask"].shape)).loss.backward()
    unused = ("unused_norm", "self_event.layers.0.query", "self_event.layers.0.key")
    for name, parameter in model.named_parameters():
        assert (parameter.grad is None) == any(part in name for part in unused), name
        assert parameter.grad is None or (parameter.grad.isfinite().all() and parameter.grad.any()), name


def test_an_absent_vector_is_no_vector_of_zeros() -> None:
    model, batch = random_model(small_config()), random_batch([4])
    present = torch.ones(1, 4, dtype=torch.bool)
    present[0, 3] = False
    found = log_probs(model, {**batch, "audio_present": present})
    np.testing.assert_allclose(found[:3], log_probs(model, batch)[:3], atol=1e-12)
    batch["audio"][0, 3] = 0.0
    assert abs(found[3] - log_probs(model, batch)[3]).max() > 1e-6
    batch["audio"][0, 3] = 5.0
    np.testing.assert_allclose(log_probs(model, {**batch, "audio_present": present}), found, atol=1e-12)


def test_what_is_saved_is_the_same_model_again(tmp_path: Path) -> None:
    batch = random_batch([4, 2])
    batch = {name: value.float() if value.is_floating_point() else value for name, value in batch.items()}
    options = {"empty_rows": "uniform", "meld_slots": "released", "ablation": "own_evidence_gate", "focal_gamma": 1.0}
    model = random_model(small_config(**options)).float()
    model.save_pretrained(tmp_path)
    for again in (EcercModel.from_pretrained(tmp_path), AutoModel.from_pretrained(tmp_path)):
        assert type(again) is EcercModel
        assert {name: getattr(again.config, name) for name in options} == options
        assert again.config.id2label == dict(enumerate(CLASSES))
        assert again.config.label2id == {name: number for number, name in enumerate(CLASSES)}
        assert np.array_equal(log_probs(again, batch), log_probs(model, batch))


def test_the_folder_of_another_model_is_refused(tmp_path: Path) -> None:
    config = EmotionTransformerConfig(class_names=["neutral", "joy"], text_size=4, hidden_size=4, num_heads=1)
    EmotionTransformer(config).save_pretrained(tmp_path)
    with pytest.raises(UsageError, match=r"holds a model of type 'iemomecp_emotion.*', but EcercConfig is that of"):
        EcercModel.from_pretrained(tmp_path)


def test_a_released_state_dict_gives_the_same_scores(tmp_path: Path) -> None:
    model, batch = random_model(small_config(num_layers=2)).float(), random_batch([4, 2])
    batch = {name: value.float() if value.is_floating_point() else value for name, value in batch.items()}
    released = {_released_name(name): value for name, value in model.state_dict().items()}
    assert "self_contagion_attention.layer_stack.1.slf_attn.w_qs.weight" in released
    released["position_enc_evi.pos_table"] = torch.zeros(1, 200, 14)
    torch.save(released, tmp_path / "released.pt")
    torch.save({f"module.{name}": value for name, value in released.items()}, tmp_path / "parallel.pt")
    save_file({name: value.contiguous() for name, value in released.items()}, tmp_path / "released.safetensors")
    arrays = {name: value.numpy() for name, value in released.items()}
    for source in (released, arrays, *(tmp_path / name for name in ("released.pt", "parallel.pt"))):
        assert np.array_equal(log_probs(EcercModel.from_released(source, model.config), batch), log_probs(model, batch))
    again = EcercModel.from_released(str(tmp_path / "released.safetensors"), model.config)
    assert torch.equal(again.unused_norm.weight, model.unused_norm.weight)


class Surprise:
    """Something that a file of tensors alone does not hold."""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda weights: weights.pop("smax_fc.bias"), "it lacks smax_fc.bias. Give"),
        (lambda weights: weights.update(extra=torch.zeros(1)), "it has also extra. Give"),
        (
            lambda weights: weights.update({"smax_fc.bias": torch.zeros(7)}),
            r"smax_fc.bias of shape \(7,\), but .* \(3,\)",
        ),
    ],
)
def test_another_state_dict_is_refused_in_one_sentence(change: Any, message: str, tmp_path: Path) -> None:
    model = EcercModel(small_config())
    released = {_released_name(name): value for name, value in model.state_dict().items()}
    change(released)
    torch.save(released, tmp_path / "released.pt")
    for source in (released, tmp_path / "released.pt"):
        with pytest.raises(InvalidDataError, match=message):
            EcercModel.from_released(source, model.config)


def test_a_file_that_is_no_state_dict_is_refused(tmp_path: Path) -> None:
    config = small_config()
    with pytest.raises(MissingModelError, match=r"absent\.pt: there is no such file"):
        EcercModel.from_released(tmp_path / "absent.pt", config)
    torch.save({"weights": Surprise()}, tmp_path / "objects.pt")
    (tmp_path / "text.safetensors").write_text("no tensors")
    for name in ("objects.pt", "text.safetensors"):
        with pytest.raises(InvalidDataError, match=f"{name}: this file cannot be read as tensors alone"):
            EcercModel.from_released(tmp_path / name, config)
    torch.save([torch.zeros(1)], tmp_path / "list.pt")
    with pytest.raises(InvalidDataError, match=r"list\.pt: expected a state dict"):
        EcercModel.from_released(tmp_path / "list.pt", config)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"empty_rows": "unifrom"}, "empty_rows has no value 'unifrom'. Did you mean 'uniform'"),
        ({"meld_slots": "x"}, "meld_slots has no value 'x'"),
        ({"query": "x"}, "query has no value 'x'"),
        ({"ablation": "no_gate"}, "ablation has no value 'no_gate'"),
        ({"text_size": 0, "audio_size": 0, "video_size": 0}, "Give at least one modality"),
        ({"class_weights": [1.0]}, "1 class weights for 3 classes"),
        ({"hidden_size": 0}, "hidden_size must be at least 1, but is 0"),
        ({"num_layers": 0}, "num_layers must be at least 1, but is 0"),
        ({"audio_size": -1}, "audio_size must be at least 0, but is -1"),
        ({"dropout": 2.0}, "dropout is a probability, but is 2.0"),
    ],
)
def test_a_wrong_configuration_says_so(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        small_config(**options)


def test_a_missing_stream_says_so() -> None:
    model, batch = random_model(small_config()), random_batch([2])
    with pytest.raises(UsageError, match=r"event vectors \(event_size 6\), but event= is not given"):
        model(**{name: value for name, value in batch.items() if name != "event"})
    with pytest.raises(UsageError, match="audio vectors of 5 numbers, but they have 4"):
        model(**{**batch, "audio": batch["audio"][..., :4]})


# Numbers of the released model: set IEMOMECP_ERC_VECTORS to the path of the vectors.


def vector_cases() -> list[Any]:
    if not VECTORS:
        return [pytest.param("", "", marks=pytest.mark.skip(reason="IEMOMECP_ERC_VECTORS names no file of vectors"))]
    with np.load(VECTORS) as vectors:
        configs = {name.removesuffix("/config"): str(vectors[name]) for name in vectors if name.endswith("/config")}
    return [(case, variant["name"]) for case, config in configs.items() for variant in json.loads(config)["variants"]]


class Vectors:
    """One case of the vectors, in one variant."""

    def __init__(self, case: str, variant: str):
        with np.load(str(VECTORS)) as stored:
            prefix = f"{case}/"
            self.arrays = {name.removeprefix(prefix): stored[name] for name in stored if name.startswith(prefix)}
            self.config = json.loads(str(self.arrays["config"]))
            of = f"{self.config.get('weights_of', case)}/w/"
            self.weights = {name.removeprefix(of): stored[name] for name in stored if name.startswith(of)}
        if self.config["weights"] == "recipe":
            self.weights = self.recipe_weights()
        (setting,) = (found for found in self.config["variants"] if found["name"] == variant)
        self.model_config = EcercConfig(
            class_names=[str(number) for number in range(self.config["n_classes"])],
            text_size=self.config["d_t"],
            event_size=self.config["d_t"],
            audio_size=self.config["d_a"],
            video_size=self.config["d_v"],
            hidden_size=self.config["hidden_size"],
            num_layers=self.config["base_layer"],
            positions=self.config["positions"],
            empty_rows=setting["empty_row"],
            meld_slots=setting["slot_order"],
        )
        self.variant = variant
        self.mask = torch.from_numpy(self.arrays["in/umask"]).bool()
        self.labels = torch.from_numpy(self.arrays["in/labels"])

    def recipe_weights(self) -> dict[str, Any]:
        shapes = {
            str(name): tuple(int(size) for size in str(shape).split(","))
            for name, shape in zip(self.arrays["param_names"], self.arrays["param_shapes"], strict=True)
        }
        weights = {}
        for number, name in enumerate(sorted(shapes)):
            shape = shapes[name]
            values = np.random.RandomState(self.config["weights_seed"] * 1000 + number).uniform(-1, 1, shape)
            values = np.round(values * (2 / np.sqrt(shape[-1]) if len(shape) > 1 else 0.1) * 256) / 256
            weights[name] = values + name.endswith("layer_norm.weight")
        total = [sum(np.abs(values).sum() for values in weights.values()), sum(v.sum() for v in weights.values())]
        np.testing.assert_allclose(total, self.arrays["weights_checksum"])
        return weights

    def batch(self, dtype: torch.dtype) -> dict[str, Tensor]:
        names = {"text": "text", "semantic": "event", "audio": "audio", "visual": "video"}
        widths = dict(zip(names, (self.config[key] for key in ("d_t", "d_t", "d_a", "d_v")), strict=True))
        rs = np.random.RandomState(self.config.get("input_seed", 0))
        batch = {"mask": self.mask, "speakers": torch.from_numpy(self.arrays["in/onehot"]).long().argmax(dim=-1)}
        for stored, name in names.items():
            values = self.arrays.get(f"in/{stored}")
            if values is None:
                values = np.round(rs.normal(size=(*self.mask.shape, widths[stored])) * 16) / 16
                values = values * self.arrays["in/umask"][..., None]
            batch[name] = torch.from_numpy(values).to(dtype)
        return batch

    def model(self, dtype: torch.dtype) -> EcercModel:
        return EcercModel.from_released(self.weights, self.model_config).to(dtype)


@pytest.mark.parametrize(("case", "variant"), vector_cases())
def test_equal_to_the_released_model(case: str, variant: str) -> None:
    vectors = Vectors(case, variant)
    expected = vectors.arrays[f"out/{variant}/log_probs"]
    for dtype, tolerance in ((torch.float32, 1e-4), (torch.float64, 1e-9)):
        model, batch = vectors.model(dtype), vectors.batch(dtype)
        np.testing.assert_allclose(log_probs(model, batch), expected, atol=tolerance)
    output = model(**batch, output_attentions=True)
    for name, setting in vectors.config["losses"].items():
        loss = emotion_loss(
            output.logits, vectors.labels, vectors.mask, gamma=setting["gamma"], class_weights=setting["alpha"]
        )
        assert loss.item() == pytest.approx(float(vectors.arrays[f"loss/{variant}/{name}"]), abs=1e-9)
        if name == vectors.config.get("grad_loss"):
            loss.backward(retain_graph=True)
            norms = {
                _released_name(place): 0.0 if parameter.grad is None else parameter.grad.norm().item()
                for place, parameter in model.named_parameters()
            }
            wanted = vectors.arrays[f"grad_l2/{variant}"]
            for parameter_name, norm in zip(vectors.arrays["param_names"], wanted, strict=True):
                # NaN: the released norm takes no part.
                assert norms[str(parameter_name)] == pytest.approx(np.nan_to_num(norm), abs=1e-9), parameter_name
    for place, name in enumerate(STREAMS):
        attention = vectors.arrays.get(f"steps/{variant}/attention_{name}")
        if attention is not None:
            np.testing.assert_allclose(output.attentions[place].numpy(), attention, atol=1e-9)
    gates = vectors.arrays.get(f"hints/{variant}/gates")
    if gates is not None:
        np.testing.assert_allclose(output.gates[vectors.mask].detach().numpy(), gates, atol=1e-9)
        hints = attention_hints(output.gates.detach(), output.attentions)
        np.testing.assert_allclose(hints.numpy(), vectors.arrays[f"hints/{variant}/scores"], atol=1e-9)
    steps = {name.rpartition("/")[2] for name in vectors.arrays if name.startswith(f"steps/{variant}/")}
    if steps:
        for row, found in enumerate(slow_steps(model.double(), batch)):
            at = vectors.arrays["index"][:, 0] == row
            for name in steps - {f"attention_{stream}" for stream in STREAMS}:
                wanted = vectors.arrays[f"steps/{variant}/{name}"][at]
                np.testing.assert_allclose(found[name][: at.sum()], wanted, atol=1e-9, err_msg=name)


@pytest.mark.parametrize(("case", "variant"), vector_cases())
def test_the_released_model_and_ours_change_in_the_same_rows(case: str, variant: str) -> None:
    vectors = Vectors(case, variant)
    model, batch = vectors.model(torch.float64), vectors.batch(torch.float64)
    together, lengths = log_probs(model, batch), vectors.mask.sum(dim=1).tolist()
    alone = vectors.arrays.get(f"alone/{variant}/log_probs")
    if alone is not None:
        parts = [
            log_probs(model, {name: value[row : row + 1, :length] for name, value in batch.items()})
            for row, length in enumerate(lengths)
        ]
        np.testing.assert_allclose(np.concatenate(parts), alone, atol=1e-9)
        moved = (abs(np.concatenate(parts) - together) > 1e-9).any(axis=1)
        assert np.array_equal(moved, vectors.arrays[f"alone/{variant}/changed"])
    changed = vectors.arrays.get(f"changed/{variant}")
    if changed is not None:
        base = Vectors(vectors.config["weights_of"], variant)
        before = log_probs(base.model(torch.float64), base.batch(torch.float64))
        assert np.array_equal((abs(together - before) > 1e-9).any(axis=1), changed)


@pytest.mark.parametrize("name", ["text", "audio", "audio_present", "speakers", "labels"])
def test_inputs_of_other_lengths_than_the_mask_are_refused(name: str) -> None:
    """Rows are looked up by their place in the batch: one turn more would shift every later dialogue."""
    given = {"mask": torch.ones(2, 4, dtype=torch.bool), "speakers": torch.zeros(2, 4, dtype=torch.long),
             "text": torch.ones(2, 4, 5), "event": torch.ones(2, 4, 5), "audio": torch.ones(2, 4, 3),
             "audio_present": torch.ones(2, 4, dtype=torch.bool),
             "labels": torch.zeros(2, 4, dtype=torch.long)}  # fmt: skip
    model = EcercModel(EcercConfig(class_names=["a", "b"], text_size=5, event_size=5, audio_size=3, video_size=0,
                                   hidden_size=4))  # fmt: skip
    model(**given)
    longer = torch.cat([given[name], given[name][:, :1]], dim=1)
    with pytest.raises(UsageError, match=f"{name} has the shape"):
        model(**{**given, name: longer})
