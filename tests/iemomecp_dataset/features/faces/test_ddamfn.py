"""DDAMFN: number of parameters, shapes, and checkpoints that are read as tensors alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UnsafeFileError, UsageError
from iemomecp_dataset.features.faces.ddamfn import Ddamfn, MixedLayout, classify_crops, load_ddamfn

ORDER = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "angry")
SMALL = MixedLayout(widths=(8, 8, 8, 8), blocks=(1, 1, 1), features=16)


def test_number_of_parameters_and_shapes() -> None:
    model = Ddamfn(7).eval()
    assert sum(parameter.numel() for parameter in model.parameters()) == 4_187_421
    with torch.inference_mode():
        pixels = torch.zeros(1, 3, 112, 112)
        states = model.backbone(pixels)
        assert states.shape == (1, 512, 7, 7)
        attention = model.heads[0](states)
        assert attention.shape == states.shape
        assert 0 <= attention.min() <= attention.max() <= 1
        assert model.features(pixels).shape == (1, 512)
        assert model(pixels).shape == (1, 7)


def test_attention_is_the_maximum_over_heads() -> None:
    model = Ddamfn(7, SMALL).eval()
    pixels = torch.randn(2, 3, 112, 112, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        states = model.backbone(pixels)
        maximum = torch.maximum(model.heads[0](states), model.heads[1](states))
        expected = model.pool(states * maximum).flatten(1)
        assert torch.allclose(model.features(pixels), expected)


@pytest.mark.parametrize("wrap", ["", "model_state_dict", "module."])
def test_a_checkpoint_gives_its_network_back(wrap: str, tmp_path: Path) -> None:
    model = Ddamfn(7, SMALL).eval()
    state = {(wrap if wrap == "module." else "") + name: tensor for name, tensor in model.state_dict().items()}
    torch.save({wrap: state} if wrap == "model_state_dict" else state, tmp_path / "model.pth")
    found = load_ddamfn(tmp_path / "model.pth", ORDER, layout=SMALL)
    crops = np.random.default_rng(0).integers(0, 255, size=(3, 112, 112, 3), dtype=np.uint8)
    probabilities = classify_crops(found, batch_size=2)(crops)
    assert np.allclose(probabilities.sum(1), 1)
    assert np.allclose(probabilities, classify_crops(model)(crops), atol=1e-6)
    assert classify_crops(found, vectors=True)(crops).shape == (3, 16)


def test_names_of_others_through_a_mapping(tmp_path: Path) -> None:
    state = Ddamfn(7, SMALL).state_dict()
    renamed = {name.replace("classifier", "fc"): tensor for name, tensor in state.items()}
    torch.save(renamed, tmp_path / "model.pth")
    with pytest.raises(InvalidDataError, match=r"2 of \d+ tensors differ and 2 are only .*: classifier\.weight"):
        load_ddamfn(tmp_path / "model.pth", ORDER, layout=SMALL)
    mapping = {"classifier.weight": "fc.weight", "classifier.bias": "fc.bias"}
    (tmp_path / "names.json").write_text(json.dumps(mapping))
    found = load_ddamfn(tmp_path / "model.pth", ORDER, mapping=tmp_path / "names.json", layout=SMALL)
    assert torch.equal(found.classifier.weight, state["classifier.weight"])
    (tmp_path / "names.json").write_text(json.dumps({"head": "fc"}))
    with pytest.raises(InvalidDataError, match="the network has no tensor 'head'"):
        load_ddamfn(tmp_path / "model.pth", ORDER, mapping=tmp_path / "names.json", layout=SMALL)


def test_what_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.pth"
    with pytest.raises(MissingDataError, match="is not there"):
        load_ddamfn(path, ORDER)
    torch.save(Ddamfn(7, SMALL).state_dict(), path)
    with pytest.raises(UsageError, match="has 7 classes, but class_order= names 6"):
        load_ddamfn(path, ORDER[:6], layout=SMALL)
    with pytest.raises(UsageError, match="must name each class once"):
        load_ddamfn(path, ("sad", "sad"), layout=SMALL)
    torch.save(Ddamfn(7, SMALL), path)
    with pytest.raises(UnsafeFileError, match="holds more than tensors"):
        load_ddamfn(path, ORDER, layout=SMALL)
    path.write_bytes(b"nothing")
    with pytest.raises((InvalidDataError, UnsafeFileError)):
        load_ddamfn(path, ORDER, layout=SMALL)
