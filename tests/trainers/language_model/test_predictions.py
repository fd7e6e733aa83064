"""What answers predict, and the threshold that their probabilities give."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from iemomecp_dataset.trainers.language_model.predictions import PairPredictions, threshold_on


def test_gold_pairs_that_were_not_asked_about_lower_the_threshold():
    # Of four pairs that were asked about two are gold, and at 0.9 and 0.4 F1 is the same; of each pair more that no
    # threshold can find, the lower one loses less.
    values = np.array([0.9, 0.4, 0.4, 0.4] + [0.0] * 10)
    labels = np.array([0, 0, 1, 1] + [0] * 10)
    asked = np.array([True] * 4 + [False] * 10)
    probabilities = np.stack([values, 1 - values], axis=1)
    corpus = SimpleNamespace(tables={"validation": SimpleNamespace(labels=labels, missed_positives=0)})
    assert threshold_on(corpus, "validation", PairPredictions(probabilities, asked)) == pytest.approx(0.4)
    few = SimpleNamespace(tables={"validation": SimpleNamespace(labels=labels[:4], missed_positives=0)})
    assert threshold_on(few, "validation", PairPredictions(probabilities[:4], asked[:4])) == pytest.approx(0.9)


def test_without_an_answer_nothing_reaches_the_threshold():
    corpus = SimpleNamespace(tables={"validation": SimpleNamespace(labels=np.array([0]), missed_positives=0)})
    predicted = PairPredictions(np.array([[0.0, 1.0]]), np.array([False]))
    assert threshold_on(corpus, "validation", predicted) > 0
