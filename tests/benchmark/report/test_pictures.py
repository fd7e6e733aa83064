from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score
from sklearn.metrics import precision_recall_curve as sklearn_curve

from iemomecp_dataset.benchmark.baselines.structural import DISTANCE_BUCKETS, distance_buckets
from iemomecp_dataset.benchmark.plots.distance import best_distance_f1, f1_by_distance
from iemomecp_dataset.benchmark.plots.precision_recall import letter_places, precision_recall_curve
from iemomecp_dataset.benchmark.report.pair_matrix import choose_dialogue, pair_matrix_picture
from iemomecp_dataset.metrics.evaluation.predictions import Predictions
from iemomecp_dataset.pair_table import PairTable

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


def predictions_of(dialogues: dict[str, tuple[int, int]]) -> Predictions:
    """By id: number of turns, and number of gold pairs, which are the first candidates."""
    ids, targets, causes, labels = [], [], [], []
    for name, (n, n_gold) in dialogues.items():
        grid = [(t, c) for t in range(1, n + 1) for c in range(1, n + 1)]
        ids += [name] * len(grid)
        targets += [t for t, _ in grid]
        causes += [c for _, c in grid]
        labels += [0 if i < n_gold else 1 for i in range(len(grid))]
    probabilities = np.tile([0.3, 0.7], (len(ids), 1))
    return Predictions(
        pairs=PairTable(*(np.array(column) for column in (ids, ids, targets, causes, labels))),
        probabilities=probabilities,
        class_names=("pair", "non_pair"),
    )


def test_the_shown_dialogue_has_most_gold_pairs_among_those_of_moderate_length():
    assert choose_dialogue(predictions_of({"short": (3, 9), "a": (8, 4), "b": (10, 7), "long": (30, 200)})) == "b"
    assert choose_dialogue(predictions_of({"short": (3, 2), "shorter": (2, 3)})) == "shorter"


def test_a_matrix_draws_every_gold_pair_and_every_candidate():
    """Structure, not pixels: squares of the series colour in the gold panel, grey ones for candidates in both."""
    predictions = predictions_of({"d": (6, 5)})
    drawn = pair_matrix_picture("d", [("a system", predictions)]).svg
    assert "a system" in drawn
    gold = drawn.split("axes_2")[0]
    assert gold.count("fill: var(--series-0)") == 5
    assert gold.count("fill: var(--grid)") == 36
    missed = drawn.split('id="axes_2"')[1].split('id="legend')[0]
    assert missed.count("stroke: var(--series-1)") == 5  # P = 0.3 is below one half: all are missed


@given(st.lists(st.tuples(st.floats(0.1, 0.9), st.floats(0.1, 0.9)), min_size=1, max_size=7, unique=True))
def test_letters_stand_beside_their_own_points_and_apart_from_each_other(points):
    places = letter_places(points)
    for (x, y), (letter_x, letter_y) in zip(points, places, strict=True):
        assert 0.02 < np.hypot(x - letter_x, y - letter_y) < 0.04
    # Up to six letters around one spot have room.
    assert len({(round(x, 6), round(y, 6)) for x, y in places}) == len(points)
