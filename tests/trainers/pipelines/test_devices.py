"""A device that is not there is one sentence, wherever it is named."""

from __future__ import annotations

import pytest
import torch
from tiny_pair_models import conversation, save_dialogue_model

from iemomecp_dataset.commands import predict as command
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.features.encoders.devices import usable_device
from iemomecp_dataset.trainers import EmotionCausePipeline, load_scorer, predict

ABSENT = f"cuda:{torch.cuda.device_count() + 7}"
NAMED = [ABSENT, "foo", "meta", "", "cpu:x", torch.device(ABSENT), torch.cuda.device_count() + 7]


@pytest.fixture(scope="module", name="folder")
def fixture_folder(tmp_path_factory, tiny_encoder):
    return save_dialogue_model(tmp_path_factory.mktemp("runs") / "model", tiny_encoder)


@pytest.mark.parametrize("device", NAMED)
def test_a_device_that_is_not_there_is_refused_with_those_that_are(device):
    with pytest.raises(UsageError, match="can be used on this machine, which has cpu") as caught:
        usable_device(device)
    assert f"There is no device '{device}'" in str(caught.value)


@pytest.mark.parametrize("device", ["cpu", -1, torch.device("cpu")])
def test_a_device_that_is_there_is_used(device, folder):
    assert usable_device(device) == torch.device("cpu")
    assert EmotionCausePipeline(folder, device=device).device.type == "cpu"


@pytest.mark.parametrize("device", NAMED)
def test_every_way_of_predicting_refuses_it(device, folder):
    talk = conversation(3)
    with pytest.raises(UsageError, match="There is no device"):
        EmotionCausePipeline(folder, device=device)
    with pytest.raises(UsageError, match="There is no device"):
        EmotionCausePipeline(load_scorer(folder), device=device)
    for given in (talk, [talk.to_row()]):
        with pytest.raises(UsageError, match="There is no device"):
            predict(folder, given, device=device)


def test_the_command_names_its_option(folder, tmp_path):
    file = tmp_path / "talk.txt"
    file.write_text("Mia: The train was late again.\nBen: What happened?\n", encoding="utf-8")
    for device in ("foo", ABSENT):
        with pytest.raises(UsageError, match=f"There is no device '{device}' .* by --device, or leave it out"):
            command.main([str(file), "--model", str(folder), "--device", device])
