"""Requests are sent by our client and by bare sockets, to a server that is a process of its own."""

from __future__ import annotations

import pytest

from iemomecp_dataset.benchmark.speed import language_models

pytest.importorskip("openai")


@pytest.mark.slow
def test_rows_compare_rates_and_memory() -> None:
    rows = language_models.run(requests=12, many=24, at_once=4, seconds=(0.05,))
    time, memory = rows
    # Three answers one after another, on four connections.
    assert time.alternative_seconds >= 3 * 0.05
    assert time.ours_seconds >= 3 * 0.05
    assert min(memory.ours_seconds, memory.alternative_seconds) > 10
    assert "24" in memory.name
