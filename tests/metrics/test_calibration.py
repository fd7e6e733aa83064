"""Calibration against the definitions in plain Python and against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metric_case import MetricCase
from sklearn.metrics import brier_score_loss

from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.metrics.calibration import brier_score, expected_calibration_error, reliability_table


class TestBrierScore(MetricCase):
    of = brier_score
    columns = ("probabilities", "labels")

    def compute(self, pairs):
        return brier_score(np.asarray(pairs.probabilities)[:, 0], np.asarray(pairs.labels) == 0)

    def reference(self, pairs):
        return brier_score_loss(pairs.labels == 0, pairs.probabilities[:, 0], labels=[False, True])


class TestExpectedCalibrationError(MetricCase):
    of = expected_calibration_error
    columns = ("probabilities", "labels")

    def compute(self, pairs):
        return expected_calibration_error(
            np.asarray(pairs.probabilities)[:, 0], np.asarray(pairs.labels) == 0, n_bins=7
        )

    def reference(self, pairs):
        table = reliability_table(pairs.probabilities[:, 0], pairs.labels == 0, n_bins=7)
        error = 0.0
        for low, high in zip(table.lowest, table.highest, strict=True):
            members = [i for i, p in enumerate(pairs.probabilities[:, 0]) if low <= p <= high]
            confidence, gold = (np.mean(values[members]) for values in (pairs.probabilities[:, 0], pairs.labels == 0))
            error += len(members) / len(pairs) * abs(confidence - gold)
        return error


PAIRS = st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=1, max_size=60)


@settings(max_examples=80, deadline=None)
@given(PAIRS, st.integers(1, 20))
def test_bins_hold_every_pair_once_and_equal_scores_together(pairs, n_bins):
    confidences = np.array([value / 12 for value, _ in pairs])
    positive = np.array([flag for _, flag in pairs])
    table = reliability_table(confidences, positive, n_bins=n_bins)
    assert table.count.sum() == len(pairs)
    assert len(table.count) <= n_bins
    assert (table.count > 0).all()
    assert (table.highest[:-1] < table.lowest[1:]).all()
    for low, high, count, mean, rate in zip(
        table.lowest, table.highest, table.count, table.mean_confidence, table.positive_rate, strict=True
    ):
        members = [(c, y) for c, y in zip(confidences, positive, strict=True) if low <= c <= high]
        assert count == len(members)
        assert mean == pytest.approx(sum(c for c, _ in members) / count)
        assert rate == pytest.approx(sum(y for _, y in members) / count)


def test_distinct_scores_fill_bins_of_equal_mass():
    generator = np.random.default_rng(0)
    table = reliability_table(generator.random(1003), generator.random(1003) < 0.5, n_bins=10)
    assert table.count.max() - table.count.min() <= 1


def test_a_calibrated_score_has_nearly_no_error_and_an_overconfident_one_has():
    generator = np.random.default_rng(0)
    confidences = generator.random(200_000)
    positive = generator.random(200_000) < confidences
    assert expected_calibration_error(confidences, positive) < 0.01
    assert expected_calibration_error(np.sqrt(confidences), positive) > 0.1


@pytest.mark.parametrize(
    ("confidences", "positive", "words"),
    [
        ([0.5], [0], "booleans"),
        ([], [], "at least one pair"),
        ([0.5, 0.5], [True], "shapes"),
        ([np.nan], [True], "pair 0 is nan"),
        ([-0.1], [True], r"\[0, 1\]"),
    ],
)
def test_what_cannot_be_calibrated_is_refused(confidences, positive, words):
    with pytest.raises(MetricInputError, match=words):
        expected_calibration_error(confidences, positive)


def test_zero_bins_are_refused():
    with pytest.raises(MetricInputError, match="n_bins"):
        reliability_table([0.5], [True], n_bins=0)
