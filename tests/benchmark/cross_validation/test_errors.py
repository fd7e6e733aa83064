"""Standard errors over folds and seeds, against simulation and cases worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from iemomecp_dataset.benchmark.cross_validation.errors import crossed_mean_and_error


def test_one_seed_is_the_error_over_folds() -> None:
    mean, error = crossed_mean_and_error([[0.50], [0.54], [0.58], [0.50]])
    values = np.array([0.50, 0.54, 0.58, 0.50])
    assert mean == pytest.approx(0.53)
    assert error == pytest.approx(values.std(ddof=1) / 2)


def test_seeds_that_repeat_each_other_add_nothing() -> None:
    one = crossed_mean_and_error([[0.50], [0.54], [0.58]])
    assert crossed_mean_and_error([[0.50] * 3, [0.54] * 3, [0.58] * 3]) == pytest.approx(one)


def test_it_is_the_spread_of_the_mean_in_simulations() -> None:
    generator = np.random.default_rng(0)
    shape, n = (5, 4), 4000
    folds, seeds = generator.normal(0, 0.02, (n, 5, 1)), generator.normal(0, 0.01, (n, 1, 4))
    scores = 0.5 + folds + seeds + generator.normal(0, 0.01, (n, *shape))
    truth = 0.02**2 / 5 + 0.01**2 / 4 + 0.01**2 / 20
    variances = [crossed_mean_and_error(one)[1] ** 2 for one in scores]
    assert np.mean(variances) == pytest.approx(truth, rel=0.05)
    assert scores.mean(axis=(1, 2)).var() == pytest.approx(truth, rel=0.05)


def test_what_cannot_be_computed_is_nan() -> None:
    assert all(map(math.isnan, crossed_mean_and_error([[0.5], [math.nan]])))
    mean, error = crossed_mean_and_error([[0.5, 0.6]])
    assert mean == pytest.approx(0.55)
    assert math.isnan(error)
    assert all(map(math.isnan, crossed_mean_and_error(np.empty((0, 1)))))
