"""Turn-level sets against Python sets."""

import numpy as np
import pytest
from metric_case import MetricCase

from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.metrics.turn_scores import turn_set_scores


def set_scores(found, wanted):
    hits = len(found & wanted)
    precision = hits / len(found) if found else 0
    recall = hits / len(wanted) if wanted else 0
    return precision, recall, 2 * precision * recall / (precision + recall) if hits else 0


class TestTurnSets(MetricCase):
    of = turn_set_scores
    columns = ("probabilities", "labels", "dialogue_ids", "target_turns", "cause_turns", "emotional_targets")
    of_decisions = without_pairs = True
    has_context = True

    def compute(self, pairs):
        return turn_set_scores(
            np.asarray(pairs.probabilities).argmax(axis=1),
            pairs.labels,
            dialogue_ids=pairs.dialogue_ids,
            target_turns=pairs.target_turns,
            cause_turns=pairs.cause_turns,
            emotional_targets=pairs.emotional_targets,
            has_context=self.has_context,
        )

    def reference(self, pairs):
        predicted = pairs.probabilities.argmax(axis=1)
        columns = (pairs.dialogue_ids, pairs.target_turns, pairs.cause_turns, predicted, pairs.labels)
        rows = list(zip(*(c.tolist() for c in (*columns, pairs.emotional_targets)), strict=True))
        positive = {0, 1} if self.has_context else {0}
        sets = {
            "emotion": ({(d, t) for d, t, _, p, _, _ in rows if p in positive}, {(d, t) for d, t, *_, e in rows if e}),
            "cause": ({(d, c) for d, _, c, p, _, _ in rows if p == 0}, {(d, c) for d, _, c, _, g, _ in rows if g == 0}),
        }
        if self.has_context:
            found, wanted = ({(row[0], row[2]) for row in rows if row[place] == 1} for place in (3, 4))
            sets["context"] = found, wanted
        expected = {}
        for name, (found, wanted) in sets.items():
            values = (*set_scores(found, wanted), len(wanted))
            keys = (f"turn_{name}_{part}" for part in ("precision", "recall", "f1", "support"))
            expected |= dict(zip(keys, values, strict=True))
        assert len(self.compute(pairs)) == len(expected)
        return expected


class TestTurnSetsWithoutContext(TestTurnSets):
    has_context = False


KEYS = {
    "dialogue_ids": ["d", "d"],
    "target_turns": [1, 2],
    "cause_turns": [1, 1],
    "emotional_targets": [True, False],
}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"dialogue_ids": ["d"]}, "dialogue_ids must have one entry per pair"),
        ({"target_turns": [1, 1], "emotional_targets": [True, True]}, r"\(dialogue d, target 1, cause 1\).*more than"),
        ({"target_turns": [2, 2], "cause_turns": [1, 2]}, "Target turn 2 of dialogue d is emotional in one pair"),
        ({"target_turns": [1.0, 2.0]}, "turn numbers"),
        ({"cause_turns": [-1, 1]}, "turn numbers"),
    ],
)
def test_keys_that_do_not_fit_are_refused(changed, words):
    with pytest.raises(MetricInputError, match=words):
        turn_set_scores([0, 1], [0, 1], **(KEYS | changed), has_context=False)


def test_same_turn_numbers_of_two_dialogues_are_two_turns():
    scores = turn_set_scores(
        np.array([0, 1]),
        np.array([0, 0]),
        dialogue_ids=["a", "b"],
        target_turns=[1, 1],
        cause_turns=[1, 1],
        emotional_targets=[True, True],
        has_context=False,
    )
    assert scores["turn_cause_support"] == 2
    assert scores["turn_cause_recall"] == 0.5
