"""The scale of a small synthetic corpus: 16, 6 and 8 dialogues, 2090 train pairs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from iemomecp_dataset.synthetic.counts import SCALES, PlannedCounts, Scale

__all__ = ["small_scale"]


@contextmanager
def small_scale() -> Iterator[str]:
    """Adds the scale to those of the package within the block.

    Yields:
        Its name.
    """
    splits = {
        "train": PlannedCounts(8, 16, 240, 2090, 186, 94, 6, 2, 277, 26, 1, 11, 111),
        "validation": PlannedCounts(3, 6, 90, 784, 70, 35, 2, 1, 104, 10, 1, 4, 42),
        "test": PlannedCounts(4, 8, 120, 1046, 92, 46, 3, 1, 128, 12, 1, 5, 62),
    }
    SCALES["small"] = Scale(splits, shortest_chunk=8, longest_chunk=24, topics=20, words_per_topic=2)
    try:
        yield "small"
    finally:
        del SCALES["small"]
