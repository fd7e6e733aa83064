"""Turn-level sets against Python sets."""

import numpy as np
import pytest

from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.metrics.turn_scores import turn_set_scores


def set_scores(found, wanted):
    hits = len(found & wanted)
    precision = hits / len(found) if found else 0
    recall = hits / len(wanted) if wanted else 0
    return precision, recall, 2 * precision * recall / (precision + recall) if hits else 0


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("has_context", [True, False])
def test_sets_are_those_of_the_definition(random_pairs, seed, has_context):
    pairs = random_pairs(seed)
    predicted = pairs.probabilities.argmax(axis=1)
    rows = list(
        zip(
            pairs.dialogue_ids.tolist(),
            pairs.target_turns.tolist(),
            pairs.cause_turns.tolist(),
            predicted.tolist(),
            pairs.labels.tolist(),
            pairs.emotional_targets.tolist(),
            strict=True,
        )
    )
    positive = {0, 1} if has_context else {0}
    expected = {
        "emotion": ({(d, t) for d, t, _, p, _, _ in rows if p in positive}, {(d, t) for d, t, *_, e in rows if e}),
        "cause": ({(d, c) for d, _, c, p, _, _ in rows if p == 0}, {(d, c) for d, _, c, _, g, _ in rows if g == 0}),
        "context": ({(d, c) for d, _, c, p, _, _ in rows if p == 1}, {(d, c) for d, _, c, _, g, _ in rows if g == 1}),
    }
    if not has_context:
        del expected["context"]
    scores = turn_set_scores(
        predicted,
        pairs.labels,
        dialogue_ids=pairs.dialogue_ids,
        target_turns=pairs.target_turns,
        cause_turns=pairs.cause_turns,
        emotional_targets=pairs.emotional_targets,
        has_context=has_context,
    )
    assert len(scores) == 4 * len(expected)
    for name, (found, wanted) in expected.items():
        precision, recall, f1 = set_scores(found, wanted)
        assert scores[f"turn_{name}_precision"] == pytest.approx(precision)
        assert scores[f"turn_{name}_recall"] == pytest.approx(recall)
        assert scores[f"turn_{name}_f1"] == pytest.approx(f1)
        assert scores[f"turn_{name}_support"] == len(wanted)


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
