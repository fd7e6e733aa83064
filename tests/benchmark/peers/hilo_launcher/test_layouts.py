"""Dialogues are recognized by what a loader or a model gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hilo_dialogues import SHORT

from iemomecp_dataset.benchmark.peers.hilo_launcher.data_files import Dialogue, Split
from iemomecp_dataset.benchmark.peers.hilo_launcher.layouts import find_layouts
from iemomecp_dataset.benchmark.peers.hilo_launcher.values import leaves

# Two steps, the first of which has the first two dialogues.
TOGETHER, APART = [[[0, 1]], [[2]]], [[[0], [1]], [[2]]]


@pytest.mark.parametrize(
    ("first", "second", "layout"),
    [
        (["dia5", "dia6"], ["dia7"], APART),
        ([5, 5, 5, 6, 6], [7, 7, 7, 7], TOGETHER),
        ([[5, 6]], [[7]], TOGETHER),
        ([3, 2], [4], APART),
        ([[0, 3], [0, 2]], [[0, 4]], APART),
        ([[3, 5]], [[4]], TOGETHER),
        (np.array([[1, 1, 1], [1, 1, 0]]), np.array([[1, 1, 1, 1]]), APART),
        (np.array([5]), np.array([4]), TOGETHER),
        (np.array([[9, 9, 9, 9, 9]]), np.array([[9, 9, 9, 9]]), TOGETHER),
        ([["a", "b", "a"], ["b", "a"]], [["a", "b", "a", "b"]], APART),
        (np.array([np.tril(np.ones((3, 3))), [[1, 0, 0], [1, 1, 0], [0, 0, 0]]]), np.ones((1, 4, 4)), APART),
        (np.zeros((2, 3, 3, 2)), np.zeros((1, 4, 4, 2)), APART),
        (np.zeros((5, 5, 2)), np.zeros((4, 4, 2)), TOGETHER),
        ([np.zeros((3, 3, 2)), np.zeros((2, 2, 2))], [np.zeros((4, 4, 2))], APART),
    ],
    ids=[
        "ids", "ids of utterances", "ids in rows", "turns", "spans", "ends", "marked turns", "turns of rows",
        "utterances", "entries", "marked pairs", "padded squares", "packed squares", "list of squares",
    ],
)  # fmt: skip
def test_dialogues_are_recognized(first: Any, second: Any, layout: list[list[list[int]]]) -> None:
    steps = [dict(leaves(value, "batch")) for value in (first, second)]
    assert layout in [found.steps for found in find_layouts(steps, SHORT)]
    # Other dialogues are not.
    other = Split(
        "validation", [Dialogue(8, 2, frozenset()), Dialogue(9, 5, frozenset()), Dialogue(10, 1, frozenset())]
    )
    assert find_layouts(steps, other) == []
