"""The measurement of training compares what it says."""

from __future__ import annotations

import pytest

from iemomecp_dataset.benchmark.speed.training import training


@pytest.mark.slow
def test_rows_name_what_they_compare(small_scale: str) -> None:
    rows = training(width=32, layers=2, chunks=3, pair_batches=2, passes=1, scale=small_scale)
    assert all(row.ours_seconds > 0 and row.ratio > 0 for row in rows)
    (memory,) = (row for row in rows if "MB" in row.name)
    assert memory.ratio > 10, "features are referenced, not copied"
