"""One class for everything is recognised, whatever the class; two classes, and a single item, are not."""

from __future__ import annotations

import numpy as np
import pytest

from iemomecp_dataset.metrics.evaluation.one_class import one_class_warning

CLASSES = ("emo_cause", "emo_context", "non_pair")


@pytest.mark.parametrize("place", range(3))
def test_the_class_is_named(place):
    said = one_class_warning(np.full(1200, place), CLASSES, "test", "utterances")
    assert said == f"It predicts {CLASSES[place]} for all 1,200 utterances of test, as a rule without a model would."


@pytest.mark.parametrize("ids", [[], [2], [0, 2], [2, 2, 2, 1]])
def test_other_predictions_are_not_remarked_on(ids):
    assert one_class_warning(ids, CLASSES, "test") == ""
