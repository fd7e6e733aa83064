"""Batches of the evaluate modules: columns of every library, empty batches, and wrong calls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

import iemomecp_dataset.metrics  # noqa: F401  # makes the names known
from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.metrics.scoring import pair_scores
from iemomecp_dataset.schema import PAIR_LABELS

evaluate = pytest.importorskip("evaluate")

ROWS, LABELS = [[0.75, 0.25], [0.5, 0.5], [0.25, 0.75]], [0, 1, 0]
TEXTS, REFERENCES = ["It rains.", "", "A clown fell."], ["It rains again.", "Her train was late.", "The clown fell."]
GIVEN = {
    "iemomecp_pair_f1": ("source_binary", ROWS, LABELS, {}),
    "iemomecp_erc": ("meld", [0, 1, 2], [0, 1, 1], {}),
    "iemomecp_explanations": (None, TEXTS, REFERENCES, {"meteor": False}),
}


@pytest.fixture(params=GIVEN)
def given(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Any, ...]:
    """A module, predictions and references for it, and options."""
    config, *of = GIVEN[request.param]
    return evaluate.load(request.param, config, cache_dir=str(tmp_path)), *of


def test_an_empty_batch_is_nothing_wherever_it_comes(given: tuple[Any, ...]) -> None:
    module, predictions, references, options = given
    expected = module.compute(predictions=predictions, references=references, **options)
    for place in ("first", "last", "between"):
        for n in range(3):
            if place == "first" and n == 0:
                module.add_batch(predictions=[], references=[])
            if place == "between" and n == 1:
                module.add_batch(predictions=np.zeros((0, 2)).tolist(), references=[])
            module.add(prediction=predictions[n], reference=references[n])
        if place == "last":
            module.add_batch(predictions=[], references=[])
            assert module.compute(predictions=[], references=[], **options) == expected
        else:
            assert module.compute(**options) == expected


def test_nothing_at_all_is_our_error_and_the_module_can_be_used_on(given: tuple[Any, ...]) -> None:
    module, predictions, references, options = given
    for calls in ([], [([], [])]):
        for empty in calls:
            module.add_batch(predictions=empty[0], references=empty[1])
        with pytest.raises(MetricInputError, match="There are no"):
            module.compute(**options)
    with pytest.raises(MetricInputError, match="There are no"):
        module.compute(predictions=[], references=[], **options)
    with pytest.raises(MetricInputError, match="There is no option 'treshold'"):
        module.compute(predictions=predictions, references=references, treshold=0.5)
    assert module.compute(predictions=predictions, references=references, **options)


@pytest.mark.parametrize("one", ["predictions", "references"])
def test_one_of_two_is_our_error(given: tuple[Any, ...], one: str) -> None:
    module, predictions, references, _ = given
    alone = {"predictions": predictions, "references": references}[one]
    for call in (module.add_batch, module.compute):
        with pytest.raises(MetricInputError):
            call(**{one: alone})
        with pytest.raises(MetricInputError):
            call(**{"predictions": alone, "references": alone, one: []})


def test_a_batch_of_another_kind_is_refused(tmp_path: Path) -> None:
    module = evaluate.load("iemomecp_pair_f1", "source_binary", cache_dir=str(tmp_path))
    module.add_batch(predictions=ROWS, references=LABELS)
    with pytest.raises(MetricInputError, match="batches before had probabilities, this one has class ids"):
        module.add_batch(predictions=LABELS, references=LABELS)


def test_columns_of_every_library_score_as_lists_do(tmp_path: Path) -> None:
    module = evaluate.load("iemomecp_pair_f1", "source_binary", cache_dir=str(tmp_path))
    expected = pair_scores(ROWS, LABELS, PAIR_LABELS)
    table = datasets.Dataset.from_dict({"rows": ROWS, "labels": LABELS})
    gradients = torch.tensor(ROWS, dtype=torch.float64, requires_grad=True)
    pairs = {
        "tensors": (gradients, torch.tensor(LABELS)),
        "lists of tensors": (list(gradients), list(torch.tensor(LABELS))),
        "pandas": (pd.DataFrame(ROWS), pd.Series(LABELS, dtype="Int64")),
        "pandas of arrow": (pd.DataFrame(ROWS), pd.Series(LABELS, dtype="int64[pyarrow]")),
        "column of lists": (pd.Series(ROWS), pd.Series(LABELS, dtype=object)),
        "arrow": (pa.array(ROWS), pa.array(LABELS)),
        "chunked": (pa.chunked_array([ROWS[:1], ROWS[1:]]), pa.chunked_array([LABELS])),
        "datasets": (table["rows"], table["labels"]),
        "tuples": (tuple(map(tuple, ROWS)), tuple(LABELS)),
    }
    for name, (predictions, references) in pairs.items():
        assert pair_scores(predictions, references, PAIR_LABELS) == expected, name
        assert module.compute(predictions=predictions, references=references) == expected, name


def test_threshold_and_counts_may_be_numbers_of_any_library() -> None:
    expected = pair_scores(ROWS, LABELS, PAIR_LABELS, threshold=0.5, missed_positives=2)
    for kind in (np.float32, torch.tensor, np.array):
        assert pair_scores(ROWS, LABELS, PAIR_LABELS, threshold=kind(0.5), missed_positives=kind(2)) == expected
    for threshold in ("0.5", [0.5], float("nan"), True, 1.5, 10**400):
        with pytest.raises(MetricInputError, match=r"The threshold must be a number in \[0, 1\].*; found"):
            pair_scores(ROWS, LABELS, PAIR_LABELS, threshold=threshold)
    for count in ("2", [2], float("nan"), float("inf"), True, 1.5, -1, 10**400, None):
        with pytest.raises(MetricInputError, match="missed_positives must be a count of 0 or more"):
            pair_scores(ROWS, LABELS, PAIR_LABELS, missed_positives=count)
