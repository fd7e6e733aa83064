"""Bootstrap and permutation against rescoring repeated rows one resample at a time."""

import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from set_reference import as_given, lists_of_pairs, slow_definition

from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.metrics.scoring import pair_scores
from iemomecp_dataset.metrics.set_scores import count_sets, pair_set, set_scores
from iemomecp_dataset.metrics.significance.bootstrap import bootstrap_intervals, paired_bootstrap, resample_systems
from iemomecp_dataset.metrics.significance.counts import candidate_unit_counts, set_unit_counts
from iemomecp_dataset.metrics.significance.permutation import permutation_test
from iemomecp_dataset.schema import PAIR_LABELS, ROLE_LABELS

KEYS = ("pair_f1", "pair_precision", "pair_recall", "macro_f1", "weighted_f1", "accuracy", "pair_auprc")


def repeated(pairs, weights, units):
    return np.repeat(np.arange(len(pairs)), weights[np.searchsorted(units, pairs.dialogue_ids)])


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("threshold", [None, 0.3])
def test_weighted_counts_score_as_repeated_rows(random_pairs, seed, threshold):
    pairs = random_pairs(seed)
    (counts,) = candidate_unit_counts(
        [pairs.probabilities],
        pairs.labels,
        pairs.dialogue_ids,
        ROLE_LABELS,
        thresholds=[threshold],
        missed_positives={"d0": 2, "d3": 1},
    )
    generator = np.random.default_rng(seed)
    for _ in range(5):
        weights = generator.integers(0, 4, len(counts.units))
        rows = repeated(pairs, weights, counts.units)
        if not len(rows):
            continue
        missed = int(weights @ [{"d0": 2, "d3": 1}.get(name, 0) for name in counts.units])
        expected = pair_scores(
            pairs.probabilities[rows], pairs.labels[rows], ROLE_LABELS, threshold=threshold, missed_positives=missed
        )
        found = counts.score(weights @ counts.counts)
        assert set(found) == set(KEYS)
        for key in KEYS:
            assert found[key] == pytest.approx(expected[key], abs=1e-6, nan_ok=True), key


def test_scores_of_the_sample_are_exact(random_pairs):
    pairs = random_pairs(3)
    expected = pair_scores(pairs.probabilities, pairs.labels, ROLE_LABELS, missed_positives=4)
    (counts,) = candidate_unit_counts(
        [pairs.probabilities], pairs.labels, pairs.dialogue_ids, ROLE_LABELS, missed_positives=4
    )
    for key in KEYS:
        assert counts.scores()[key] == pytest.approx(expected[key], abs=1e-12)


def test_interval_is_that_of_a_loop_over_resamples(random_pairs):
    pairs = random_pairs(5, n_dialogues=10)
    (counts,) = candidate_unit_counts([pairs.probabilities], pairs.labels, pairs.dialogue_ids, ROLE_LABELS)
    n_units = len(counts.units)
    drawn = np.random.default_rng(7).multinomial(n_units, [1 / n_units] * n_units, size=300)
    slow = []
    for weights in drawn:
        rows = repeated(pairs, weights, counts.units)
        slow.append(pair_scores(pairs.probabilities[rows], pairs.labels[rows], ROLE_LABELS)["pair_f1"])
    interval = bootstrap_intervals(counts, n_resamples=300, seed=7)["pair_f1"]
    assert (interval.low, interval.high) == pytest.approx(tuple(np.quantile(slow, [0.025, 0.975])))
    assert interval.standard_error == pytest.approx(np.std(slow, ddof=1))
    assert (interval.n_units, interval.n_resamples, interval.n_undefined) == (n_units, 300, 0)


def two_systems(random_pairs, seed, better):
    pairs = random_pairs(seed, n_dialogues=14)
    generator = np.random.default_rng(seed)
    gold = np.eye(3)[pairs.labels]
    noise = [generator.dirichlet([1, 1, 1], len(pairs)) for _ in range(2)]
    systems = [0.5 * noise[0] + 0.5 * noise[0], (1 - better) * noise[1] + better * gold]
    return pairs, candidate_unit_counts(systems, pairs.labels, pairs.dialogue_ids, ROLE_LABELS)


def test_paired_tests_find_a_clear_difference_and_no_difference(random_pairs):
    _, (base, better) = two_systems(random_pairs, 0, 0.6)
    bootstrap, permutation = paired_bootstrap(better, base), permutation_test(better, base)
    for key in KEYS:
        assert bootstrap[key].estimate == pytest.approx(permutation[key].difference, abs=1e-6)
        assert bootstrap[key].low > 0
        assert bootstrap[key].p_value < 0.01
        assert permutation[key].p_value < 0.01
    same_bootstrap, same_permutation = paired_bootstrap(base, base), permutation_test(base, base)
    assert same_bootstrap["pair_f1"].p_value == same_permutation["pair_f1"].p_value == 1.0
    assert (same_bootstrap["pair_f1"].low, same_bootstrap["pair_f1"].high) == (0.0, 0.0)


