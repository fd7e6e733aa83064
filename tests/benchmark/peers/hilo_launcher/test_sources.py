"""Logits are read by dialogue, in whatever shape they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hilo_dialogues import SHORT

from iemomecp_dataset.benchmark.peers.hilo_launcher.data_files import Split
from iemomecp_dataset.benchmark.peers.hilo_launcher.layouts import find_layouts
from iemomecp_dataset.benchmark.peers.hilo_launcher.sources import find_sources
from iemomecp_dataset.benchmark.peers.hilo_launcher.values import leaves


def logits(split: Split) -> list[Any]:
    return [np.random.default_rng(number).normal(size=(n, n, 2)) for number, n in enumerate(split.lengths)]


def arranged(squares: list[Any], how: str) -> list[Any]:
    """The logits of two steps, the first of which has two dialogues."""
    steps = [squares[:2], squares[2:]]
    if how == "list":
        return steps
    if how == "padded":
        return [
            np.pad(s[0], 0)[None] if len(s) == 1 else np.stack([s[0], np.pad(s[1], ((0, 1), (0, 1), (0, 0)))])
            for s in steps
        ]
    if how == "packed":
        row = np.full((5, 5, 2), -9.0)
        row[:3, :3], row[3:, 3:] = squares[0], squares[1]
        return [row, squares[2]]
    if how == "classes first":
        return [np.moveaxis(step, -1, 1) for step in arranged(squares, "padded")]
    if how == "padded in a list":
        return [step.reshape(-1, 2) for step in arranged(squares, "padded")]
    if how == "all pairs in a list":
        return [np.concatenate([square.reshape(-1, 2) for square in step]) for step in steps]
    return [np.concatenate([square[np.tril_indices(len(square))] for square in step]) for step in steps]


@pytest.mark.parametrize(
    "how",
    ["list", "padded", "packed", "classes first", "padded in a list", "all pairs in a list", "past pairs in a list"],
)
def test_logits_are_read_by_dialogue(how: str) -> None:
    squares = logits(SHORT)
    steps: list[dict[str, Any]] = [{"batch.turns": np.array([3, 2])}, {"batch.turns": np.array([4])}]
    for step, value in zip(steps, arranged(squares, how), strict=True):
        step.update(leaves(value, "output"))
    expected = np.concatenate([square.reshape(-1, 2) for square in squares])
    found = [
        cells[SHORT.past]
        for layout in find_layouts(steps, SHORT)
        for cells in find_sources(steps, layout, SHORT, ("output",)).pairs.values()
    ]
    assert any(np.array_equal(cells, expected[SHORT.past]) for cells in found)
