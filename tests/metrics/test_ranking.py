"""Ranking and confidence gaps against loops over targets."""

import math

import numpy as np
import pytest

from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.metrics.ranking import cause_ranking_scores, confidence_gap_scores


def by_target(pairs):
    rows = {}
    for d, t, p, label in zip(
        pairs.dialogue_ids, pairs.target_turns, pairs.probabilities[:, 0], pairs.labels, strict=True
    ):
        rows.setdefault((d, t), []).append((p, label == 0))
    return rows


def arguments(pairs):
    return pairs.probabilities[:, 0], pairs.labels == 0, pairs.dialogue_ids, pairs.target_turns


@pytest.mark.parametrize("seed", range(15))
def test_ranking_is_that_of_a_loop_over_targets(random_pairs, seed):
    pairs = random_pairs(seed)
    reciprocal, hits, recalls = [], [], {1: [], 2: [], 4: []}
    for row in by_target(pairs).values():
        golds = [p for p, y in row if y]
        if not golds:
            continue
        negatives = [p for p, y in row if not y]
        # Negatives of equal confidence come first; golds among equals follow one another.
        ranks = []
        for i, p in enumerate(sorted(golds, reverse=True)):
            ranks.append(1 + i + sum(q >= p for q in negatives))
        reciprocal.append(1 / ranks[0])
        hits.append(ranks[0] == 1)
        for k, values in recalls.items():
            values.append(sum(rank <= k for rank in ranks) / len(golds))
    scores = cause_ranking_scores(*arguments(pairs), recall_at=(1, 2, 4))
    assert scores["mrr"] == pytest.approx(np.mean(reciprocal))
    assert scores["hit_at_1"] == pytest.approx(np.mean(hits))
    assert scores["n_targets"] == len(reciprocal)
    for k, values in recalls.items():
        assert scores[f"recall_at_{k}"] == pytest.approx(np.mean(values))


@pytest.mark.parametrize("seed", range(15))
@pytest.mark.parametrize("top_k", [1, 2, 8])
def test_gaps_are_those_of_a_loop_over_triples(random_pairs, seed, top_k):
    pairs = random_pairs(seed)
    gaps, hard, everything, golds_seen, left_out = [], [], [], [], 0
    for row in by_target(pairs).values():
        golds, negatives = [p for p, y in row if y], sorted((p for p, y in row if not y), reverse=True)
        golds_seen += golds
        if not golds or not negatives:
            left_out += 1
            continue
        gaps.append(np.mean(golds) - np.mean(negatives))
        hard += [max(0.3 - (g - n), 0) for g in golds for n in negatives[:top_k]]
        everything += [max(0.3 - (g - n), 0) for g in golds for n in negatives]
    scores = confidence_gap_scores(*arguments(pairs), margin=0.3, top_k=top_k)
    assert scores["gold_negative_gap"] == pytest.approx(np.mean(gaps))
    assert scores["gold_confidence"] == pytest.approx(np.mean(golds_seen))
    assert scores["margin_violation_hard"] == pytest.approx(np.mean(hard))
    assert scores["margin_violation_all"] == pytest.approx(np.mean(everything))
    assert (scores["n_rows"], scores["n_rows_left_out"]) == (len(gaps), left_out)
    assert scores["undefined"] == {}


def test_constant_score_earns_nothing():
    scores = cause_ranking_scores([0.5] * 4, [True, False, False, False], ["d"] * 4, [1] * 4)
    assert (scores["mrr"], scores["hit_at_1"]) == (0.25, 0.0)


def test_without_gold_everything_is_nan_with_a_reason():
    ranking = cause_ranking_scores([0.5], [False], ["d"], [1])
    assert math.isnan(ranking["mrr"])
    assert "no target" in ranking["undefined"]["mrr"]
    gaps = confidence_gap_scores([0.5], [False], ["d"], [1])
    assert math.isnan(gaps["gold_negative_gap"])
    assert set(gaps["undefined"]) == {
        key for key, value in gaps.items() if isinstance(value, float) and value != value
    } - {"negative_confidence"}


@pytest.mark.parametrize("function", [cause_ranking_scores, confidence_gap_scores])
@pytest.mark.parametrize(
    ("confidences", "positive", "words"),
    [([0.5], [1], "booleans"), ([np.nan], [True], "pair 0 is nan"), ([0.5, 0.5], [True], "one entry per pair")],
)
def test_bad_arrays_are_refused(function, confidences, positive, words):
    with pytest.raises(MetricInputError, match=words):
        function(confidences, positive, ["d"], [1])


def test_bad_options_are_refused():
    with pytest.raises(MetricInputError, match="recall_at"):
        cause_ranking_scores([0.5], [True], ["d"], [1], recall_at=(0,))
    with pytest.raises(MetricInputError, match="top_k"):
        confidence_gap_scores([0.5], [True], ["d"], [1], top_k=0)
