from __future__ import annotations

import numpy as np
import pytest
from drawn_axes import _no_windows, assert_inside, legend_texts  # noqa: F401
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, precision_score, recall_score
from sklearn.metrics import precision_recall_curve as sklearn_curve

from iemomecp_dataset.benchmark import plot_precision_recall
from iemomecp_dataset.benchmark.plots.precision_recall import letter_places, precision_recall_curve
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.pictures.axes_look import drawn_systems

pytestmark = pytest.mark.usefixtures("_no_windows")

pairs = st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9]), st.booleans()), min_size=1, max_size=60)


@given(pairs)
def test_the_curve_is_scikit_learns(values):
    scores, positive = np.array([s for s, _ in values]), np.array([p for _, p in values])
    if not positive.any():
        return
    recall, precision = precision_recall_curve(scores, positive)
    expected_precision, expected_recall, _ = sklearn_curve(positive, scores, drop_intermediate=False)
    np.testing.assert_allclose(recall, expected_recall[::-1][1:])
    np.testing.assert_allclose(precision, expected_precision[::-1][1:])
    steps = np.diff(np.concatenate([[0], recall]))
    assert (steps * precision).sum() == pytest.approx(average_precision_score(positive, scores))


def test_missed_positives_keep_recall_below_one():
    recall, _ = precision_recall_curve(np.array([0.9, 0.1]), np.array([True, False]), missed_positives=3)
    assert recall.tolist() == [0.25, 0.25]


@given(st.lists(st.tuples(st.floats(0.1, 0.9), st.floats(0.1, 0.9)), min_size=1, max_size=7, unique=True))
def test_letters_stand_beside_their_own_points_and_apart_from_each_other(points):
    places = letter_places(points)
    for (x, y), (letter_x, letter_y) in zip(points, places, strict=True):
        assert 0.02 < np.hypot(x - letter_x, y - letter_y) < 0.04
    # Up to six letters around one spot have room.
    assert len({(round(x, 6), round(y, 6)) for x, y in places}) == len(points)


def made_up(n=300, n_classes=3, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, n_classes, n)
    logits = rng.normal(size=(n, n_classes)) + 1.5 * np.eye(n_classes)[labels]
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), labels


@pytest.mark.parametrize("threshold", [None, 0.6])
def test_line_and_marker_are_scikit_learns(threshold):
    probabilities, labels = made_up()
    axes = plot_precision_recall(probabilities, labels, threshold=threshold, label="ours")
    precision, recall, _ = sklearn_curve(labels == 0, probabilities[:, 0], drop_intermediate=False)
    (curve,) = drawn_systems(axes)
    np.testing.assert_allclose(curve.get_xydata(), np.column_stack([recall, precision])[::-1][1:])
    marker = axes.lines[-1]
    found = probabilities[:, 0] >= threshold if threshold else probabilities.argmax(axis=1) == 0
    expected = recall_score(labels == 0, found), precision_score(labels == 0, found)
    np.testing.assert_allclose(marker.get_xydata(), [expected])
    assert legend_texts(axes) == ["ours"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("recall", "precision")


def test_confidences_alone_have_a_marker_only_with_a_threshold():
    probabilities, labels = made_up()
    without = plot_precision_recall(probabilities[:, 0], labels)
    with_one = plot_precision_recall(probabilities[:, 0], labels, threshold=0.5)
    assert len(with_one.lines) == len(without.lines) + 1
    assert without.get_legend() is None  # no name, no legend


def test_systems_in_the_same_axes_take_the_next_colours_and_the_lines_of_equal_f1_stay_once():
    from matplotlib import pyplot as plt

    _, (axes, other) = plt.subplots(1, 2, layout="constrained")
    for number in range(3):
        assert plot_precision_recall(*made_up(seed=number), label=f"system {number}", ax=axes) is axes
    assert len({line.get_color() for line in drawn_systems(axes)}) == 3
    assert [text.get_text() for text in axes.texts] == ["F1 20", "F1 40", "F1 60", "F1 80"]
    assert legend_texts(axes) == ["system 0", "system 1", "system 2"]
    assert not other.lines  # nothing is drawn into the current axes


def test_missed_positives_are_in_every_recall():
    axes = plot_precision_recall([[0.9, 0.1], [0.2, 0.8]], [0, 1], missed_positives=1, label="ours")
    assert drawn_systems(axes)[0].get_xdata().max() == 0.5
    assert axes.lines[-1].get_xydata().tolist() == [[0.5, 1.0]]


def test_baselines_are_lettered_points_that_the_legend_names():
    axes = plot_precision_recall(*made_up(), label="ours", baselines={"distance only": (0.4, 0.3), "self": (0.2, 0.5)})
    diamonds = [line.get_xydata().tolist() for line in axes.lines if line.get_marker() == "D"]
    assert diamonds == [[[0.4, 0.3]], [[0.2, 0.5]]]
    assert [text.get_text() for text in axes.texts][-2:] == ["a", "b"]
    assert legend_texts(axes) == ["ours", "distance only", "self"]
    plot_precision_recall(*made_up(seed=1), label="theirs $x$", ax=axes)
    assert legend_texts(axes) == ["ours", "theirs $x$", "distance only", "self"]  # systems first
    assert not axes.get_legend().get_texts()[1].get_parse_math()


@pytest.mark.parametrize("point", [(40, 30), (0.4,), "ab", (0.4, float("nan")), None])
def test_a_baseline_is_a_point_of_the_unit_square(point):
    with pytest.raises(UsageError, match=r"pair \(recall, precision\) of numbers between 0 and 1; found .* for 'self'"):
        plot_precision_recall(*made_up(), baselines={"self": point})


@pytest.mark.parametrize("n_systems", [2, 12, 40])
def test_the_legend_shows_every_system_whole(n_systems):
    axes = None
    names = [f"RPCL T dialogue trained, version {number}" for number in range(n_systems)]
    for number, name in enumerate(names):
        axes = plot_precision_recall(*made_up(60, seed=number), label=name, ax=axes)
    assert legend_texts(axes) == names
    assert_inside(axes.figure, axes.get_legend(), axes.xaxis.label, axes.yaxis.label)
    assert axes.get_window_extent().width > 300
    looks = {(line.get_color(), line.get_marker(), str(line.get_linestyle())) for line in drawn_systems(axes)}
    assert len(looks) == n_systems