def test_bootstrap_p_value_is_twice_the_smaller_tail(random_pairs):
    pairs = random_pairs(6, n_dialogues=9)
    generator = np.random.default_rng(0)
    systems = [generator.dirichlet([1, 1, 1], len(pairs)) for _ in range(2)]
    counts = candidate_unit_counts(systems, pairs.labels, pairs.dialogue_ids, ROLE_LABELS)
    n_units = len(counts[0].units)
    drawn = np.random.default_rng(3).multinomial(n_units, [1 / n_units] * n_units, size=400)
    differences = []
    for weights in drawn:
        rows = repeated(pairs, weights, counts[0].units)
        first, second = (pair_scores(p[rows], pairs.labels[rows], ROLE_LABELS)["macro_f1"] for p in systems)
        differences.append(first - second)
    tail = min(sum(d <= 0 for d in differences), sum(d >= 0 for d in differences))
    found = paired_bootstrap(*counts, n_resamples=400, seed=3)["macro_f1"]
    assert 0 < tail < 200
    assert found.p_value == pytest.approx(2 * (tail + 1) / 401)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(differences, [0.025, 0.975])))


def test_permutation_p_value_is_near_that_of_all_exchanges(random_pairs):
    pairs = random_pairs(2, n_dialogues=7)
    generator = np.random.default_rng(0)
    systems = [generator.dirichlet([1, 1, 1], len(pairs)) for _ in range(2)]
    one, other = candidate_unit_counts(systems, pairs.labels, pairs.dialogue_ids, ROLE_LABELS)
    observed = pair_scores(systems[0], pairs.labels, ROLE_LABELS)
    observed_other = pair_scores(systems[1], pairs.labels, ROLE_LABELS)
    units = one.units.tolist()
    extreme = dict.fromkeys(KEYS, 0)
    for exchange in itertools.product([False, True], repeat=len(units)):
        swapped = np.array([exchange[units.index(name)] for name in pairs.dialogue_ids])[:, None]
        first = pair_scores(np.where(swapped, systems[1], systems[0]), pairs.labels, ROLE_LABELS)
        second = pair_scores(np.where(swapped, systems[0], systems[1]), pairs.labels, ROLE_LABELS)
        for key in KEYS:
            extreme[key] += abs(first[key] - second[key]) >= abs(observed[key] - observed_other[key]) - 1e-9
    tests = permutation_test(one, other, n_permutations=4000)
    for key in KEYS:
        assert tests[key].p_value == pytest.approx(extreme[key] / 2 ** len(units), abs=0.04), key


def test_p_values_are_spread_evenly_when_systems_are_alike(random_pairs):
    p_values = [
        permutation_test(*two_systems(random_pairs, seed, 0.0)[1], n_permutations=200)["pair_f1"].p_value
        for seed in range(40)
    ]
    assert 0.3 < np.mean(p_values) < 0.7
    assert min(p_values) > 1 / 201


def test_runs_over_seeds_are_averaged(random_pairs):
    pairs = random_pairs(4, n_dialogues=8)
    generator = np.random.default_rng(0)
    runs = candidate_unit_counts(
        [generator.dirichlet([1, 1, 1], len(pairs)) for _ in range(3)], pairs.labels, pairs.dialogue_ids, ROLE_LABELS
    )
    interval = bootstrap_intervals(runs, n_resamples=50)["pair_f1"]
    assert interval.estimate == pytest.approx(np.mean([run.scores()["pair_f1"] for run in runs]))
    alone, thrice = (bootstrap_intervals(system, n_resamples=50)["pair_f1"] for system in (runs[:1], [runs[0]] * 3))
    assert (thrice.low, thrice.high) == pytest.approx((alone.low, alone.high))
    difference = permutation_test(runs[:2], runs[1:], n_permutations=50)["pair_f1"].difference
    assert difference == pytest.approx((runs[0].scores()["pair_f1"] - runs[2].scores()["pair_f1"]) / 2)


