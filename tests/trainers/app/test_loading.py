"""Models of the page: loaded once, from folders and from the Hub."""

from __future__ import annotations

from dataclasses import replace

import huggingface_hub
import pytest
from tiny_pair_models import conversation, save_dialogue_model

from iemomecp_dataset.errors import IemomecpError, UsageError
from iemomecp_dataset.trainers.app.loading import load_models


@pytest.fixture(scope="module", name="folder")
def fixture_folder(tmp_path_factory, tiny_encoder):
    return save_dialogue_model(tmp_path_factory.mktemp("runs") / "x" / "model", tiny_encoder)


def test_a_model_is_named_after_its_run_and_answers_in_order(folder):
    (model,) = load_models([folder])
    assert (model.name, model.synthetic, model.recordings) == ("x", True, ())
    answers = model([conversation(5, "one"), conversation(3, "two")])
    assert [(one.conversation.name, one.model, len(one.pairs)) for one in answers] == [
        ("one", "x", 25),
        ("two", "x", 9),
    ]
    # The same as asked alone, and with another rule as told by the pipeline.
    (alone,) = model([conversation(3, "two")])
    assert alone.labels.tolist() == answers[1].labels.tolist()
    assert replace(alone, model="").with_threshold(0.0).labels.tolist() == [0] * 9


def test_a_model_of_the_hub_is_fetched_and_keeps_its_name(folder, monkeypatch):
    fetched = []
    monkeypatch.setattr(
        huggingface_hub, "snapshot_download", lambda name, **options: fetched.append(name) or str(folder)
    )
    (model,) = load_models(["owner/name"])
    assert fetched == ["owner/name"]
    assert model.name == "name"
    assert model([conversation(2)])[0].model == "owner/name"


@pytest.mark.parametrize("given", [[], ["a", "b", "c"], ["a", "a"]])
def test_one_model_or_two_different_ones(given):
    with pytest.raises(UsageError):
        load_models(given)


def test_a_folder_that_is_no_model_is_one_sentence(tmp_path):
    with pytest.raises(IemomecpError, match="holds no model"):
        load_models([tmp_path])
