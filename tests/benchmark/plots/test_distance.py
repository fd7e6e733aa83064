from __future__ import annotations

import numpy as np
import pytest
from drawn_axes import _no_windows, assert_inside, legend_texts  # noqa: F401
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import pyplot as plt
from sklearn.metrics import f1_score

from iemomecp_dataset.benchmark import plot_distance
from iemomecp_dataset.benchmark.baselines.structural import DISTANCE_BUCKETS, distance_buckets
from iemomecp_dataset.benchmark.plots.distance import best_distance_f1, f1_by_distance
from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.pictures.axes_look import drawn_systems

pytestmark = pytest.mark.usefixtures("_no_windows")

triples = st.lists(st.tuples(st.integers(-3, 15), st.booleans(), st.booleans()), min_size=1, max_size=80)


@given(triples)
def test_f1_by_distance_is_f1_among_the_pairs_of_a_bucket(values):
    distances, gold, predicted = (np.array(column) for column in zip(*values, strict=True))
    got = f1_by_distance(distances, gold, predicted)
    bar = best_distance_f1(distances, gold)
    buckets = distance_buckets(distances)
    for bucket in range(len(DISTANCE_BUCKETS)):
        here = buckets == bucket
        if not gold[here].any():
            assert np.isnan(got[bucket])
            continue
        assert got[bucket] == pytest.approx(f1_score(gold[here], predicted[here], zero_division=0))
        share = gold[here].mean()
        assert bar[bucket] == pytest.approx(2 * share / (1 + share))


def made_up(n=500, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    targets = rng.integers(1, 20, n)
    causes = np.maximum(1, targets - rng.integers(0, 15, n))
    labels[targets - causes == 2] = 1  # a distance without gold pairs
    predicted = np.where(np.random.default_rng(seed + 1).random(n) < 0.7, labels, 1 - labels)
    return predicted, labels, targets, causes


def test_markers_and_bars_are_f1_in_percent_at_the_distances_that_have_gold_pairs():
    predicted, labels, targets, causes = made_up()
    axes = plot_distance(predicted, labels, targets, causes, label="ours")
    ticks = [text.get_text().split("\n") for text in axes.get_xticklabels()]
    assert [name for name, _ in ticks] == ["0", "1", "3", "4-5", "6-10", ">10"]
    distances = targets - causes
    groups = [distances == 0, distances == 1, distances == 3, (distances >= 4) & (distances <= 5),
              (distances >= 6) & (distances <= 10), distances > 10]  # fmt: skip
    assert [int(count) for _, count in ticks] == [int((labels[here] == 0).sum()) for here in groups]
    scores = [100 * f1_score(labels[here] == 0, predicted[here] == 0) for here in groups]
    np.testing.assert_allclose(drawn_systems(axes)[0].get_ydata(), scores)
    bounds = [100 * f1_score(labels[here] == 0, np.ones(here.sum(), dtype=bool)) for here in groups]
    np.testing.assert_allclose([bar.get_height() for bar in axes.patches], bounds)
    assert legend_texts(axes) == ["ours", "every candidate at that distance as a pair"]
    low, high = axes.get_ylim()
    assert low == 0
    assert high > max(*scores, *bounds)


def test_systems_stand_beside_each_other_within_their_distance_and_all_are_in_view():
    axes = None
    for number in range(40):
        _, labels, targets, causes = made_up()
        wrong = np.random.default_rng(number).random(len(labels)) < 0.02 * number
        axes = plot_distance(np.where(wrong, 1 - labels, labels), labels, targets, causes, label=f"#{number}", ax=axes)
    lines = drawn_systems(axes)
    first = [line.get_xdata()[0] for line in lines]
    assert len(lines) == 40
    assert np.all(np.diff(first) > 0)
    assert -0.5 < first[0] < first[-1] < 0.5
    assert np.mean(first) == pytest.approx(0)
    assert axes.get_ylim()[1] > max(line.get_ydata().max() for line in lines)
    assert len(axes.patches) == 6  # the bars stay once
    assert len(legend_texts(axes)) == 41
    assert_inside(axes.figure, axes.get_legend(), axes.xaxis.label)


@pytest.mark.parametrize("width", [None, 7.0])
def test_the_legend_stands_below_the_axes_where_it_covers_no_bar(width):
    _, (axes, _) = plt.subplots(1, 2, layout="constrained", figsize=(width, 3.4)) if width else (None, (None, None))
    for number in range(3):
        axes = plot_distance(*made_up(), label=f"RPCL T dialogue trained, version {number}", ax=axes)
        axes.set_title("ECF")
    assert_inside(axes.figure, axes.get_legend(), axes.xaxis.label, axes.title)
    legend = axes.get_legend().get_window_extent()
    assert legend.y1 <= axes.xaxis.label.get_window_extent().y0
    assert legend.width <= axes.figure.bbox.width / (2 if width else 1)


def test_other_gold_pairs_do_not_go_into_the_same_axes():
    axes = plot_distance(*made_up())
    with pytest.raises(MetricInputError, match="F1 by distance of other gold pairs"):
        plot_distance(*made_up(seed=5), ax=axes)


@pytest.mark.parametrize("turns", [[1], [1.0, 2.0], ["1", "2"], [[1, 2]]])
def test_turns_are_whole_numbers_one_per_pair(turns):
    with pytest.raises(MetricInputError, match="cause_turns must be one whole number per pair"):
        plot_distance([0, 1], [0, 1], [1, 2], turns)


def test_a_threshold_decides_on_confidences():
    confidences, labels, turns = [0.2, 0.8, 0.3], [0, 0, 1], [1, 2, 3]
    found = [
        drawn_systems(plot_distance(confidences, labels, turns, turns, threshold=threshold))[0].get_ydata()
        for threshold in (0.1, 0.5)
    ]
    np.testing.assert_allclose(found, [[80.0], [100 * 2 / 3]])
