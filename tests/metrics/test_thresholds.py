"""The best threshold against trying every threshold; smoothed rules against the same thing done step by step."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metric_case import MetricCase

from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.metrics.scoring import pair_scores
from iemomecp_dataset.metrics.thresholds import (
    THRESHOLD_RULES,
    bagged_threshold,
    best_threshold,
    expected_f1_threshold,
    threshold_by_rule,
)
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


class TestBaggedThreshold(MetricCase):
    of = bagged_threshold
    columns = ("probabilities", "labels", "dialogue_ids")
    without_gold = False

    def compute(self, pairs):
        return bagged_threshold(pairs.probabilities, pairs.labels, pairs.dialogue_ids, resamples=20)

    def reference(self, pairs):
        """Every sample scored as a data set of its own."""
        names, draws, found = sorted(set(pairs.dialogue_ids.tolist())), np.random.default_rng(0), []
        for _ in range(20):
            drawn = [names[place] for place in draws.integers(len(names), size=len(names))]
            chosen = np.concatenate([np.flatnonzero(pairs.dialogue_ids == name) for name in drawn])
            if (pairs.labels[chosen] == 0).any():
                found.append(best_threshold(pairs.probabilities[chosen], pairs.labels[chosen])[0])
        return np.mean(found)


class TestExpectedF1Threshold(MetricCase):
    of = expected_f1_threshold
    columns = ("probabilities", "labels")
    without_gold = False

    def compute(self, pairs):
        return expected_f1_threshold(pairs.probabilities, pairs.labels, calibration="none")

    def reference(self, pairs):
        scores = pairs.probabilities[:, 0]
        expected = {t: 2 * scores[scores >= t].sum() / ((scores >= t).sum() + scores.sum()) for t in set(scores)}
        return max(t for t in expected if expected[t] == pytest.approx(max(expected.values()), abs=1e-12))


class TestThresholdByRule(MetricCase):
    of = threshold_by_rule
    columns = ("probabilities", "labels", "dialogue_ids")
    without_gold = False

    def compute(self, pairs):
        given = pairs.probabilities, pairs.labels, pairs.dialogue_ids
        return [threshold_by_rule(rule, *given) for rule in ("best", "bagged", "expected_f1_uncalibrated")]

    def reference(self, pairs):
        return [
            best_threshold(pairs.probabilities, pairs.labels)[0],
            bagged_threshold(pairs.probabilities, pairs.labels, pairs.dialogue_ids),
            expected_f1_threshold(pairs.probabilities, pairs.labels, calibration="none"),
        ]


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


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 2))
def test_expected_f1_is_the_best_ratio_of_expectations(seed, missed):
    generator = np.random.default_rng(seed)
    scores = generator.integers(0, 11, 12) / 10
    labels = np.append(generator.integers(0, 2, 11), 0)
    threshold = expected_f1_threshold(scores, labels, missed_positives=missed, calibration="none")

    def expected(value):
        chosen = scores >= value
        return 2 * scores[chosen].sum() / (chosen.sum() + scores.sum() + missed)

    assert expected(threshold) == pytest.approx(max(map(expected, scores)))


def test_with_calibrated_probabilities_the_threshold_is_half_of_the_expected_f1():
    chances = np.linspace(0.001, 0.999, 999)
    threshold = expected_f1_threshold(chances, (chances < 0.5).astype(int), calibration="none")
    chosen = chances >= threshold
    assert threshold == pytest.approx(chances[chosen].sum() / (chosen.sum() + chances.sum()), abs=0.002)


@pytest.mark.parametrize("seed", range(5))
def test_isotonic_calibration_gives_the_best_threshold_of_the_split_itself(seed):
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, 300)
    scores = generator.uniform(size=300) * 0.7 + 0.3 * (labels == 0)
    threshold = expected_f1_threshold(scores, labels, calibration="isotonic")

    def f1(value):
        chosen = scores >= value
        return 2 * (chosen & (labels == 0)).sum() / (chosen.sum() + (labels == 0).sum())

    assert f1(threshold) == pytest.approx(best_threshold(scores, labels)[1])


def test_platt_calibration_undoes_a_shift_of_the_logits():
    generator = np.random.default_rng(0)
    logits = generator.normal(-1, 2, 20_000)
    labels = np.where(generator.uniform(size=len(logits)) < 1 / (1 + np.exp(-logits)), 0, 1)

    def threshold_of(shifted):
        value = expected_f1_threshold(1 / (1 + np.exp(-shifted)), labels)
        return np.log(value / (1 - value))

    # The same pairs are chosen whatever the scale and the place of the logits.
    plain = threshold_of(logits)
    assert (threshold_of(0.5 * logits + 2) - 2) / 0.5 == pytest.approx(plain, abs=0.02)
    true_chances = expected_f1_threshold(1 / (1 + np.exp(-logits)), labels, calibration="none")
    assert plain == pytest.approx(np.log(true_chances / (1 - true_chances)), abs=0.1)


def test_bagging_averages_the_optima_of_resampled_dialogues():
    generator = np.random.default_rng(1)
    labels = generator.integers(0, 2, 60)
    scores = np.round(generator.uniform(size=60) * 0.8 + 0.2 * (labels == 0), 2)
    dialogues = np.repeat(np.arange(10), 6).astype(str)
    # The same draws, each scored as a data set of its own.
    draws, found = np.random.default_rng(7), []
    for _ in range(30):
        chosen = np.concatenate([np.flatnonzero(dialogues == str(d)) for d in draws.integers(10, size=10)])
        found.append(best_threshold(scores[chosen], labels[chosen], missed_positives=2)[0])
    bagged = bagged_threshold(scores, labels, dialogues, missed_positives=2, resamples=30, seed=7)
    assert bagged == pytest.approx(np.mean(found))
    assert len(set(found)) > 1
    order = generator.permutation(60)
    again = bagged_threshold(scores[order], labels[order], dialogues[order], missed_positives=2, resamples=30, seed=7)
    assert again == pytest.approx(bagged)


def test_bagging_of_one_dialogue_is_its_best_threshold():
    scores, labels = [0.9, 0.6, 0.6, 0.1], [0, 1, 0, 1]
    assert bagged_threshold(scores, labels, ["d"] * 4) == best_threshold(scores, labels)[0]


def test_samples_without_gold_are_left_out():
    # Nine of ten dialogues have no gold: a third of the samples is of those alone.
    scores, labels = [0.8] + [0.2] * 9, [0] + [1] * 9
    assert bagged_threshold(scores, labels, np.arange(10).astype(str)) == 0.8


def test_rules_are_chosen_by_name():
    scores, labels, ids = [0.9, 0.7, 0.4, 0.3], [0, 1, 0, 1], ["a", "a", "b", "b"]
    assert threshold_by_rule("best", scores, labels, ids) == best_threshold(scores, labels)[0]
    assert threshold_by_rule("bagged", scores, labels, ids) == bagged_threshold(scores, labels, ids)
    assert threshold_by_rule("expected_f1", scores, labels, ids) == expected_f1_threshold(scores, labels)
    own = threshold_by_rule("expected_f1_uncalibrated", scores, labels, ids)
    assert own == expected_f1_threshold(scores, labels, calibration="none")
    with pytest.raises(MetricInputError, match=r"no threshold rule 'worst'\. Choose one of best, bagged, expected_f1"):
        threshold_by_rule("worst", scores, labels, ids)
    for rule in THRESHOLD_RULES:
        with pytest.raises(MetricInputError, match="None of the 2 pairs has gold class 0"):
            threshold_by_rule(rule, [0.5, 0.4], [1, 1], ["a", "b"])
    with pytest.raises(MetricInputError, match="dialogue_ids has 1 entries for 4 pairs"):
        bagged_threshold(scores, labels, ["a"])


def test_a_rule_of_where_all_is_gold_needs_no_calibration():
    assert expected_f1_threshold([0.9, 0.4], [0, 0]) == 0.4