@pytest.mark.parametrize("letter", "ABCD")
def test_set_scores_are_resampled_too(letter):
    generator = np.random.default_rng(0)

    def some():
        rows = sorted(
            {(f"d{generator.integers(6)}", int(generator.integers(3)), int(generator.integers(3))) for _ in range(40)}
        )
        return pair_set(*zip(*rows, strict=True), ["joy", "anger"] * (len(rows) // 2) + ["joy"] * (len(rows) % 2))

    predicted, gold = some(), some()
    counts = set_unit_counts(count_sets(predicted, gold, definition=letter))
    interval = bootstrap_intervals(counts, n_resamples=200)["pair_f1"]
    assert interval.estimate == pytest.approx(set_scores(predicted, gold, definition=letter)["pair_f1"])
    assert interval.low < interval.estimate < interval.high


@settings(max_examples=150, deadline=None)
@given(lists_of_pairs(), lists_of_pairs(), st.sampled_from("ABCD"), st.tuples(*[st.integers(0, 3)] * 3))
def test_a_resample_counts_the_pairs_of_a_dialogue_once_for_each_time_it_is_drawn(predicted, gold, letter, times):
    def drawn(rows):
        return [(f"{d}{copy}", *rest) for d, *rest in rows for copy in range(times["abc".index(d)])]

    sources = {name: name for name in "abc"}
    counts = set_unit_counts(
        count_sets(as_given(predicted), as_given(gold), definition=letter, source_dialogues=sources)
    )
    found = counts.score(np.array(times) @ counts.counts)
    expected = slow_definition(letter, drawn(predicted), drawn(gold))
    assert [found[f"pair_{kind}"] for kind in ("precision", "recall", "f1")] == pytest.approx(expected, abs=1e-12)
    (resampled,) = resample_systems([counts], n_resamples=20)
    assert all(np.nanmax(values) <= 1 for values in resampled.samples.values())


@pytest.mark.parametrize("letter", "AB")
def test_a_system_that_names_each_pair_twice_does_not_differ_from_one_that_names_it_once(letter):
    rows = [(f"d{i}", target, 1, "joy") for i in range(5) for target in (1, 2)]
    twice = [*rows, *((*row[:3], "anger") for row in rows)]
    for gold in (rows[::2], twice[::3]):
        pair = [
            set_unit_counts(count_sets(as_given(system), as_given(gold), definition=letter)) for system in (rows, twice)
        ]
        for name, interval in paired_bootstrap(*pair, n_resamples=50).items():
            assert (interval.estimate, interval.low, interval.high) == (0, 0, 0), name
        assert permutation_test(*pair, n_permutations=50)["pair_f1"].p_value == 1.0


def test_resamples_without_gold_are_counted_and_left_out():
    (counts,) = candidate_unit_counts([np.array([[0.9, 0.1], [0.2, 0.8]])], [0, 1], ["a", "b"], PAIR_LABELS)
    interval = bootstrap_intervals(counts, n_resamples=400)["pair_auprc"]
    assert 50 < interval.n_undefined < 150
    assert interval.low == interval.high == 1.0
    assert interval.p_value is None


def test_equal_seeds_give_equal_intervals(random_pairs):
    pairs = random_pairs(1)
    (counts,) = candidate_unit_counts([pairs.probabilities], pairs.labels, pairs.dialogue_ids, ROLE_LABELS)
    first, second = (bootstrap_intervals(counts, n_resamples=100, seed=3) for _ in range(2))
    assert first["pair_f1"] == second["pair_f1"]
    assert first["pair_f1"] != bootstrap_intervals(counts, n_resamples=100, seed=4)["pair_f1"]


@pytest.mark.slow
def test_ten_thousand_resamples_of_the_published_test_split_take_under_ten_seconds():
    generator = np.random.default_rng(0)
    n = 18264
    labels, units = generator.choice(3, n, p=[0.1, 0.05, 0.85]), generator.integers(0, 31, n).astype(str)
    systems = [generator.dirichlet([1, 1, 1], n) for _ in range(2)]
    began = time.process_time()  # of this process, whatever else the machine does
    one, other = candidate_unit_counts(systems, labels, units, ROLE_LABELS)
    bootstrap_intervals(one)
    paired_bootstrap(one, other)
    permutation_test(one, other)
    assert time.process_time() - began < 10


def test_what_cannot_be_resampled_is_refused():
    one, other = candidate_unit_counts([[0, 1], [0, 0]], [0, 1], ["a", "b"], PAIR_LABELS)
    (lonely,) = candidate_unit_counts([[0, 1]], [0, 1], ["a", "a"], PAIR_LABELS)
    (elsewhere,) = candidate_unit_counts([[0, 1]], [0, 1], ["a", "c"], PAIR_LABELS)
    (soft,) = candidate_unit_counts([np.eye(2)], [0, 1], ["a", "b"], PAIR_LABELS)
    with pytest.raises(MetricInputError, match="at least two dialogues"):
        bootstrap_intervals(lonely)
    with pytest.raises(MetricInputError, match="n_resamples"):
        bootstrap_intervals(one, n_resamples=0)
    with pytest.raises(MetricInputError, match="confidence"):
        bootstrap_intervals(one, confidence=95)
    with pytest.raises(MetricInputError, match="the first is 'b'"):
        paired_bootstrap(one, elsewhere)
    with pytest.raises(MetricInputError, match="as many runs"):
        permutation_test([one, other], [one])
    with pytest.raises(MetricInputError, match="other kinds"):
        permutation_test(one, soft)
    with pytest.raises(MetricInputError, match="n_permutations"):
        permutation_test(one, other, n_permutations=0)
    with pytest.raises(MetricInputError, match="units must have one entry"):
        candidate_unit_counts([[0, 1]], [0, 1], ["a"], PAIR_LABELS)
    with pytest.raises(MetricInputError, match="count of 0 or more"):
        candidate_unit_counts([[0, 1]], [0, 1], ["a", "b"], PAIR_LABELS, missed_positives=-1)
    with pytest.raises(MetricInputError, match="at least one system"):
        candidate_unit_counts([], [0, 1], ["a", "b"], PAIR_LABELS)
