"""One process and two are measured on the same work."""

import pytest

from iemomecp_dataset.benchmark.speed.processes import run


@pytest.mark.slow
def test_the_row_compares_an_epoch() -> None:
    (row,) = run(width=32, layers=1, scale="demo", passes=1)
    assert row.ours_seconds > 0
    assert row.ratio == pytest.approx(row.alternative_seconds / row.ours_seconds)
