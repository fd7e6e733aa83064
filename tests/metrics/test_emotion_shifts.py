"""Scores where a speaker's emotion changes and where it stays, against a walk through each dialogue."""

import math

import numpy as np
import pytest

from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.metrics.emotion_shifts import shift_scores


def walk(predicted, labels, dialogue_ids, turns, speakers):
    """Reads the utterances in order and remembers each speaker's last emotion, -1 where it is not known."""
    last, hits = {}, {"shift": [], "stay": []}
    for dialogue, _, speaker, gold, found in sorted(zip(dialogue_ids, turns, speakers, labels, predicted, strict=True)):
        before = last.get((dialogue, speaker), -1)
        last[dialogue, speaker] = gold
        if speaker and gold != -1 and before != -1:
            hits["stay" if gold == before else "shift"].append(gold == found)
    return {
        f"{kind}_{key}": value
        for kind, right in hits.items()
        for key, value in (("accuracy", np.mean(right) if right else math.nan), ("support", len(right)))
    }


@pytest.mark.parametrize("seed", range(20))
def test_agrees_with_a_walk_whatever_the_order_of_utterances(seed):
    generator = np.random.default_rng(seed)
    dialogues, turns = np.repeat(["a", "b", "c"], 12), np.tile(np.arange(1, 13), 3)
    speakers = generator.choice(["A", "B", "C", ""], 36)
    labels, predicted = generator.integers(-1, 3, 36), generator.integers(0, 3, 36)
    order = generator.permutation(36)
    columns = [values[order] for values in (predicted, labels, dialogues, turns, speakers)]
    assert shift_scores(*columns) == pytest.approx(walk(*columns), nan_ok=True)
    lists = [values.tolist() for values in columns]
    assert shift_scores(*lists) == pytest.approx(walk(*lists), nan_ok=True)


def test_a_dialogue_has_no_part_in_the_next_though_one_speaker_is_in_both():
    scores = shift_scores([0, 1, 1, 1], [0, 1, 1, 1], ["a", "a", "b", "b"], [1, 2, 1, 2], ["A"] * 4)
    assert (scores["shift_support"], scores["stay_support"]) == (1, 1)


def test_nothing_to_score_is_nan_with_support_0():
    nothing = shift_scores([], [], [], [], [])
    assert nothing["shift_support"] == nothing["stay_support"] == 0
    assert math.isnan(nothing["shift_accuracy"])
    assert math.isnan(nothing["stay_accuracy"])


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"turns": [1]}, "turns must have one entry per utterance"),
        ({"speakers": ["A"]}, "speakers must have one entry"),
        ({"predicted": [[0], [1]]}, "predicted must have one entry"),
        ({"turns": [1.0, 2.0]}, "integers"),
        ({"turns": [1, 1]}, "Turn 1 of dialogue d is given more than once; 1 utterances repeat"),
    ],
)
def test_columns_that_do_not_fit_are_refused(changed, words):
    columns = {"predicted": [0, 1], "labels": [0, 1], "dialogue_ids": ["d", "d"], "turns": [1, 2]}
    columns["speakers"] = ["A", "B"]
    with pytest.raises(MetricInputError, match=words):
        shift_scores(**columns | changed)
