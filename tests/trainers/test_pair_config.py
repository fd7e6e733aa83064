"""Configurations of scorers: label maps follow the class names, and the decision rule is saved with the model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from iemomecp_dataset.trainers.dialogue.modeling import DialogueScorer, DialogueScorerConfig
from iemomecp_dataset.trainers.isolated.modeling import IsolatedScorer, IsolatedScorerConfig
from iemomecp_dataset.trainers.pair_config import set_decision

ROLES = ["emo_cause", "emo_context", "non_pair"]
SMALL: dict[str, Any] = {"class_names": ROLES, "audio_size": 2, "hidden_size": 4}
KINDS = [
    (DialogueScorer, DialogueScorerConfig, {"num_heads": 2, "pair_size": 4, "bilinear_size": 2}),
    (IsolatedScorer, IsolatedScorerConfig, {}),
]


@pytest.mark.parametrize(("scorer_class", "config_class", "shape"), KINDS, ids=["dialogue", "isolated"])
@pytest.mark.parametrize("saved", ["new", "without", "placeholders"])
def test_label_maps_follow_the_class_names(
    saved: str, scorer_class: Any, config_class: Any, shape: dict[str, Any], tmp_path: Path
) -> None:
    scorer_class(config_class(**SMALL, **shape)).save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    written = json.loads(path.read_text())
    if saved == "new":
        assert written["id2label"] == {"0": "emo_cause", "1": "emo_context", "2": "non_pair"}
        assert written["label2id"] == {"emo_cause": 0, "emo_context": 1, "non_pair": 2}
    else:  # as saved by earlier versions
        for name in ("id2label", "label2id", "decision", "threshold"):
            written.pop(name, None)
        if saved == "placeholders":
            written |= {"id2label": {"0": "LABEL_0", "1": "LABEL_1"}, "label2id": {"LABEL_0": 0, "LABEL_1": 1}}
        path.write_text(json.dumps(written))
    config = scorer_class.from_pretrained(tmp_path).config
    assert config.class_names == ROLES
    assert config.id2label == dict(enumerate(ROLES))
    assert config.label2id == {name: i for i, name in enumerate(ROLES)}
    assert config.num_labels == 3
    assert (config.decision, config.threshold) == ("argmax", None)


@pytest.mark.parametrize(("scorer_class", "config_class", "shape"), KINDS, ids=["dialogue", "isolated"])
@pytest.mark.parametrize("threshold", [0.25, None])
def test_the_decision_rule_is_saved(
    threshold: float | None, scorer_class: Any, config_class: Any, shape: dict[str, Any], tmp_path: Path
) -> None:
    scorer = scorer_class(config_class(**SMALL, **shape))
    set_decision(scorer.config, 0.9)
    set_decision(scorer.config, threshold)
    scorer.save_pretrained(tmp_path)
    config = scorer_class.from_pretrained(tmp_path).config
    assert (config.decision, config.threshold) == ("argmax" if threshold is None else "threshold", threshold)
