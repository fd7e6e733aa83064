from __future__ import annotations

import numpy as np
import pytest
from drawn_axes import _no_windows, legend_texts  # noqa: F401
from sklearn.calibration import calibration_curve

from iemomecp_dataset.benchmark import plot_reliability
from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.metrics.calibration import expected_calibration_error
from iemomecp_dataset.pictures.axes_look import drawn_systems

pytestmark = pytest.mark.usefixtures("_no_windows")


def made_up(n=400, seed=0):
    rng = np.random.default_rng(seed)
    confidences = rng.permutation(np.linspace(0.001, 0.999, n))
    return confidences, (rng.random(n) > confidences**2).astype(int)


def test_the_line_is_scikit_learns_and_the_legend_has_the_calibration_error_in_percent():
    confidences, labels = made_up()
    axes = plot_reliability(confidences, labels, n_bins=10, label="ours")
    rate, mean = calibration_curve(labels == 0, confidences, n_bins=10, strategy="quantile")
    (line,) = drawn_systems(axes)
    np.testing.assert_allclose(line.get_xydata(), np.column_stack([mean, rate]))
    error = 100 * expected_calibration_error(confidences, labels == 0, n_bins=10)
    assert legend_texts(axes) == [f"ours (ECE\N{NO-BREAK SPACE}{error:.1f})"]


def test_the_diagonal_is_drawn_once_and_as_long_as_the_longest_curve_needs():
    axes = plot_reliability([0.1, 0.2, 0.3, 0.4], [1, 1, 1, 0], n_bins=2)
    plot_reliability([0.1, 0.2, 0.8, 0.9], [1, 1, 0, 0], n_bins=2, ax=axes)
    diagonals = [line for line in axes.lines if line not in drawn_systems(axes)]
    assert [line.get_xydata().tolist() for line in diagonals] == [[[0, 0], [1, 1]]]


def test_the_probabilities_of_three_classes_give_that_of_class_0():
    axes = plot_reliability([[0.2, 0.5, 0.3], [0.6, 0.2, 0.2]], [2, 0], n_bins=2)
    np.testing.assert_allclose(drawn_systems(axes)[0].get_xydata(), [[0.2, 0.0], [0.6, 1.0]])


def test_bins_are_counted_from_one():
    with pytest.raises(MetricInputError, match="n_bins must be a whole number of at least 1; found 0"):
        plot_reliability([0.2, 0.7], [1, 0], n_bins=0)
