"""Means against cases worked by hand; fitted weights against a grid of all weights."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iemomecp_dataset.benchmark.ensembles.mixing import checked_weights, fitted_weights, mixed_probabilities
from iemomecp_dataset.errors import MetricInputError, UsageError


def systems(seed, count, n=60, classes=3):
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, n)
    found = []
    for quality in generator.uniform(0, 3, count):
        logits = generator.normal(size=(n, classes))
        logits[np.arange(n), labels] += quality
        found.append(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))
    return found, labels


def test_the_mean_is_that_of_each_number():
    one, two = [[0.8, 0.2], [0.1, 0.9]], [[0.4, 0.6], [0.3, 0.7]]
    np.testing.assert_allclose(mixed_probabilities([one, two]), [[0.6, 0.4], [0.2, 0.8]])
    np.testing.assert_allclose(mixed_probabilities([one, two], [1, 3]), [[0.5, 0.5], [0.25, 0.75]])
    assert mixed_probabilities([one, two], [1, 0]).tolist() == one


def test_systems_of_other_items_are_refused():
    with pytest.raises(MetricInputError, match=r"of the same n items; found \(1, 2\), \(2, 2\)"):
        mixed_probabilities([[[0.5, 0.5]], [[0.5, 0.5]] * 2])
    with pytest.raises(MetricInputError, match="found no system"):
        mixed_probabilities([])


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1, 1], "There are 3 runs and 2 weights"),
        ([1, -1, 1], r"one is -1\.0"),
        ([1, float("nan"), 1], "one is nan"),
        ([0, 0, 0], "all are 0"),
    ],
)
def test_weights_that_cannot_be_used_are_refused(weights, message):
    with pytest.raises(UsageError, match=message):
        checked_weights(weights, 3)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_no_weights_on_a_grid_give_the_gold_a_larger_likelihood(seed):
    probabilities, labels = systems(seed, 3)
    weights = fitted_weights(probabilities, labels)
    assert (weights >= 0).all()
    assert weights.sum() == pytest.approx(1)

    def likelihood(of):
        return np.log(mixed_probabilities(probabilities, of)[np.arange(len(labels)), labels]).mean()

    grid = [(a, b, 20 - a - b) for a in range(21) for b in range(21 - a)]
    assert likelihood(weights) >= max(map(likelihood, grid)) - 2e-6


def test_the_order_of_systems_and_copies_of_one_change_nothing():
    probabilities, labels = systems(1, 3)
    weights = fitted_weights(probabilities, labels)
    np.testing.assert_allclose(fitted_weights(probabilities[::-1], labels)[::-1], weights)
    np.testing.assert_allclose(fitted_weights([probabilities[0]] * 4, labels), [0.25] * 4)


def test_a_system_that_excludes_the_gold_somewhere_is_finite():
    sure = [[1.0, 0.0], [1.0, 0.0]]
    assert np.isfinite(fitted_weights([sure, sure], [0, 1])).all()
    assert fitted_weights([sure, [[0.5, 0.5]] * 2], [0, 1]).sum() == pytest.approx(1)


@pytest.mark.parametrize("labels", [[0], [0, 2], [0, -1], [0.0, 1.0]])
def test_labels_that_are_none_are_refused(labels):
    with pytest.raises(MetricInputError, match="one gold class id per item, of 2 classes"):
        fitted_weights([[[0.5, 0.5]] * 2] * 2, labels)
