from __future__ import annotations

import numpy as np

from iemomecp_dataset.benchmark.report.pair_matrix import choose_dialogue, pair_matrix_picture
from iemomecp_dataset.metrics.evaluation.predictions import Predictions
from iemomecp_dataset.pair_table import PairTable


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
