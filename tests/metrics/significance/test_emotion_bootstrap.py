"""Emotion scores resampled by dialogue, against scoring each resample from its utterances."""

import numpy as np
import pytest

from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.metrics.emotion_scoring import emotion_scores
from iemomecp_dataset.metrics.significance.bootstrap import bootstrap_intervals, paired_bootstrap, resample_systems
from iemomecp_dataset.metrics.significance.emotion_bootstrap import emotion_unit_counts
from iemomecp_dataset.metrics.significance.permutation import permutation_test

NAMES = ("neutral", "joy", "anger")
GENERATOR = np.random.default_rng(0)
DIALOGUES = GENERATOR.choice(["a", "b", "c", "d", "e"], 60)
LABELS = GENERATOR.integers(0, 3, 60)
RUNS = [GENERATOR.dirichlet(np.ones(3), 60) for _ in range(4)]


def counts_of(systems, labels=LABELS, neutral="neutral"):
    return emotion_unit_counts(systems, labels, DIALOGUES, NAMES, neutral=neutral)


def test_the_sample_scores_as_emotion_scores_does():
    for system, counts in zip(RUNS, counts_of(RUNS), strict=True):
        whole = emotion_scores(system, LABELS, NAMES, neutral="neutral")
        found = counts.scores()
        assert set(found) == {
            *("weighted_f1", "accuracy", "macro_f1", "weighted_f1_without_neutral"),
            *(f"{name}_f1" for name in NAMES),
        }
        for key, value in found.items():
            assert value == pytest.approx(whole[key], abs=1e-12), key
    assert "weighted_f1_without_neutral" not in counts_of(RUNS[:1], neutral=None)[0].scores()


def test_each_resample_scores_as_its_utterances_do():
    """Dialogue d drawn k times is its utterances k times."""
    (counts,) = counts_of(RUNS[:1])
    (resampled,) = resample_systems([counts], n_resamples=20, seed=3)
    drawn = np.random.default_rng(3).multinomial(5, np.full(5, 1 / 5), size=20)
    for i, weights in enumerate(drawn):
        times = weights[np.searchsorted(counts.units, DIALOGUES)]
        rows = np.repeat(np.arange(60), times)
        whole = emotion_scores(RUNS[0][rows], LABELS[rows], NAMES, neutral="neutral")
        for key, values in resampled.samples.items():
            assert values[i] == pytest.approx(whole[key], abs=1e-12), key


def test_paired_differences_average_the_seeds_of_each_system():
    counts = counts_of(RUNS)
    difference = paired_bootstrap(counts[:2], counts[2:], n_resamples=200)["weighted_f1"]
    means = [np.mean([one.scores()["weighted_f1"] for one in runs]) for runs in (counts[:2], counts[2:])]
    assert difference.estimate == pytest.approx(means[0] - means[1])
    assert difference.low <= difference.estimate <= difference.high
    assert permutation_test(counts[:2], counts[2:], n_permutations=99)["weighted_f1"].difference == pytest.approx(
        difference.estimate
    )
    same = permutation_test(counts[0], counts[0], n_permutations=99)
    assert {test.p_value for test in same.values()} == {1.0}


def test_hard_ids_and_probabilities_count_the_same():
    soft, hard = (counts_of([system])[0] for system in (RUNS[0], RUNS[0].argmax(axis=1)))
    assert bootstrap_intervals(soft, n_resamples=50) == bootstrap_intervals(hard, n_resamples=50)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([], LABELS, DIALOGUES, NAMES), "no systems"),
        ((RUNS, LABELS, DIALOGUES[:-1], NAMES), "one entry per utterance"),
        ((RUNS, LABELS[:-1], DIALOGUES, NAMES), "each utterance needs one of both"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, words):
    with pytest.raises(MetricInputError, match=words):
        emotion_unit_counts(*arguments)
    with pytest.raises(MetricInputError, match="not among the classes"):
        counts_of(RUNS, neutral="neu")
