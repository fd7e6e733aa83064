"""The best threshold against trying every threshold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metric_case import MetricCase

from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.metrics.scoring import pair_scores
from iemomecp_dataset.metrics.thresholds import best_threshold
from iemomecp_dataset.schema import PAIR_LABELS


class TestBestThreshold(MetricCase):
    of = best_threshold
    columns = ("probabilities", "labels")
    without_gold = False

    def compute(self, pairs):
        return best_threshold(pairs.probabilities, pairs.labels)

    def reference(self, pairs):
        scores = pairs.probabilities[:, 0]
        f1 = {t: 2 * sum((scores >= t) & (pairs.labels == 0)) / (sum(scores >= t) + sum(pairs.labels == 0))
              for t in set(scores)}  # fmt: skip
        return max(t for t in f1 if f1[t] == max(f1.values())), max(f1.values())


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 10), st.booleans()), min_size=1, max_size=30).filter(
        lambda pairs: any(positive for _, positive in pairs)
    ),
    st.integers(0, 3),
)
def test_no_threshold_is_better_and_no_equal_one_is_larger(pairs, missed):
    scores = np.array([score / 10 for score, _ in pairs])
    labels = np.array([0 if positive else 1 for _, positive in pairs])
    probabilities = np.stack([scores, 1 - scores], axis=1)
    threshold, f1 = best_threshold(probabilities, labels, missed_positives=missed)

    def f1_at(value):
        return pair_scores(probabilities, labels, PAIR_LABELS, threshold=value, missed_positives=missed)["pair_f1"]

    assert f1 == f1_at(threshold)
    candidates = {*scores, *(value + 1e-6 for value in scores if value < 1), 0.0, 1.0}
    assert f1 == max(f1_at(value) for value in candidates)
    assert all(f1_at(value) < f1 for value in set(scores) if value > threshold)
    assert best_threshold(scores, labels, missed_positives=missed) == (threshold, f1)


@pytest.mark.parametrize(
    ("scores", "labels", "missed", "expected"),
    [
        ([0.9, 0.7, 0.6, 0.2], [0, 1, 1, 0], 0, (0.9, 2 / 3)),  # 2/3 with one pair and with all four
        ([0.9, 0.7, 0.6, 0.2], [0, 1, 1, 0], 1, (0.2, 4 / 7)),  # a missed pair makes the second one worth two others
        ([0.2, 0.6, 0.7, 0.9], [1, 0, 0, 1], 0, (0.6, 4 / 5)),
    ],
)
def test_of_equal_thresholds_the_largest_is_taken(scores, labels, missed, expected):
    assert best_threshold(scores, labels, missed_positives=missed) == pytest.approx(expected)


def test_equal_scores_are_decided_together():
    # Splitting the tie would give F1 1.0.
    assert best_threshold([0.5, 0.5], [0, 1]) == (0.5, 2 / 3)


def test_single_precision_scores_survive_the_comparison():
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet([1, 1], 500).astype(np.float32)
    labels = generator.integers(0, 2, 500)
    threshold, f1 = best_threshold(probabilities, labels)
    assert pair_scores(probabilities, labels, PAIR_LABELS, threshold=threshold)["pair_f1"] == f1


def test_single_precision_rounding_above_one_is_a_legal_threshold():
    threshold, _ = best_threshold(np.array([1 + 1e-7, 0.2]), [0, 1])
    assert threshold == 1.0


@pytest.mark.parametrize(
    ("probabilities", "labels"),
    [
        ([[0.51, 0.5], [0.2, 0.8], [0.1, 0.9]], [0, 1, 1]),
        ([[0.34, 0.34, 0.33], [0.01, 0.01, 0.98], [0.34, 0.34, 0.33]], [0, 2, 0]),
        (np.array([[0.34, 0.33, 0.34], [0.1, 0.2, 0.7]], dtype=np.float16), [0, 1]),
    ],
)
def test_of_rescaled_probabilities_the_rescaled_threshold_is_given(probabilities, labels):
    threshold, f1 = best_threshold(probabilities, labels)
    names = ("pair", "other", "non_pair")[: len(probabilities[0])]
    assert f1 == pair_scores(probabilities, labels, names, threshold=threshold)["pair_f1"] == 1.0


@pytest.mark.parametrize(
    ("probabilities", "labels", "words"),
    [
        ([0.5], [1], "no.* gold class 0|None of the 1 pairs"),
        ([], [], "n at least 1"),
        ([0.5, 0.5], [0], "shapes"),
        ([np.nan], [0], "pair 0 is nan"),
        ([1.2], [0], "expected a number in"),
        ([[0.5, 0.1], [0.2, 0.8]], [0, 1], "do not sum to one"),
    ],
)
def test_what_has_no_threshold_is_refused(probabilities, labels, words):
    with pytest.raises(MetricInputError, match=words):
        best_threshold(probabilities, labels)


def test_negative_missed_positives_are_refused():
    with pytest.raises(MetricInputError, match="missed_positives"):
        best_threshold([0.5], [0], missed_positives=-1)
