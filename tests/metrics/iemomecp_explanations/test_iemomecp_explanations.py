from __future__ import annotations

import evaluate
import pytest
from explanation_reference import DIALOGUES, PREDICTIONS, REFERENCES

from iemomecp_dataset.errors import MetricInputError, UsageError
from iemomecp_dataset.metrics.explanations.scoring import COUNTED_SCORES, explanation_scores


def load(**settings):
    return evaluate.load("iemomecp_explanations", keep_in_memory=True, **settings)


def test_the_module_gives_the_scores_of_the_function_in_one_call_and_in_batches():
    expected = explanation_scores(PREDICTIONS, REFERENCES, tokenizer="raw", meteor=False)
    once = load().compute(predictions=PREDICTIONS, references=REFERENCES, tokenizer="raw", meteor=False)
    metric = load()
    metric.add_batch(predictions=PREDICTIONS[:4], references=REFERENCES[:4])
    for prediction, reference in zip(PREDICTIONS[4:], REFERENCES[4:], strict=True):
        metric.add(prediction=prediction, reference=reference)
    assert once == metric.compute(tokenizer="raw", meteor=False) == expected


def test_dialogues_add_standard_errors_and_intervals():
    found = load().compute(
        predictions=PREDICTIONS, references=REFERENCES, dialogue_ids=DIALOGUES, n_resamples=300, meteor=False
    )
    for name in COUNTED_SCORES:
        assert found[f"{name}_low"] <= found[name] <= found[f"{name}_high"]
        assert found[f"{name}_se"] > 0
    assert list(found)[-1] == "unavailable"


@pytest.mark.parametrize(
    ("predictions", "references", "message"),
    [
        (["a", None], ["a", "b"], "Item 1 has no prediction"),
        ([1], ["a"], "Item 0 has no prediction"),
        (["a"], [""], "empty reference"),
        (["a"], [["b", "c"]], "one reference"),
        (["\ud83d"], ["a"], "Item 0, prediction: .* lone surrogate"),
        ([], [], "no items"),
        (["a"], ["a", "b"], "found 1 and 2"),
    ],
)
def test_what_cannot_be_scored_is_one_clear_error(predictions, references, message):
    with pytest.raises(MetricInputError, match=message):
        load().compute(predictions=predictions, references=references, meteor=False)


def test_there_are_no_configurations():
    with pytest.raises(UsageError, match="no configurations"):
        load(config_name="ecem")
