"""Metadata of cards: the Hub's schema, read back by huggingface_hub, and the rules of the stand-in."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from hub_stand_in import card_errors, connect, hub_stand_in
from huggingface_hub import ModelCard
from shared_run import results_of

from iemomecp_dataset.trainers.sharing.model_index import card_metadata, metadata_header

ERC = {
    "task": "erc", "class_names": ("neutral", "joy"), "scorer": "ecerc", "threshold": {"value": None},
    "metrics": {"test": {"weighted_f1": 0.6, "accuracy": 0.65, "macro_f1": 0.4, "weighted_f1_without_neutral": 0.5}},
}  # fmt: skip
EXPLANATION = {
    "task": "explanation", "class_names": (), "scorer": "explanation", "corpus": "ecem", "config_name": "ecem",
    "settings": {"language_model": "HuggingFaceTB/SmolLM2-135M-Instruct"}, "text_encoder": "none",
    "metrics": {"test": {"content_cider": 0.4, "content_rouge_l": 0.2, "cider": 0.5, "bleu_4": float("nan")}},
}  # fmt: skip
RUNS: dict[str, dict[str, Any]] = {
    "pairs": {},
    "synthetic": {"synthetic": True, "corpus": "iemomecp", "config_name": "3class",
                  "class_names": ("emo_cause", "emo_context", "non_pair")},
    "emotions": ERC,
    "explanations": EXPLANATION,
    "a corpus of one's own": {"corpus": "my own (café)", "config_name": "rows"},
    "nothing scored": {"metrics": {}},
    "a local encoder": {"text_encoder": "/opt/minilm/model"},
}  # fmt: skip


def card_of(**changes: Any) -> ModelCard:
    return ModelCard(metadata_header(card_metadata(results_of(**changes))) + "\n# A model\n")


@pytest.mark.parametrize("changes", RUNS.values(), ids=RUNS)
def test_the_hub_takes_every_card(changes: dict[str, Any]) -> None:
    assert card_errors(str(card_of(**changes))) == []


@pytest.mark.skipif(
    "constants.ENDPOINT" not in inspect.getsource(ModelCard.validate),
    reason="this version of huggingface_hub validates at one fixed address, which no test reaches",
)
def test_the_validator_of_huggingface_hub_takes_a_card(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with hub_stand_in() as hub:
        connect(hub, tmp_path, monkeypatch)
        card_of().validate()
        assert hub.requests == ["POST /api/validate-yaml"]
        with pytest.raises(ValueError, match="is no task"):
            ModelCard("---\npipeline_tag: emotion-cause-pairs\n---\n").validate()


def test_results_are_found_by_split_with_the_rule_that_decided() -> None:
    results = card_of().data.eval_results
    assert {result.dataset_split for result in results} == {"validation", "test"}
    (f1,) = [one for one in results if one.dataset_split == "test" and one.metric_name == "Pair F1"]
    assert (f1.task_type, f1.task_name) == ("text-classification", "Emotion-cause pair extraction")
    assert (f1.dataset_type, f1.dataset_config) == ("ecf", "ecf")
    assert f1.dataset_name == "Emotion-Cause-in-Friends (ECF)"
    assert (f1.metric_type, f1.metric_value, f1.verified) == ("f1", 0.25, False)
    assert f1.metric_args == {
        "definition": "A", "decision": "P(pair) >= 0.25", "threshold_chosen_on": "validation"
    }  # fmt: skip
    assert f1.dataset_args == {"fingerprint": "cd" * 6, "candidates": "all"}
    assert not any(one.metric_name == "Pair average precision" for one in results), "undefined: it has no number"


def test_the_rule_of_the_most_probable_class_is_stated() -> None:
    (f1, *_) = card_of(threshold={"value": None, "chosen_on": None}).data.eval_results
    assert f1.metric_args == {"definition": "A", "decision": "the most probable class"}


def test_synthetic_data_is_stated_wherever_the_hub_shows_data() -> None:
    data = card_of(**RUNS["synthetic"]).data
    assert "synthetic" in data.tags
    assert data.datasets == ["iemomecp-synthetic"]
    assert all("SYNTHETIC" in one.dataset_name for one in data.eval_results)
    assert "synthetic" not in card_of().data.tags


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "google/electra-small"),
        ({"text_encoder": "/opt/minilm/model"}, None),
        ({"text_encoder": "none"}, None),
        (EXPLANATION, "HuggingFaceTB/SmolLM2-135M-Instruct"),
    ],
)
def test_the_base_model_is_named_where_the_hub_can_have_it(changes: dict[str, Any], expected: str | None) -> None:
    assert card_metadata(results_of(**changes)).get("base_model") == expected


def test_a_base_model_that_is_given_wins() -> None:
    metadata = card_metadata(results_of(text_encoder="/opt/minilm"), base_model="lab/minilm")
    assert metadata["base_model"] == "lab/minilm"


def test_task_licence_and_metrics_stand_at_the_top() -> None:
    data = card_of(**EXPLANATION).data
    assert (data.pipeline_tag, data.library_name, data.language) == ("text-generation", "transformers", "en")
    assert (data.license, data.license_name) == ("other", "terms-of-the-training-data")
    assert data.tags == ["emotion-cause-explanation", "iemomecp"]
    assert data.metrics == ["cider", "rouge"]
