"""Ranking and confidence gaps against loops over targets."""

import math

import numpy as np
import pytest
from metric_case import MetricCase

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
    first = np.asarray(pairs.probabilities)[:, 0]
    return first, np.asarray(pairs.labels) == 0, pairs.dialogue_ids, pairs.target_turns


def mean(values):
    return np.mean(values) if len(values) else math.nan


class TestCauseRanking(MetricCase):
    of = cause_ranking_scores
    columns = ("probabilities", "labels", "dialogue_ids", "target_turns")

    def compute(self, pairs):
        return cause_ranking_scores(*arguments(pairs), recall_at=(1, 2, 4))

    def reference(self, pairs):
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
        return {"mrr": mean(reciprocal), "hit_at_1": mean(hits), "n_targets": len(reciprocal)} | {
            f"recall_at_{k}": mean(values) for k, values in recalls.items()
        }


class TestConfidenceGaps(MetricCase):
    of = confidence_gap_scores
    columns = ("probabilities", "labels", "dialogue_ids", "target_turns")
    top_k = 2

    def compute(self, pairs):
        return confidence_gap_scores(*arguments(pairs), margin=0.3, top_k=self.top_k)

    def reference(self, pairs):
        gaps, hard, everything, golds_seen, left_out = [], [], [], [], 0
        for row in by_target(pairs).values():
            golds, negatives = [p for p, y in row if y], sorted((p for p, y in row if not y), reverse=True)
            golds_seen += golds
            if not golds or not negatives:
                left_out += 1
                continue
            gaps.append(np.mean(golds) - np.mean(negatives))
            hard += [max(0.3 - (g - n), 0) for g in golds for n in negatives[: self.top_k]]
            everything += [max(0.3 - (g - n), 0) for g in golds for n in negatives]
        return {
            "gold_negative_gap": mean(gaps),
            "gold_confidence": mean(golds_seen),
            "margin_violation_hard": mean(hard),
            "margin_violation_all": mean(everything),
            "n_rows": len(gaps),
            "n_rows_left_out": left_out,
        }


class TestConfidenceGapsOfTheHardest(TestConfidenceGaps):
    top_k = 1


class TestConfidenceGapsOfMany(TestConfidenceGaps):
    top_k = 8


def test_constant_score_earns_nothing():
    scores = cause_ranking_scores([0.5] * 4, [True, False, False, False], ["d"] * 4, [1] * 4)
    assert (scores["mrr"], scores["hit_at_1"]) == (0.25, 0.0)


def test_without_gold_it_is_said_that_no_target_has_any():
    assert "no target" in cause_ranking_scores([0.5], [False], ["d"], [1])["undefined"]["mrr"]


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
