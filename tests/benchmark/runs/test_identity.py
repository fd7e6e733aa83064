"""What makes two runs seeds of one system."""

from __future__ import annotations

import dataclasses

import pytest

from iemomecp_dataset.benchmark.runs.identity import circumstances_that_differ, origin_of, system_digest, system_of

AUDIO = {"model": "wavlm", "revision": "a1", "settings": {"layer": 9}, "width": 4, "digest": "0f", "missing": 0}
SETTINGS = {"learning_rate": 0.0003, "batch_size": 16, "mixed_precision": "no"}


@pytest.fixture(name="record", scope="module")
def fixture_record(tmp_path_factory, write_run):
    folder = tmp_path_factory.mktemp("identity") / "run"
    return write_run(folder, n_dialogues=4, settings=SETTINGS, features={"audio": AUDIO})


LATER = {
    "text_context": 0, "text_context_after": 0, "text_block": 1, "text_alone": False,
    "r_drop_weight": 0.0, "layer_decay": 1.0, "threshold_rule": "best",
    "corpus_embedding": False, "emotion_category_weight": 0.0,
}  # fmt: skip
"""Settings that runs of earlier versions had, and do not state."""

OTHER_SYSTEM = {
    "a setting": {"settings": {**SETTINGS, "learning_rate": 0.003}},
    "texts in context": {"settings": {**SETTINGS, **LATER, "text_block": 8}},
    "common emotions": {"settings": {**SETTINGS, "emotions": "common"}},
    "effective batch size": {"settings": {**SETTINGS, "batch_size": 32}},
    "precision": {"settings": {**SETTINGS, "mixed_precision": "bf16"}},
    "noise as audio": {"features": {"audio": {**AUDIO, "digest": "ff"}}},
    "missing vectors": {"features": {"audio": {**AUDIO, "missing": 3}}},
    "text encoder": {"features": {"audio": AUDIO, "text": {"model": "tiny", "revision": "folder-1234"}}},
    "begun with a run": {"initialized_from": {"objective": "base", "config_name": "ecf", "system": "0a"}},
    "decision rule": {"threshold": {"value": None, "chosen_on": None}},
    "threshold from another split": {"threshold": {"value": 0.3, "chosen_on": "train"}},
    "objective": {"objective": "rpcl"},
    "epoch from another split": {"epoch_chosen_on": "train"},
}


@pytest.mark.parametrize("changes", OTHER_SYSTEM.values(), ids=OTHER_SYSTEM)
def test_another_value_makes_another_system(record, changes):
    other = dataclasses.replace(record, **changes)
    assert system_of(other) != system_of(record)
    assert system_digest(other) != system_digest(record)


SAME_SYSTEM = {
    "the corpus's own emotions, stated": {"settings": {**SETTINGS, "emotions": "corpus"}},
    "options that came later, with the values of earlier runs": {"settings": {**SETTINGS, **LATER}},
    "seed": {"seed": 7},
    "name": {"run_name": "elsewhere"},
    "processes": {"processes": 2},
    "device": {"device": "cuda"},
    "code": {"git_revision": "abc"},
    "libraries": {"versions": {"torch": "9"}},
    "value of a searched threshold": {"threshold": {"value": 0.123, "chosen_on": "validation"}},
    "folder of the encoder": {"text_encoder": "/elsewhere/tiny"},
    "name of the features": {"features": {"audio": {**AUDIO, "model": "a copy"}}},
}


@pytest.mark.parametrize("changes", SAME_SYSTEM.values(), ids=SAME_SYSTEM)
def test_seeds_and_circumstances_do_not(record, changes):
    other = dataclasses.replace(record, **changes)
    assert system_of(other) == system_of(record)
    assert origin_of(other) == origin_of(record)


def test_a_run_begun_with_another_is_told_by_objective_settings_and_data(record):
    begun = dataclasses.replace(record, initialized_from=origin_of(record))
    others = [{"data_fingerprint": {"train": "other"}}, {"text_fingerprint": {"train": "other"}}]
    for changes in ({"objective": "rpcl"}, {"settings": {}}, *others):
        other = dataclasses.replace(record, initialized_from=origin_of(dataclasses.replace(record, **changes)))
        assert system_of(other)["init_from"] != system_of(begun)["init_from"]


def test_circumstances_that_agree_are_not_listed(record):
    assert circumstances_that_differ([record, dataclasses.replace(record, seed=3)]) == []
    one, two = ({"git_revision": code, "versions": {"torch": "2"}} for code in ("abc", "def"))
    found = [dataclasses.replace(record, **changes) for changes in (one, two, one)]
    assert circumstances_that_differ(found) == ["code abc and def"]
    clean, dirty = ("0123456789" * 4 + ending for ending in ("", "-dirty"))
    found = [dataclasses.replace(record, git_revision=code) for code in (clean, dirty)]
    assert circumstances_that_differ(found) == ["code 012345678901 and 012345678901-dirty"]


def test_an_encoder_is_told_by_its_weights_where_they_are_known(record):
    one, other = (
        dataclasses.replace(record, text_encoder=name, features={"text": {"model": name, "revision": "folder-12ab"}})
        for name in ("tiny", "a-copy")
    )
    assert system_of(one) == system_of(other)
    unknown = [dataclasses.replace(run, features={"text": {"revision": None}}) for run in (one, other)]
    assert system_of(unknown[0]) != system_of(unknown[1])
